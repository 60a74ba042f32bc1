"""Attribution maps of a whole data set, as a store that is read like any other."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recam_core.attribution.asked import AttributionSettings
from recam_core.attribution.classifier import ForeignClassifier
from recam_core.attribution.maps import Against, attribution_maps, attribution_views
from recam_core.attribution.table import method_of
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import MAX_CLASSES, ClassList, Dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.store import StoreInfo, writing_store
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn, silent, with_pauses


@dataclass(frozen=True)
class Attributed:
    """Who is asked, and how.

    Attributes:
        network: a run's, or a classifier from elsewhere.
        name: of the run or classifier, and
        weights: digest of its weights; both go into the store's record.
        classes: what it knows.
        method: a key of :data:`~recam_core.attribution.table.METHODS`.
        head: whose logits, see :func:`~recam_core.attribution.maps.attribution_maps`.
        against: the other class, by the network's numbers.
        settings: how.
    """

    network: CamNetwork | ForeignClassifier
    name: str
    weights: str
    classes: tuple[str, ...]
    method: str
    head: str = "fc1"
    against: Against = None
    settings: AttributionSettings = field(default_factory=AttributionSettings)

    @property
    def rule(self) -> str:
        """How its maps are called in records: ``grad_cam-fc2``, and ``-against-cow`` where that was asked."""
        against = f"-against-{self.classes[self.against]}" if isinstance(self.against, int) else ""
        return f"{method_of(self.method).key}-{self.head}{against}"

    def maps(
        self, image: np.ndarray, classes: np.ndarray, id: str = "", progress: ProgressFn = silent
    ) -> ActivationMaps:
        """Of one picture, of classes by the network's numbers."""
        return attribution_maps(
            self.network,
            image,
            classes,
            self.method,
            head=self.head,
            against=self.against,
            settings=self.settings,
            progress=progress,
            id=id,
        )


def write_attributions(
    path: str | Path,
    asked: Attributed,
    dataset: Dataset,
    progress: ProgressFn = silent,
    limit: int | None = None,
) -> int:
    """Make the maps of the classes that each picture shows, and write them whole or not at all.

    Classes that are held against another one leave that one out; classes that the network does not know get no map.

    Args:
        path: of the store.
        asked: who, and how.
        dataset: the pictures.
        progress: called after each pass; may raise Cancelled.
        limit: only the first so many pictures; None for all.

    Returns:
        The number of pictures.

    Raises:
        UserError: no class in common, too many for a store, a method that the network does not allow, a broken picture,
            or a path that cannot be written to.
    """
    if len(dataset.classes) > MAX_CLASSES:
        raise UserError(f"A store holds maps of at most {MAX_CLASSES} classes.")
    match = match_classes(dataset.classes, ClassList(asked.classes, dataset.classes.has_background))
    if not match.shared:
        raise UserError(
            f"{asked.name} knows none of the classes of {dataset.spec}; they are matched by name "
            f"({', '.join(dataset.classes.names[:3])}, ...)."
        )
    scales, mirror = attribution_views(asked.method, asked.settings, asked.network)
    info = StoreInfo(
        run=asked.name,
        weights_sha256=asked.weights,
        rule=asked.rule,
        data=dataset.spec,
        classes=dataset.classes.names,
        has_background=dataset.classes.has_background,
        scales=scales,
        mirror=mirror,
        labels="truth",
    )
    count = len(dataset) if limit is None else min(limit, len(dataset))
    work, within = with_pauses(progress)
    with writing_store(path, info) as writer:
        for index in range(count):
            work(index, count, "")
            sample = dataset.load(index)
            known = np.flatnonzero(sample.labels & (match.index >= 0))
            if isinstance(asked.against, int):
                known = known[match.index[known] != asked.against]
            maps = asked.maps(sample.image, match.index[known], sample.id, within)
            # Back to the numbers of the data set, which may be in another order.
            places = {int(match.index[k]): int(k) for k in known}
            named = np.array([places[int(k)] for k in maps.classes], dtype=np.int64)
            order = np.argsort(named)
            writer.add(ActivationMaps(sample.id, maps.size, named[order], maps.activations[order]))
        work(count, count, "")
    return count
