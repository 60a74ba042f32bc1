"""Maps of a whole data set: one pass through the network, read off by any number of extraction rules."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from recam_core.checkpoint.run_folder import RunInfo
from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.inference import QUICK_SCALES, maps_from_features, picture_features, predicted_classes
from recam_core.maps.store import StoreInfo
from recam_core.method.extraction import map_weights
from recam_core.model.network import CamNetwork

#: Which classes get maps: those of the image-level label, or those that the network sees itself.
LABELS = ("truth", "predicted")
#: Pictures that are read ahead while the network works.
READ_AHEAD = 4


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
        # A threshold chosen for one rule says nothing about another.
        threshold=info.threshold if rule == info.rule else None,
    )


def maps_of_dataset(
    network: CamNetwork, dataset: Dataset, rules: Sequence[str], settings: MapSettings, limit: int | None = None
) -> Iterator[tuple[Sample, dict[str, ActivationMaps]]]:
    """Yield each picture with its maps by each rule, in the order of the data set.

    Args:
        network: in evaluation mode; its device is used.
        dataset: the pictures.
        rules: names of extraction rules (method.md, eq. 7).
        settings: how maps are made.
        limit: only the first so many pictures; None for all.

    Raises:
        UserError: unknown rule, a rule without its FC2, unknown labels, a broken picture.
    """
    if settings.labels not in LABELS:
        raise UserError(f"Labels are {' or '.join(LABELS)}, not {settings.labels!r}.")
    with torch.inference_mode():
        weights = {rule: map_weights(rule, network.fc1, network.fc2) for rule in rules}
    count = len(dataset) if limit is None else min(limit, len(dataset))
    for sample in _read_ahead(dataset, count):
        features = picture_features(network, sample.image, settings.scales, settings.mirror)
        if settings.labels == "truth":
            classes = np.flatnonzero(sample.labels)
        else:
            classes = predicted_classes(features, settings.softmax)
        yield (
            sample,
            {rule: maps_from_features(features, weight, classes, sample.id) for rule, weight in weights.items()},
        )


def _read_ahead(dataset: Dataset, count: int) -> Iterator[Sample]:
    """The first ``count`` pictures; a thread decodes the next ones meanwhile (one, as loaders need not be shared)."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        waiting: deque[Future[Sample]] = deque()
        try:
            for index in range(count):
                waiting.append(reader.submit(dataset.load, index))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
