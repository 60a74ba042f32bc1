"""Making a run again from its record: the same recipe, the same pictures, the same start."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.typed_path import as_typed
from recam_core.checkpoint.run_folder import (
    INFO_FILE,
    METRICS_FILE,
    WEIGHTS_FILE,
    Run,
    RunInfo,
    load_run,
    read_info,
    versions,
)
from recam_core.data.sample import Dataset
from recam_core.data.recorded import recorded_data
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, on_bar, silent
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads, save_heads
from recam_core.retrain.named_run import retrain_command
from recam_core.runs.lineage import find_parent
from recam_core.runs.weights_header import is_half
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, from_json
from recam_core.train.recipe import train_command
from recam_core.typed_path import typed_path

#: Gives a progress function for a step that has a name.
Stages = Callable[[str], AbstractContextManager[ProgressFn]]


def _quiet(name: str) -> AbstractContextManager[ProgressFn]:
    return nullcontext(silent)


def repeat_run(
    path: str | Path,
    out: str | Path,
    *,
    data: str | Dataset | None = None,
    parent: str | Path | None = None,
    val: str | Dataset | None = None,
    weights: str | None = None,
    device: torch.device | str = "cpu",
    workers: int | None = None,
    stages: Stages = _quiet,
) -> RunInfo:
    """Train what a run was trained from, with its settings, into a new folder.

    On a CPU of the same kind, with the same versions and the same number of threads, the weights come out bit for bit;
    else, and on a GPU, they differ by rounding. The background threshold, which was chosen for this recipe, is carried over; scores are
    not: they are measured anew.

    Args:
        path: the run to make again.
        out: the new run's folder. A full training that was cut off goes on when it is called again.
        data: the same training pictures at another place (or opened already); as recorded by default.
        parent: the run that it started from, if that has moved.
        val: the pictures of the validation curve; as recorded by default.
        weights: the file of ImageNet weights, if they came from a file that has moved.
        device: where to train.
        workers: loader processes of a full training.
        stages: gives a progress function for each step.

    Returns:
        The record of the new run.

    Raises:
        UserError: a run that was not trained here, a parent or data that are gone, a folder with another run in it.
    """
    path, out = Path(path), Path(out)
    info = read_info(path)
    if (out / INFO_FILE).exists():
        raise UserError(f"{out} holds a run already; choose another folder or delete it.")
    start = Path(parent) if parent is not None else find_parent(info)
    task = _Task(path, info, out, start, data, val, weights, device, workers, stages)
    return _repeat_heads(task) if info.method == "heads" else _repeat_training(task)


def changed_versions(info: RunInfo) -> list[str]:
    """What a repetition here runs on other versions of than the run did, as ``torch 2.1 then, 2.2 now``."""
    now = versions()
    return [
        f"{name} {then} then, {now[name]} now"
        for name, then in info.versions.items()
        if name in now and name != "recam_core" and now[name] != then
    ]


def recorded_recipe(info: RunInfo, weights: str | None = None) -> Recipe:
    """The recipe of a training of a network, as the training takes it.

    Args:
        info: the record of a run that is none of retrained heads.
        weights: the file of ImageNet weights, if they came from one.

    Raises:
        UserError: the run was not trained here, or its record is of another version.
    """
    try:
        return from_json({**info.recipe, "method": info.method, "weights": weights or _source_of_weights(info)})
    except (TypeError, ValueError) as error:
        raise _no_recipe(info, error) from error


def recorded_heads(info: RunInfo) -> HeadRecipe:
    """The recipe of retrained heads. Raises UserError as :func:`recorded_recipe`."""
    known = {field.name for field in fields(HeadRecipe)}
    try:
        # What an older record does not name had the value that is the default now.
        return HeadRecipe(**{name: value for name, value in info.recipe.items() if name in known})
    except (TypeError, ValueError) as error:
        raise _no_recipe(info, error) from error


def _no_recipe(info: RunInfo, error: Exception) -> UserError:
    return UserError(
        f"The run {info.name} keeps no recipe of a training of this program, so it cannot be made again ({error})."
    )


def _source_of_weights(info: RunInfo) -> str:
    """Where ImageNet weights come from; those of the run that it starts from take their place."""
    if not isinstance(info.recipe.get("weights"), str):
        raise ValueError("the recipe does not say where its weights come from")
    if info.imagenet in ("", "none", "packaged", "download"):
        return info.imagenet or "auto"
    if (path := typed_path(info.imagenet)) is None or not path.is_file():
        raise UserError(
            f"The run {info.name} started from ImageNet weights in {info.imagenet}, which is not here; name the file "
            "with --weights."
        )
    return info.imagenet


def _open(data: str | Dataset | None, info: RunInfo) -> Dataset:
    """The training pictures: those that were given, or else those of the record."""
    if data is not None and not isinstance(data, str):
        return data
    if not data and not info.data:
        raise UserError(f"The run {info.name} does not say which pictures it was trained on; name them with --data.")
    try:
        dataset = open_dataset(data or recorded_data(info.data, info.class_list))
    except UserError as error:
        if data:
            raise
        raise UserError(f"The pictures of the run {info.name} are not here: {error} Name them with --data.") from error
    if list(dataset.classes.names) != info.classes:
        raise UserError(f"The classes of {dataset.spec} are not those of the run {info.name}.")
    return dataset


def _start(parent: Path, info: RunInfo, device: torch.device | str) -> Run:
    """The run that a run started from, checked to be it."""
    start = load_run(parent, device)
    if info.parent_sha256 and start.info.weights_sha256 != info.parent_sha256:
        raise UserError(f"{parent} has other weights than the run that {info.name} started from.")
    return start


def _repeat_heads(task: "_Task") -> RunInfo:
    info, out = task.info, task.out
    recipe = recorded_heads(info)
    if task.parent is None:
        raise UserError(f"The run {info.name} does not say which run it started from; give its folder.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already and is not empty; choose another folder.")
    source = _start(task.parent, info, task.device)
    dataset = _open(task.data, info)
    with task.stages("features") as progress:
        cache = build_feature_cache(source, dataset, progress)
    with task.stages("retrain") as progress:
        result = retrain_heads(cache, source, recipe, progress)
    with replacing_folder(out, fresh=True) as temporary:
        made = save_heads(temporary, source, dataset.spec, result, half=is_half(task.path / WEIGHTS_FILE))
        made.name, made.threshold = out.name, info.threshold
        made.command = retrain_command(
            as_typed(task.parent), dataset.spec, as_typed(out), recipe, info.threshold is not None
        )
        write_json(temporary / INFO_FILE, asdict(made))
        write_json(temporary / METRICS_FILE, result.history)
    return made


def _repeat_training(task: "_Task") -> RunInfo:
    info, out = task.info, task.out
    recipe, half = recorded_recipe(info, task.weights), is_half(task.path / WEIGHTS_FILE)
    init = None if task.parent is None else _start(task.parent, info, "cpu")
    dataset = _open(task.data, info)
    watched = task.val if task.val is not None else info.val and recorded_data(info.val, info.class_list)
    val = (open_dataset(watched) if watched else None) if isinstance(watched, str) else watched
    with task.stages(info.method) as bar:
        made = train(
            recipe,
            dataset,
            out,
            val=val,
            init=init,
            device=task.device,
            workers=task.workers,
            watch=on_bar(bar),
            half=half,
        )
    made.threshold = info.threshold
    made.command = train_command(
        recipe,
        data=dataset.spec,
        out=str(as_typed(out)),
        val=val.spec if val is not None else "",
        init=str(as_typed(task.parent)) if task.parent is not None else "",
        half=half,
    )
    write_json(out / INFO_FILE, asdict(made))
    return made


@dataclass(frozen=True)
class _Task:
    """What both ways of repeating a run are told; see :func:`repeat_run`."""

    path: Path
    info: RunInfo
    out: Path
    parent: Path | None
    data: str | Dataset | None
    val: str | Dataset | None
    weights: str | None
    device: torch.device | str
    workers: int | None
    stages: Stages
