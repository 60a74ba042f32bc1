"""The pieces of work behind the paper's tables: train a network, score it, or train and score heads on its features.

Each is a plain value that another process can carry out. Scores are kept in a file named after all that decides them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.data.check import refuse_unscorable
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.device import pick_device
from recam_core.errors import UserError
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.head_scores import count_exact
from recam_core.experiments.lab import maps_weight
from recam_core.maps.dataset_maps import MapSettings
from recam_core.method.extraction import map_weights
from recam_core.records import RecordError, read_record
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.heads import retrain_many
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import score, sweep
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe

#: Figures of a row on each data set that is reported: specification -> name of :data:`FIGURES` (or threshold) -> value.
Figures = dict[str, dict[str, float | None]]
#: Bump when scores would come out otherwise, so that kept ones are not read.
FORMAT = 1


@dataclass(frozen=True)
class TrainWork:
    """A full training; one that is there already, or was cut off, is taken as it is or gone on with.

    Attributes:
        recipe: every setting.
        data: the training pictures.
        init: folder of the run to start from, or "".
        out: folder of the new run.
        device, threads: see :class:`ScoreWork`.
    """

    recipe: Recipe
    data: str
    init: str
    out: str
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class ScoreWork:
    """The scores of a run, read by rules; or of heads trained on its features.

    Attributes:
        run: folder of the run.
        rows: key of the row -> rule to read the run by, or recipe of the heads.
        fit: what heads are trained on.
        select: where background thresholds are chosen; "" for data without a background class.
        reports: where figures are reported.
        kept: folder of the scores.
        device: see :func:`recam_core.device.pick_device`.
        threads: of the processor, 0 for torch's own choice.
    """

    run: str
    rows: tuple[tuple[str, str | HeadRecipe], ...]
    fit: str
    select: str
    reports: tuple[str, ...]
    kept: str
    device: str = "auto"
    threads: int = 0


def train_one(work: TrainWork) -> None:
    """Carry out a training.

    Raises:
        UserError: see :func:`recam_core.train.loop.train`.
    """
    if work.threads:
        torch.set_num_threads(work.threads)
    init = load_run(work.init) if work.init else None
    train(work.recipe, open_dataset(work.data), work.out, init=init, device=pick_device(work.device))


def score_one(work: ScoreWork) -> dict[str, Figures]:
    """The figures of each row, from the kept files where all that decides them is the same.

    All pixels are scored, at the usual scales with mirror images. One pass through the backbone serves all rows.

    Raises:
        UserError: data that cannot be used.
    """
    if work.threads:
        torch.set_num_threads(work.threads)
    specs = [work.select, *work.reports] if work.select else list(work.reports)
    datasets = {spec: open_dataset(spec) for spec in dict.fromkeys(specs)}
    for dataset in datasets.values():
        if not dataset.has_masks:
            raise UserError(f"{dataset.spec} has no ground-truth masks, so nothing can be scored on it.")
        refuse_unscorable(dataset)
    files = {key: Path(work.kept) / f"{_name(work, key, how, datasets)}.json" for key, how in work.rows}
    found = {key: kept for key, file in files.items() if (kept := _read(file)) is not None}
    missing = [(key, how) for key, how in work.rows if key not in found]
    if missing:
        for key, figures in _measure(work, missing, datasets).items():
            write_json(files[key], figures)
            found[key] = figures
    return found


def _measure(
    work: ScoreWork, rows: list[tuple[str, str | HeadRecipe]], datasets: dict[str, Dataset]
) -> dict[str, Figures]:
    run = load_run(work.run, pick_device(work.device))
    recipes = [how for _, how in rows if isinstance(how, HeadRecipe)]
    heads = iter(retrain_many(build_feature_cache(run, open_dataset(work.fit)), run, recipes) if recipes else ())
    network = run.network
    with torch.inference_mode():
        weights = [
            maps_weight(next(heads)).to(network.device)
            if isinstance(how, HeadRecipe)
            else map_weights(how, network.fc1, network.fc2).map(Tensor.float)
            for _, how in rows
        ]
    counts = {spec: count_exact(network, dataset, weights) for spec, dataset in datasets.items()}
    found = {}
    for place, (key, _) in enumerate(rows):
        threshold = sweep(counts[work.select][place].total()).best().threshold if work.select else None
        found[key] = {spec: _figures(counts[spec][place], threshold) for spec in work.reports}
    return found


def _figures(counts: PixelCounts, threshold: float | None) -> dict[str, float | None]:
    has_background = counts.classes.has_background
    confusion = score(counts.total(), threshold, has_background).confusion
    values = {name: float(figure(confusion, has_background)) for name, (figure, _, _) in FIGURES.items()}
    return {**values, "threshold": threshold, "pictures": len(counts)}


def _name(work: ScoreWork, key: str, how: str | HeadRecipe, datasets: dict[str, Dataset]) -> str:
    parts: list[Any] = [
        FORMAT,
        read_info(work.run).weights_sha256,
        how if isinstance(how, str) else completed(how).to_json(),
        work.fit if isinstance(how, HeadRecipe) else "",
        work.select,
        [[spec, dataset_digest(datasets[spec])] for spec in datasets],
        list(MapSettings().scales),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in key) + f"-{digest}"


def _read(file: Path) -> Figures | None:
    """What was kept, or None where there is nothing that can be read."""
    try:
        return read_record(file)
    except RecordError:
        return None
