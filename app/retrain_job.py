"""Retraining FC1 and FC2 as a job in the background."""

from collections import deque
from dataclasses import dataclass

import streamlit as st

from app.catalogue import Entry
from app.datasets import dataset
from app.jobs import Job, board
from app.models import device
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset, parse_spec
from recam_core.guest import is_own
from recam_core.method.extraction import map_weights
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.features_apart import features_apart
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import HeadResult, retrain_heads
from recam_core.scores.thresholds import choose_threshold

_STEPS = ("Computing features", "Training", "Choosing the threshold")


@dataclass
class RetrainJob(Job):
    """One retraining.

    Attributes:
        entry: the run whose backbone and FC1 it starts from.
        data: specification of the training pictures.
        recipe: the settings.
        result, threshold: what came out, once the state is ``DONE``.
        kept_as: the name of the run that it was kept as.
    """

    entry: Entry
    data: str
    recipe: HeadRecipe
    result: HeadResult | None = None
    threshold: float | None = None
    kept_as: str = ""


@st.cache_resource(show_spinner=False)
def _asked() -> deque[tuple[str, str]]:
    """(weights, data) whose features were seen to be in the cache: no process need look again."""
    return deque(maxlen=100)


def start_retraining(entry: Entry, data: str, recipe: HeadRecipe) -> RetrainJob:
    """Put a retraining to work."""
    return board().start(RetrainJob(entry, data, recipe), _retrain)


def _retrain(job: RetrainJob) -> None:
    """The work of one job, on a network of its own: the panes go on using the shared one meanwhile."""
    job.begin(_STEPS[0])
    # Drawn pictures are shared with the pages, so that their labels are found once; files may have changed.
    pictures = dataset(job.data) if parse_spec(job.data).kind == "scenes" else open_dataset(job.data)
    asked = (job.entry.info.weights_sha256, job.data)
    # What a guest uploaded is known, and kept, for them alone: another process sees nothing of it.
    if device().type == "cpu" and asked not in _asked() and not is_own(job.data):
        # Minutes of Python's lock, which the pages of all visitors would wait for.
        features_apart(job.entry.path, job.data, job.progress)
        _asked().append(asked)
    run = load_run(job.entry.path, device())
    cache = build_feature_cache(run, pictures, job.progress)
    job.begin(_STEPS[1])
    result = retrain_heads(cache, run, job.recipe, job.progress)
    job.begin(_STEPS[2])
    weight = map_weights(result.recipe.rule, result.fc1, result.fc2).to(run.network.device)
    job.threshold = choose_threshold(run.network, weight, pictures, job.progress)
    job.result = result
