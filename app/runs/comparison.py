"""Several runs side by side: scores with intervals, classes, and the settings that differ."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from app.analysed import analyse_panel, analysed_of, can_be_scored
from app.carried import settled, taken_over
from app.catalogue import Catalogue, Family
from app.chart import palette, pressed, show_chart
from app.chart import key_while
from app.guard import sentences
from app.links import keep, kept
from app.plain_words import as_code, plain
from app.recorded_pictures import recorded, say_missing
from app.runs.chosen import family_of, open_maps
from app.runs.plain_table import Cell, plain_table
from app.shared_state import CHOSEN_DATA, CHOSEN_THRESHOLD, OWN_THRESHOLD, threshold_scope
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.gains import RATES
from recam_core.runs.compare import ScoreComparison, compare_scores, rate_verdicts, verdicts
from recam_core.runs.listed import headline, headlines
from recam_core.runs.listed import ListedRun
from recam_core.runs.compare import compare_settings
from recam_core.scores.table import signed
from recam_core.views.charts.gains import BETTER, WORSE, GainRow, gain_chart, gains_csv

_COMPARE = ":material/compare:"
_MOST = (
    "The picture in which most pixels of the class are put right, or wrong, in Explore. Not to be pressed where there is "
    "none."
)


def comparison(chosen: Sequence[ListedRun], catalogue: Catalogue) -> None:
    """Draw it; the first run is what the others are compared with."""
    st.subheader(f"{', '.join(plain(run.name) for run in chosen[1:])} against {plain(chosen[0].name)}")
    scored = False
    with sentences():
        scored = _scores(chosen, catalogue)
    _settings(chosen)
    _recorded(chosen, expanded=not scored)


# Scores ---------------------------------------------------------------------------------------------------------------


def _scores(chosen: Sequence[ListedRun], catalogue: Catalogue) -> bool:
    """Draw the scores; False where there is nothing to draw them from, and the page says why."""
    family = family_of(chosen, catalogue)
    if family is None:
        st.info("These runs know different classes, so only their settings are compared.", icon=":material/category:")
        return False
    spec = _spec(family, chosen)
    if not (pictures := recorded(spec, family.classes)).is_here and spec == _measured_on(family, chosen):
        say_missing(pictures)
        return False
    entries = {entry.key: entry for entry in family.entries}
    ready, missing = analysed_of(family, [entries[run.key] for run in chosen], spec)
    # The page tells runs apart by their names; shipped ones are called by their methods elsewhere.
    names = {run.key: run.name for run in chosen}
    ready = [replace(one, title=names[one.key]) for one in ready]
    cut = CHOSEN_THRESHOLD.get({}).get(threshold_scope(family.classes), OWN_THRESHOLD)
    if cut != OWN_THRESHOLD and _cuts_all(float(cut)):
        ready = [replace(one, threshold=float(cut)) for one in ready]
    if missing:
        analyse_panel(missing, spec, key="runs_analyse")
    if len(ready) < 2:
        return False
    found = _compared(spec, tuple((one.title, str(one.store.path), one.threshold) for one in ready), ready)
    for sentence in verdicts(found):
        # A run's name may hold characters that mean something in Markdown.
        st.text(sentence)
    _score_table(found)
    for sentence in rate_verdicts(found):
        st.text(sentence)
    _rate_table(found)
    shown = [run for run in chosen if run.key in found.keys]
    if st.button("The picture that tells most, in Explore", icon=_COMPARE, key="runs_telling", wrap=True):
        open_maps(shown, catalogue, spec, found.telling)
    _class_gains(found, shown, catalogue)
    return True


def _cuts_all(cut: float) -> bool:
    """Whether the threshold for all that another page has set counts here, too."""
    return st.toggle(
        f"All at the threshold {cut:.2f}",
        value=True,
        key="runs_at_one_threshold",
        persist_state="session",
        help="One background threshold for all was set on another page. Off, each run is cut at its own.",
    )


def _spec(family: Family, chosen: Sequence[ListedRun]) -> str:
    """The pictures on which scores are compared; to begin with, those on which the runs were measured."""
    measured = _measured_on(family, chosen)
    key = f"runs_on_{family.key}"
    usual = recorded(measured, family.classes).spec
    if st.session_state.get(key) == measured:
        st.session_state[key] = usual  # they may have come meanwhile
    base, at, split = usual.rpartition("@")
    others = [f"{base}@{other}" for other in ("val", "train") if other != split] if at else []
    opened_with, named = st.session_state.setdefault("runs_on_in_address", (family.key, kept("on")))
    named = named if opened_with == family.key else ""
    key = f"runs_on_{family.key}"
    elsewhere = taken_over(CHOSEN_DATA, family.key, "runs_data", bool(named))
    if elsewhere is not None and can_be_scored(family, elsewhere):
        st.session_state[key] = elsewhere
    elif key not in st.session_state:
        st.session_state[key] = named or usual
    options = list(dict.fromkeys([usual, st.session_state[key] or usual, family.pictures, *others]))
    spec = st.selectbox(
        "Pictures to compare on",
        options,
        accept_new_options=True,
        key=key,
        persist_state="session",
        width=420,
        help="Any data set with masks of the same classes, such as `scenes@val` or `voc:FOLDER@val`. Settings that "
        "were chosen on pictures look better on them than they are.",
    )
    spec = (spec or "").strip() or usual
    settled(CHOSEN_DATA, family.key, "runs_data", spec, bool(named))
    keep("on", spec, usual)
    return spec


def _measured_on(family: Family, chosen: Sequence[ListedRun]) -> str:
    """The pictures on which the runs were measured, as their records say it."""
    measured = [score.protocol[0] for run in chosen for score in headlines(run.info) if score.split == "val"]
    return next((spec for spec in measured if spec != "None"), family.pictures)


@st.cache_resource(max_entries=16, show_spinner="Drawing pictures anew, to tell a difference from chance")
def _compared(spec: str, identity: tuple, _ready: Sequence[Analysed]) -> ScoreComparison:
    return compare_scores(_ready, spec)


def _score_table(found: ScoreComparison) -> None:
    gain, rows = found.gain, []
    for place, title in enumerate(found.titles):
        cut = found.thresholds[place]
        cells = [
            Cell("arg-max" if cut is None else f"{cut:.2f}", "number"),
            Cell(f"{100 * gain.miou[place]:.1f}", "number"),
        ]
        low, high = float(gain.miou_gain_low[place]), float(gain.miou_gain_high[place])
        kind = "up" if low > 0 else "down" if high < 0 else "number"
        if place:
            cells += [
                Cell(signed(100 * float(gain.miou_gain[place])), kind),
                Cell(None if math.isnan(low) else f"{signed(100 * low)} to {signed(100 * high)}", kind),
            ]
        else:
            cells += [Cell(None, "number"), Cell(None, "number")]
        rows.append((title, cells))
    heads = ["threshold", "mIoU, %", "difference, points", "95% interval"]
    plain_table(heads, rows, f"Scores on {found.data}")
    st.caption(
        f"{found.pictures} pictures of {as_code(found.data)}; intervals over 1000 draws of as many pictures, the same draws "
        "for all runs. Coloured differences are more than chance."
    )


def _rate_table(found: ScoreComparison) -> None:
    """False positives, false negatives and pixels of a wrong class, with what each run changes of them."""
    rates, rows = found.rates, []
    for place, title in enumerate(found.titles):
        cells = []
        for number in range(len(RATES)):
            cells.append(Cell(f"{100 * rates.rate[number, place]:.2f}", "number"))
            change, low, high = (
                float(one[number, place]) for one in (rates.change, rates.change_low, rates.change_high)
            )
            # Of errors, a fall is what is better.
            kind = "up" if high < 0 else "down" if low > 0 else "number"
            words = signed(100 * change, 2)
            words += "" if math.isnan(low) else f" ({signed(100 * low, 2)} to {signed(100 * high, 2)})"
            cells.append(Cell(words, kind) if place else Cell(None, "number"))
        rows.append((title, cells))
    heads = [head for name in RATES.values() for head in (f"{name}, %", "difference (95%)")]
    plain_table(heads, rows, f"Errors on {found.data}")
    st.caption(
        "Less is better. False positives and negatives are means over the classes; wrong class: of the pixels of any "
        "class, those given to another class. The draws are those of the table above."
    )


def _class_gains(found: ScoreComparison, shown: Sequence[ListedRun], catalogue: Catalogue) -> None:
    """The gains of each class; the pictures behind one that is pressed, or chosen by keyboard, lead to Explore."""
    place = len(found.keys) - 1
    if place > 1:
        place = st.selectbox(
            "Class by class",
            range(1, len(found.keys)),
            index=place - 1,
            format_func=lambda at: f"{found.titles[at]} against {found.titles[0]}",
            key="runs_class_gain",
            width=420,
        )
    gain = found.gain
    values = gain.gain[place]
    order = [at for at in np.argsort(-np.nan_to_num(values, nan=-np.inf)).tolist() if not math.isnan(values[at])]
    names = [gain.names[at] for at in order]
    if st.session_state.get("runs_class") not in names:
        st.session_state["runs_class"] = None
    rows = [_gain_row(found, place, at, st.session_state["runs_class"]) for at in order]
    title = f"Class by class: what {plain(found.titles[place])} gains over {plain(found.titles[0])}"
    with st.expander(title, expanded=True):
        if not rows:
            st.caption("No class occurs in these pictures.")
            return

        def pressed_name(key: str) -> str | None:
            at = pressed(key)
            return names[at[0][0]] if at and at[0][0] < len(names) else None

        def press() -> None:
            if (name := pressed_name(key)) is not None:
                st.session_state["runs_class"] = name

        key = key_while(
            f"runs_gains_{found.keys[0]}_{found.keys[place]}",
            lambda key: pressed_name(key) in (None, st.session_state["runs_class"]),
        )
        with st.container(key="runs_gains"):
            show_chart(
                gain_chart(rows, palette(), title="gain in IoU, points, with 95% interval"),
                key=key,
                modes=("points",),
                name="class_gains",
                csv=gains_csv(rows, name="class"),
                alt=f"What {found.titles[place]} gains over {found.titles[0]} by class, with intervals. The field below "
                "chooses a class by keyboard.",
                on_press=press,
            )
        _class_pictures(found, place, order, names, shown, catalogue)


def _gain_row(found: ScoreComparison, place: int, at: int, looked_at: str | None) -> GainRow:
    gain = found.gain
    low, high = 100 * float(gain.gain_low[place, at]), 100 * float(gain.gain_high[place, at])
    verdict = BETTER if low > 0 else WORSE if high < 0 else "may be noise"
    known = not math.isnan(low)
    return GainRow(
        gain.names[at],
        100 * float(gain.gain[place, at]),
        low if known else None,
        high if known else None,
        verdict if known else "seen in one picture",
        marked=gain.names[at] == looked_at,
    )


def _class_pictures(
    found: ScoreComparison,
    place: int,
    order: Sequence[int],
    names: Sequence[str],
    shown: Sequence[ListedRun],
    catalogue: Catalogue,
) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_class_pictures"):
        name = st.selectbox(
            "Pictures behind a class",
            names,
            index=None,
            key="runs_class",
            placeholder="Press a dot, or choose here",
            width=280,
        )
        if name is None:
            return
        gains, loses = found.by_class[place][order[names.index(name)]]
        picture = None
        if st.button("Where it gains most", icon=_COMPARE, key="runs_class_gains", disabled=gains is None, help=_MOST):
            picture = gains
        if st.button("Where it loses most", icon=_COMPARE, key="runs_class_loses", disabled=loses is None, help=_MOST):
            picture = loses
        if picture is not None:
            open_maps([shown[0], shown[place]], catalogue, found.data, picture, classes=[name])


# Settings -------------------------------------------------------------------------------------------------------------


def _settings(chosen: Sequence[ListedRun]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("#### Settings that differ")
        everything = st.toggle("All settings", key="runs_all_settings", persist_state="session")
    rows = compare_settings([run.info for run in chosen])
    shown = [row for row in rows if row.differs or everything]
    if not shown:
        st.info("Every setting is the same.", icon=":material/equal:")
        return
    plain_table(
        [run.name for run in chosen],
        [(row.name, [Cell(value) for value in row.values]) for row in shown],
        "Settings of the runs side by side",
    )


def _recorded(chosen: Sequence[ListedRun], expanded: bool) -> None:
    """What the records hold, where the counts behind it are gone: without intervals, and said to be so."""
    scores = [headline(run.info) for run in chosen]
    if sum(score is not None for score in scores) < 2:
        return
    first = scores[0]
    rows = []
    for run, score in zip(chosen, scores, strict=True):
        change = None
        if score is not None and first is not None and score is not first and score.protocol == first.protocol:
            change = signed(100 * (score.miou - first.miou))
        rows.append(
            (
                run.name,
                [
                    Cell(None if score is None else f"{100 * score.miou:.1f}", "number"),
                    Cell(change, "number"),
                    Cell(None if score is None else f"{score.split}, {score.rule.replace('_', ' ')}"),
                ],
            )
        )
    with st.expander("Scores in the runs' records, without intervals", expanded=expanded):
        plain_table(["mIoU, %", "difference, points", "measured on, by"], rows, "Scores in the runs' records")
        st.caption("A difference stands only where both were measured on the same pictures in the same way.")
