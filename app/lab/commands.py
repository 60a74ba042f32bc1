"""The command lines that do what the page does."""

import shlex

from app.lab.asked import Asked
from app.lab.bench import Bench
from recam_core.experiments.protocol import protocol_for
from recam_core.folders import runs_folder
from recam_core.guest import as_typed_spec
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.named_run import retrain_command
from recam_core.typed_path import as_typed


def experiment_command(bench: Bench, kind: str, asked: Asked) -> str:
    """The experiment again."""
    words = ["python", "-m", "recam_core", "experiment", kind, str(as_typed(bench.entry.path))]
    words += ["--data", as_typed_spec(bench.data)]
    if bench.protocol != protocol_for(bench.data):
        words += ["--report", as_typed_spec(bench.protocol.report)]
    words += ["--exact"] if bench.exact else []
    return shlex.join([*words, *asked.words])


def head_command(bench: Bench, recipe: HeadRecipe, name: str) -> str:
    """One of its heads as a run."""
    return retrain_command(as_typed(bench.entry.path), bench.protocol.fit, as_typed(runs_folder() / name), recipe)
