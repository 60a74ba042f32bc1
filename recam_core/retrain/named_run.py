"""Keeping retrained classifiers as a run with a name."""

import shlex
from dataclasses import asdict
from itertools import count
from pathlib import Path

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, Run, RunInfo
from recam_core.errors import UserError
from recam_core.guest import as_typed_spec
from recam_core.guest_room import room_for
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.heads import HeadResult, save_heads
from recam_core.setting import options
from recam_core.typed_path import RULE, is_plain_name


def check_run_name(name: str, folder: str | Path) -> str:
    """The name, stripped, if a new run of that name can be made in ``folder``.

    Raises:
        UserError: the name is empty, too long, not fit for a folder, or taken.
    """
    name = name.strip()
    if not name:
        raise UserError("Give the run a name.")
    if not is_plain_name(name):
        raise UserError(f"'{name}' cannot be the name of a run: {RULE}.")
    if (Path(folder) / name).exists():
        raise UserError(f"There is a run named '{name}' already; choose another name.")
    return name


def free_run_name(stem: str, folder: str | Path) -> str:
    """``stem``, or the first of ``stem-2``, ``stem-3``, ... that no run in ``folder`` has.

    Args:
        stem: itself fit for a name; see :func:`check_run_name`.
        folder: of runs; it need not exist.
    """
    tried = (stem if n == 1 else f"{stem}-{n}" for n in count(1))
    return next(name for name in tried if not (Path(folder) / name).exists())


def retrain_command(
    source: str | Path, data: str, out: str | Path, recipe: HeadRecipe, choose_threshold: bool = False
) -> str:
    """The command line that makes the same run again, with its background threshold if one is chosen for it."""
    recipe = completed(recipe)
    words = ["python", "-m", "recam_core", "retrain", str(source)]
    words += ["--data", as_typed_spec(data), "--out", str(out)]
    always = {"mask", "rule", "update", "epochs", "lr", "weight_decay", "batch_size", "background", "seed"}
    # With FC2 alone it does nothing, see check_lambda.
    words += options(recipe, HeadRecipe(), always | ({"weight"} if recipe.update == "both" else set()))
    return shlex.join([*words, "--choose-threshold"] if choose_threshold else words)


def keep_heads(
    folder: str | Path, name: str, run: Run, data: str, result: HeadResult, threshold: float | None, command: str
) -> RunInfo:
    """Write a run folder ``folder/name``, whole or not at all.

    Args:
        folder: of runs; made if need be.
        name: of the new run.
        run: whose backbone the classifiers belong to.
        data: specification of the training data.
        result: the classifiers.
        threshold: the background threshold that was chosen for them, or None.
        command: the command line that makes the run again.

    Raises:
        UserError: the name cannot be used, or the folder cannot be written to.
    """
    name = check_run_name(name, folder)
    size = sum(weight.nbytes for weight in run.network.state_dict().values())
    with room_for(size, files=3), replacing_folder(Path(folder) / name, fresh=True) as temporary:
        info = save_heads(temporary, run, data, result)
        info.name, info.threshold, info.command = name, threshold, command
        write_json(temporary / INFO_FILE, asdict(info))
        write_json(temporary / METRICS_FILE, result.history)
    return info
