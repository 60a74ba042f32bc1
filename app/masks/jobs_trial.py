"""A few pictures tried before all are: what it will cost, and what thresholds of confident labels select on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st

from app.datasets import refuse_much_drawing
from app.job_progress import duration, job_state
from app.jobs import Job, board
from app.models import device
from app.plain_words import plain
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.sample import VOID, Dataset
from recam_core.data.spec import open_dataset
from recam_core.maps.dataset_maps import MapSettings
from recam_core.refine.boundaries import BoundaryRecipe, load_boundaries
from recam_core.refine.trial import COUNT, Trial, learning_seconds, shares, try_pictures
from recam_core.refine.ways import Route
from recam_core.segment.recipe import SegmentRecipe
from recam_core.segment.training import labels_of, training_seconds
from recam_core.views.colours import blend, class_colours, muted
from recam_core.views.pictures import thumbnail


@dataclass(frozen=True)
class ToTry:
    """What is to be tried.

    Attributes:
        data: specification of the pictures.
        run, route: what makes the maps, and what is made of them; None for a network, of which one step is timed.
        boundaries: for ways that walk.
        learnt: settings of boundaries that are to be learnt; its thresholds do not matter.
        network: settings of a segmentation network.
    """

    data: str
    run: Path | None = None
    route: Route | None = None
    boundaries: Path | None = None
    learnt: BoundaryRecipe | None = None
    network: SegmentRecipe | None = None


@dataclass
class TrialJob(Job):
    """Trying it; ``seconds`` is what all of it will take, and ``trial`` what was seen, once the state is ``DONE``."""

    asked: ToTry
    seconds: float = field(default=0.0, kw_only=True)
    trial: Trial | None = field(default=None, kw_only=True)


def trial_of(asked: ToTry) -> TrialJob | None:
    """Draw the button that tries it, and what came out; None until something has."""
    job = board().find(st.session_state.get("masks_jobs_trial", ""))
    if not isinstance(job, TrialJob) or job.asked != asked:
        what = f"{COUNT} pictures" if asked.run is not None else "a step"
        if st.button(
            f"Try {what} first", icon=":material/timer:", key="masks_jobs_try",
            help="It tells what all will cost on this machine, as busy as it is.",
        ):  # fmt: skip
            st.session_state["masks_jobs_trial"] = board().start(TrialJob(asked), _try).id
            st.rerun()
        return None
    return job if job_state(job, "masks_jobs_trial_cancel") else None


def _try(job: TrialJob) -> None:
    asked = job.asked
    refuse_much_drawing(asked.data)
    dataset = open_dataset(asked.data)
    if asked.network is not None:
        job.begin("Timing a step")
        job.seconds = training_seconds(asked.network, labels_of(dataset.classes), device())
    elif asked.run is not None and asked.route is not None:
        job.begin("Loading")
        _try_pictures(job, load_run(asked.run, device()), dataset, asked.route)


def _try_pictures(job: TrialJob, run: Run, dataset: Dataset, route: Route) -> None:
    asked = job.asked
    heads = load_boundaries(asked.boundaries, run) if asked.boundaries is not None else None
    settings = MapSettings(softmax=run.info.method == "sce")
    job.begin("Trying pictures")
    trial = try_pictures(run, dataset, run.info.rule, route, settings, heads, job.progress)
    job.seconds = trial.seconds * trial.pictures
    if asked.learnt is not None:
        job.begin("Timing a step")
        job.seconds += learning_seconds(run, asked.learnt, trial)
    job.trial = trial


def cost_words(job: TrialJob) -> str:
    """What all of it will take."""
    words = f"About **{duration(job.seconds)}** on this machine, as busy as it was just now"
    return f"{words}, for {job.trial.pictures:,} pictures." if job.trial is not None else f"{words}."


# What thresholds select -----------------------------------------------------------------------------------------------

#: Pictures that are shown, and their side in pixels.
_SHOWN, _SIDE = 4, 176


def selected(trial: Trial, foreground: float, background: float, names: Sequence[str]) -> None:
    """Show what is confidently a class, background, or neither, on the pictures that were tried."""
    labels = trial.labels(foreground, background)
    of_class, of_background, unsure = shares(labels)
    background_words = f"**{of_background:.1%}** background, " if trial.has_background else ""
    st.markdown(
        f"Of the pixels of {len(labels)} pictures **{of_class:.1%}** are surely a class, {background_words}and "
        f"**{unsure:.1%}** {'neither' if trial.has_background else 'are not'}."
    )
    if of_class == 0 or (trial.has_background and of_background == 0):
        missing = "a class" if of_class == 0 else "background"
        st.warning(f"Nothing here is confidently {missing}: boundaries cannot be learnt from that.")
    with st.container(horizontal=True, key="masks_jobs_selected"):
        for id, image, label in list(zip(trial.ids, trial.images, labels, strict=True))[:_SHOWN]:
            found = [names[value - 1] for value in np.unique(label) if 0 < value != VOID]
            words = ", ".join(found) or "no class"
            st.image(painted(image, label, len(names)), caption=f"{plain(id)}: {plain(words)}", width=_SIDE)
    dark = " Dark: background." if trial.has_background else ""
    st.caption(f"Coloured: surely a class.{dark} Grey: not sure, and nothing is learnt from it.")


def painted(image: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """A small square of a picture under its confident labels: classes in their colours, unsure pixels quiet."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[: classes + 1] = class_colours(classes)
    shown = np.where((label == VOID)[:, :, None], muted(image), blend(image, colours[label], 0.6))
    return thumbnail(shown, _SIDE)
