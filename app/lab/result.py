"""What came out of an experiment: the sentence, the chart, the table, the maps of a point."""

from collections.abc import Mapping
from html import escape

import pandas as pd
import streamlit as st

from app.catalogue import Family
from app.chart import key_while, marked_row
from app.lab.chart_section import chart_section
from app.lab.lab_result import LabResult, look_at, looked_at
from app.lab.point_maps import point_section
from app.plain_words import plain
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.protocol import PARTS, Protocol
from recam_core.views.charts.setting_points import PART_WORDS, REFERENCE_PLACE


def result_section(job: LabResult, family: Family) -> None:
    """Draw it."""
    found, marked = job.found, looked_at(job)
    st.markdown(f"### {plain(found.title)}")
    st.html(f'<p class="lab-sentence">{escape(found.sentence)}</p>')
    st.caption(f"Starting from **{plain(job.entry.title)}** ({plain(job.entry.key)}).")
    parts_strip(found.protocol, found.pictures, "networks" if found.kind == "full" else "heads")
    chart_section(job, marked)
    table_section(job, marked)
    with st.expander("What else to know", icon=":material/info:"):
        st.html(f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in found.notes)}</ul>")
        st.caption("The same experiment from the command line:")
        st.code(job.command, language="bash", wrap_lines=True)
    point_section(job, family)


_WORDS = {
    "fit": ("1 · train", "the {learners} learn from their labels"),
    "select": ("2 · choose", "settings and thresholds are picked here"),
    "report": ("3 · report", "figures are told here, nothing is picked"),
}


def parts_strip(protocol: Protocol, pictures: Mapping[str, int], learners: str = "heads") -> None:
    """Draw the cards; ``learners`` says what is trained."""
    words = {part: (_WORDS[part][0], _WORDS[part][1].format(learners=learners)) for part in PARTS}
    cards = [
        f"<div><b>{words[part][0]}: {escape(getattr(protocol, part))}</b>"
        f"<small>{pictures[part]:,} pictures; {words[part][1]}</small></div>"
        for part in PARTS
    ]
    st.html(f'<div class="lab-parts">{"".join(cards)}</div>')


_BOTH = "both parts"
#: Shares that some experiments add, as the table heads them.
_MORE = {
    "double_negatives": ("both negative", "Share of channels whose weights in FC1 and FC2 are both negative."),
    "confused": ("confused", "Of the pixels of the pair, the share given to the other of the two."),
    "pair_iou": ("IoU of the pair", "Mean IoU of the two classes."),
    "others_iou": ("IoU of others", "Mean IoU of all other classes."),
}
#: Differences to the run before, with the ends of their intervals, in points.
_CHANGES = {"gain": "gain", "confused_change": "change"}


def table_section(job: LabResult, marked: int | None) -> None:
    """Draw it."""
    found = job.found
    with st.container(horizontal=True, vertical_alignment="center"):
        part = st.segmented_control(
            "Rows of",
            [*PARTS[:0:-1], _BOTH],
            default=PARTS[-1],
            required=True,
            format_func=lambda part: part if part == _BOTH else f"the part that {PART_WORDS[part]}",
            key="lab_table_part",
            persist_state="session",
            label_visibility="collapsed",
            wrap=True,
        )
        st.space("stretch")
        st.download_button(
            "CSV",
            found.to_csv(),
            file_name=f"lab_{found.kind}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="lab_csv",
            help="The whole table, of both parts.",
        )
    rows = [entry for entry in found.rows if part in (_BOTH, entry["part"])]
    places = {one.label: place for place, one in enumerate(found.settings)}
    shown = [places.get(entry["key"], REFERENCE_PLACE) for entry in rows]

    def pressed(key: str) -> int | None:
        found_row = marked_row(key)
        return None if found_row is None or found_row >= len(shown) else shown[found_row]

    key = key_while(f"lab_table_{job.id}_{part}", lambda key: pressed(key) in (None, marked))
    frame, columns = _frame(found, rows)
    with st.container(key="lab_table"):
        st.dataframe(
            frame,
            hide_index=True,
            height=min(35 * (len(frame) + 1) + 3, 460),
            placeholder="–",
            column_config=columns,
            key=key,
            on_select=lambda: look_at(job.id, pressed(key)),
            selection_mode="single-row",
            alt=f"Figures of {found.title}; a chosen row shows its maps",
        )


def _frame(found: Experiment, rows: list[dict]) -> tuple[pd.DataFrame, dict]:
    percent = {"format": "%.2f"}
    columns: dict[str, list] = {
        "": ["★" if entry["chosen"] else "" for entry in rows],
        "setting": [entry["key"] for entry in rows],
        "part": [PART_WORDS[entry["part"]] for entry in rows],
    }
    config = {
        "": st.column_config.TextColumn(width=28, pinned=True, help="★: what the part that chooses prefers."),
        "setting": st.column_config.TextColumn(pinned=True),
        "part": st.column_config.TextColumn(help="Which part of the data the figures are of."),
    }

    def add(title: str, name: str, help: str | None = None, form: dict = percent, times: float = 100) -> None:
        values = [entry.get(name) for entry in rows]
        if any(value is not None for value in values):
            columns[title] = [None if value is None else times * value for value in values]
            config[title] = st.column_config.NumberColumn(help=help, **form)

    for name, (_, title, more) in FIGURES.items():
        add(title, name, f"In percent; {'more' if more else 'less'} is better.")
        add(f"± {title}", f"{name}_spread", "Standard deviation over the seeds, in points.")
    for name, (title, help) in _MORE.items():
        add(title, name, f"{help} In percent.")
    for name, title in _CHANGES.items():
        signed = {"format": "%+.2f"}
        add(title, name, "Against no retraining, in points.", signed)
        add(f"{title} from", f"{name}_low", "Lower end of the 95 % interval over pictures and seeds.", signed)
        add(f"{title} to", f"{name}_high", "Upper end of the 95 % interval over pictures and seeds.", signed)
    add("threshold", "threshold", "Background threshold, picked on the part that chooses.", times=1)
    return pd.DataFrame(columns), config
