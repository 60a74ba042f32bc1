"""The command lines that do what the page does."""

import shlex
from pathlib import Path

from app.lab.asked import Asked
from app.lab.bench import Bench
from recam_core.checkpoint.places import ROOT, runs_folder
from recam_core.experiments.protocol import protocol_for
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.named_run import retrain_command


def experiment_command(bench: Bench, kind: str, asked: Asked) -> str:
    """The experiment again."""
    words = ["python", "-m", "recam_core", "experiment", kind, str(_as_typed(bench.entry.path)), "--data", bench.data]
    if bench.protocol != protocol_for(bench.data):
        words += ["--report", bench.protocol.report]
    words += ["--exact"] if bench.exact else []
    return shlex.join([*words, *asked.words])


def head_command(bench: Bench, recipe: HeadRecipe, name: str) -> str:
    """One of its heads as a run."""
    return retrain_command(_as_typed(bench.entry.path), bench.protocol.fit, _as_typed(runs_folder() / name), recipe)


def _as_typed(path: Path) -> Path:
    """A path as one types it in the project's folder."""
    path = path.absolute()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
