"""Maps of a whole data set: one pass through the network, read off by any number of extraction rules."""

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader

from recam_core import ranks
from recam_core.checkpoint.run_folder import RunInfo
from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.inference import (
    QUICK_SCALES,
    PictureFeatures,
    batch_features,
    check_scales,
    maps_from_features,
    predicted_classes,
)
from recam_core.maps.store import StoreInfo
from recam_core.memory import trim_kept_blocks
from recam_core.method.extraction import MapWeights, map_weights
from recam_core.model.network import CamNetwork

Made = TypeVar("Made")
Key = TypeVar("Key")
#: Which classes get maps: those of the image-level label, or those that the network sees itself.
LABELS = ("truth", "predicted")
#: Pictures that are read ahead while the network works.
READ_AHEAD = 4
#: On a GPU: pixels of all views of the pictures that pass the network at once (16 views of 512 x 512), and how many
#: pictures are read ahead, so that those of one size can be found among them.
BATCH_PIXELS, WINDOW = 1 << 22, 32


@dataclass(frozen=True)
class MapSettings:
    """How maps are made.

    Attributes:
        scales: factors by which the picture is resized.
        mirror: whether mirror images are added.
        labels: one of :data:`LABELS`.
        softmax: whether "predicted" compares classes by softmax, as fits a network trained with SCE.
    """

    scales: tuple[float, ...] = QUICK_SCALES
    mirror: bool = True
    labels: str = "truth"
    softmax: bool = False


def store_info(info: RunInfo, rule: str, dataset: Dataset, settings: MapSettings) -> StoreInfo:
    """What a store of these maps says about itself."""
    return StoreInfo(
        run=info.name,
        weights_sha256=info.weights_sha256,
        rule=rule,
        data=dataset.spec,
        classes=dataset.classes.names,
        has_background=dataset.classes.has_background,
        scales=settings.scales,
        mirror=settings.mirror,
        labels=settings.labels,
        threshold=info.threshold_of(rule),
    )


def maps_of_dataset(
    network: CamNetwork, dataset: Dataset, rules: Sequence[str], settings: MapSettings, limit: int | None = None
) -> Iterator[tuple[Sample, dict[str, ActivationMaps]]]:
    """Yield each picture with its maps by each rule, in the order of the data set; under ``torchrun``, those of this
    rank's share, which :func:`recam_core.ranks.in_order` puts together.

    Args:
        network: in evaluation mode; its device is used.
        dataset: the pictures.
        rules: names of extraction rules (equation 7).
        settings: how maps are made.
        limit: only the first so many pictures; None for all.

    Raises:
        UserError: unknown rule, a rule without its FC2, unknown labels, a broken picture.
    """
    with torch.inference_mode():
        weights = {rule: map_weights(rule, network.fc1, network.fc2) for rule in rules}
    count = len(dataset) if limit is None else min(limit, len(dataset))
    yield from maps_by_weights(network, dataset, weights, settings, ranks.share(range(count)))


def maps_by_weights(
    network: CamNetwork,
    dataset: Dataset,
    weights: Mapping[Key, MapWeights],
    settings: MapSettings,
    indices: Sequence[int],
) -> Iterator[tuple[Sample, dict[Key, ActivationMaps]]]:
    """:func:`maps_of_dataset` by weights of any origin, such as the classifiers of several runs on one backbone.

    Args:
        network: gives the features and, where ``settings`` ask for them, the predicted classes.
        dataset: the pictures.
        weights: what extraction rules made of classifiers, by any key.
        settings: how maps are made.
        indices: which pictures.

    Raises:
        UserError: unknown labels, a broken picture.
    """
    if settings.labels not in LABELS:
        raise UserError(f"Labels are {' or '.join(LABELS)}, not {settings.labels!r}.")

    def maps(sample: Sample, features: PictureFeatures) -> dict[Key, ActivationMaps]:
        if settings.labels == "truth":
            classes = np.flatnonzero(sample.labels)
        else:
            classes = predicted_classes(features, settings.softmax)
        return {key: maps_from_features(features, weight, classes, sample.id) for key, weight in weights.items()}

    yield from each_picture(network, dataset, maps, settings.scales, settings.mirror, indices)


def kept_or_made(
    network: CamNetwork,
    dataset: Dataset,
    rule: str,
    settings: MapSettings,
    limit: int | None = None,
    kept: Mapping[str, ActivationMaps] | None = None,
) -> Iterator[tuple[Sample, ActivationMaps]]:
    """:func:`maps_of_dataset` by one rule: the maps that are kept, and of the other pictures new ones.

    Args:
        network, dataset, rule, settings, limit: see :func:`maps_of_dataset`.
        kept: maps by picture id, made by this network, rule and settings (see :func:`recam_core.maps.kept.kept_maps`).

    Raises:
        UserError: see :func:`maps_of_dataset`; or kept maps of a picture of another size.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    with torch.inference_mode():
        weights = {rule: map_weights(rule, network.fc1, network.fc2)}

    def made(missing: list[int]) -> Iterator[tuple[Sample, ActivationMaps]]:
        for sample, by_rule in maps_by_weights(network, dataset, weights, settings, missing):
            yield sample, by_rule[rule]

    yield from with_kept(dataset, ranks.share(range(count)), {} if kept is None else kept, made)


def with_kept(
    dataset: Dataset,
    indices: Sequence[int],
    kept: Mapping[str, ActivationMaps],
    make: Callable[[list[int]], Iterator[tuple[Sample, ActivationMaps]]],
) -> Iterator[tuple[Sample, ActivationMaps]]:
    """Pictures with maps that are kept, and those of the others as they are made, in order.

    Args:
        dataset: the pictures.
        indices: which of them.
        kept: maps by picture id.
        make: makes the maps of pictures, in their order.

    Raises:
        UserError: kept maps of a picture of another size.
    """
    made = make([index for index in indices if dataset.ids[index] not in kept])
    read = read_ahead(dataset, [index for index in indices if dataset.ids[index] in kept], READ_AHEAD)
    for index in indices:
        if dataset.ids[index] not in kept:
            yield next(made)
            continue
        sample, maps = next(read), kept[dataset.ids[index]]
        if maps.size != sample.image.shape[:2]:
            raise UserError(f"The maps of {sample.id} that are kept are of a picture of another size: make them again.")
        yield sample, maps


def each_picture(
    network: CamNetwork,
    dataset: Dataset,
    work: Callable[[Sample, PictureFeatures], Made],
    scales: Sequence[float] = QUICK_SCALES,
    mirror: bool = True,
    indices: Sequence[int] | None = None,
    at_once: int | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Sample, Made]]:
    """Yield pictures, in their order, with what ``work`` makes of their features; the next ones are read meanwhile.

    A CPU takes one after the other. A GPU takes several of one size at once; their features are dropped when ``work``
    is done with them, so it should make something small.

    Args:
        network: in evaluation mode; its device is used.
        dataset: the pictures.
        work: called with each picture and its features.
        scales, mirror: see :func:`recam_core.maps.inference.picture_features`.
        indices: which pictures; None for all.
        at_once: how many at the most; what suits the device unless given.
        workers: processes that read pictures; 0 is a thread of this one. Unless given, processes feed a GPU, which is
            faster than any thread reads or draws, but never from a thread of a server: forking it is not safe.

    Raises:
        UserError: scales out of range, or a broken picture.
    """
    check_scales(scales)
    alone = network.device.type == "cpu" if at_once is None else at_once == 1
    window = 1 if alone else WINDOW
    if workers is None:
        forks = not alone and threading.current_thread() is threading.main_thread()
        workers = min(8, (os.cpu_count() or 1) - 1) if forks else 0
    indices = range(len(dataset)) if indices is None else indices
    samples = (
        _read_apart(dataset, indices, workers)
        if workers
        else read_ahead(dataset, indices, READ_AHEAD if alone else WINDOW)
    )
    views = (1 + mirror) * max(scale**2 for scale in scales)
    while some := list(itertools.islice(samples, window)):
        sizes: dict[tuple[int, ...], list[int]] = {}
        for place, sample in enumerate(some):
            sizes.setdefault(sample.image.shape, []).append(place)
        made: dict[int, Made] = {}
        for (height, width, *_), places in sizes.items():
            size = at_once or max(int(BATCH_PIXELS / (height * width * views)), 1)
            for first in range(0, len(places), size):
                part = places[first : first + size]
                images = np.stack([some[place].image for place in part])
                for place, features in zip(part, batch_features(network, images, scales, mirror), strict=True):
                    made[place] = work(some[place], features)
        for place, sample in enumerate(some):
            yield sample, made.pop(place)
        trim_kept_blocks()


def read_ahead(dataset: Dataset, indices: Sequence[int], ahead: int = READ_AHEAD) -> Iterator[Sample]:
    """The pictures; a thread decodes the next ones meanwhile (one, as loaders need not be shared)."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        waiting: deque[Future[Sample]] = deque()
        try:
            for index in indices:
                waiting.append(reader.submit(dataset.load, index))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Pictures(torch.utils.data.Dataset):
    """Pictures of a data set as torch's loader asks for them; what is wrong with one travels as it is."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> Sample | UserError:
        try:
            return self.dataset.load(self.indices[place])
        except UserError as error:
            return error


def _untouched(found: Any) -> Any:
    return found


def _read_apart(dataset: Dataset, indices: Sequence[int], workers: int) -> Iterator[Sample]:
    """The pictures, read by processes."""
    pictures = _Pictures(dataset, indices)
    workers = min(workers, max(len(pictures), 1))
    loader = DataLoader(pictures, batch_size=None, num_workers=workers, prefetch_factor=8, collate_fn=_untouched)
    for found in loader:
        if isinstance(found, UserError):
            raise found
        yield found
