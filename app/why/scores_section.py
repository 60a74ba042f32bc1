"""How well the maps of A and of B say what the network looks at, and how well they find their class; made by a job."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.attributions import (
    attribution_method,
    how_attributed,
    kept_results,
    maps_in_job,
    methods_help,
    seconds_of,
    stands_for,
)
from app.chart import palette, show_chart
from app.guard import sentences
from app.job_progress import duration, job_panel
from app.jobs import Job, board
from app.links import kept
from app.methods import Method
from app.models import LastUsed, device, device_words
from app.pictures import Picture
from app.plain_words import plain
from app.why.question import MethodAnswer, Question
from recam_core.analysis.csv_tables import csv_text
from recam_core.attribution.map_scores import (
    Faithfulness,
    FaithfulnessSettings,
    Localisation,
    faithfulness,
    localisation,
)
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.views.charts.faithfulness_curves import faithfulness_chart

_COLUMNS = {
    "deletion": "Area under the curve of deletion: the class's probability while the places of highest activation are "
    "hidden first. The lower the better.",
    "insertion": "The same while they are shown first. The higher the better.",
    "infidelity": "Of how much the logit changes when a random square is hidden, the share that the map does not "
    "foretell. 0 is best; at 1 it foretells nothing.",
    "pointing": "Whether the place of the highest activation lies on the class.",
    "energy": "Share of the activation that lies on the class.",
    "best IoU": "Against the pixels of the class, at the threshold that fits this very picture best: an upper bound.",
    "class's share": "Of the pixels that count; pointing and energy of a map that knows nothing.",
}


@dataclass
class ScoreJob(Job):
    """Scoring the maps of one picture.

    Attributes:
        methods: whose.
        picture: of what.
        classes: of which.
        names: all classes of the family.
    """

    methods: tuple[Method, ...]
    picture: Picture
    classes: tuple[int, ...]
    names: ClassList


Scores = tuple[Faithfulness, Localisation | None]


def scores_section(question: Question, answers: list[MethodAnswer]) -> None:
    """The methods to score, what that costs, and the table."""
    scene, classes = question.scene, tuple(sorted((question.a, question.b)))
    a, b = map(plain, question.names)
    with st.expander(f"Scores of the maps of {a} and of {b}", expanded=bool(kept("scores"))):
        st.caption(
            "Without ground truth: how the network's own answer changes when the places that a map marks are hidden or "
            "shown. With it: whether the map lies on its class. Of one picture; the command `attribute compare` does "
            "it over a set."
        )
        chosen = st.multiselect(
            "Methods", list(METHODS), ["cam"], format_func=lambda key: METHODS[key].title, key="why_scored",
            persist_state="session", help="CAM is the run's own map.\n" + methods_help(),
        )  # fmt: skip
        wanted = [
            attribution_method(one.method.entry, key)
            for one in answers
            if one.method.entry is not None
            for key in chosen
        ]
        if not wanted:
            st.info("Choose a method to score.", icon=":material/checklist:")
            return
        with sentences():
            _table_or_panel(question, wanted, scene.picture, classes)


def _key(method: Method, picture: Picture, classes: tuple[int, ...]) -> str:
    return f"scores:{stands_for(method, picture, classes)}"


def _table_or_panel(question: Question, wanted: list[Method], picture: Picture, classes: tuple[int, ...]) -> None:
    store = kept_results()
    found = [(method, store.get(_key(method, picture, classes))) for method in wanted]
    missing = [method for method, one in found if one is None]
    for method, one in found:
        if isinstance(one, UserError):
            st.error(f"{plain(method.title)}: {plain(one)}", icon=":material/error:")
    ready = [(method, one) for method, one in found if isinstance(one, tuple)]
    if missing:
        _panel(question, missing, picture, classes)
    if ready:
        _table(question, ready, classes)


def _panel(question: Question, missing: list[Method], picture: Picture, classes: tuple[int, ...]) -> None:
    settings = FaithfulnessSettings()
    passes = 2 * (settings.steps + 1) * len(classes) + settings.masks + 1
    seconds = sum(seconds_of(method, picture, classes, passes) for method in missing)
    store, job = kept_results(), ScoreJob(tuple(missing), picture, classes, question.scene.classes)
    job_panel(
        ScoreJob,
        "scores",
        lambda: board().start(job, lambda job: _work(job, store)),
        key="why_scores",
        label="Score them",
        caption=f"About {duration(max(seconds, 1))} on {device_words()}; it goes on when you leave the page.",
        is_about_this=lambda ended: ended.picture.key == picture.key,
    )


def _work(job: ScoreJob, store: LastUsed[Any]) -> None:
    """Each method in turn, on a network of its own."""
    for number, method in enumerate(job.methods, start=1):
        how = how_attributed(method)
        run = load_run(how.entry.path, device())
        job.begin(f"Maps of {method.title} ({number} of {len(job.methods)}), pass")
        maps = maps_in_job(method, run.network, job.picture, job.classes, job.progress, store)
        if isinstance(maps, UserError):
            store.put(_key(method, job.picture, job.classes), maps)
            continue
        job.begin(f"Scores of {method.title} ({number} of {len(job.methods)}), picture")
        settings = FaithfulnessSettings(shakes=0, softmax=method.softmax)
        faithful = faithfulness(
            run.network, job.picture.image, maps, head=how.head, settings=settings, progress=job.progress
        )
        mask = job.picture.truth
        found = None if mask is None else localisation(maps, mask, job.names)
        store.put(_key(method, job.picture, job.classes), (faithful, found))


def _table(question: Question, ready: list[tuple[Method, Scores]], classes: tuple[int, ...]) -> None:
    names = question.scene.classes.names
    rows = []
    for order, k in enumerate(classes):
        for method, (faithful, found) in ready:
            row: dict[str, object] = {"map": method.title, "class": names[k]}
            row |= {
                "deletion": faithful.deletion_area[order],
                "insertion": faithful.insertion_area[order],
                "infidelity": faithful.infidelity[order],
            }
            if found is not None:
                row |= {
                    "pointing": found.pointing[order],
                    "energy": found.energy[order],
                    "best IoU": found.best_iou[order],
                    "class's share": found.share[order],
                }
            rows.append(row)
    frame = pd.DataFrame(rows)
    st.dataframe(
        frame,
        hide_index=True,
        key="why_scores_table",
        column_config={
            name: st.column_config.NumberColumn(format="%.3f", help=about)
            for name, about in _COLUMNS.items()
            if name in frame
        },
        alt="Scores of the maps of both classes",
    )
    if not all(np.isfinite(frame[name]).all() for name in frame if name in _COLUMNS):
        st.caption("Empty: the class is not in the ground truth of this picture, its map is empty, or nothing changes.")
    k = st.segmented_control(
        "Curves of", list(classes), default=question.a, required=True, format_func=lambda k: plain(names[k]),
        key=f"why_curves_{classes[0]}_{classes[1]}",
    )  # fmt: skip
    curves = [(method.title, scores[0]) for method, scores in ready]
    order = classes.index(k if k in classes else question.a)
    show_chart(
        faithfulness_chart(curves, order, palette()),
        key="why_curves_chart",
        name="faithfulness",
        csv=csv_text(list(frame.columns), frame.itertuples(index=False)),
    )
