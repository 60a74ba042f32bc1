"""Attribution maps of a whole data set, as a store that is read like any other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from recam_core import ranks
from recam_core.attribution.classifier import ForeignClassifier
from recam_core.attribution.maps import Against, attribution_maps, attribution_views
from recam_core.attribution.subject import AttributionSettings
from recam_core.attribution.table import METHODS, method_of
from recam_core.checkpoint.run_folder import Run, RunInfo, check_run_rule
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import ClassList, Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.store import StoreInfo, writing_store
from recam_core.method.extraction import RULES
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
        self, image: np.ndarray, classes: Sequence[int] | np.ndarray, id: str = "", progress: ProgressFn = silent
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


def read_rule(rule: str, classes: Sequence[str]) -> tuple[str, str, int | None] | None:
    """(method, head, other class) that such a name stands for; None for the name of an extraction rule.

    Raises:
        UserError: it names a method, and a class that is none of these.
    """
    method, dash, rest = rule.partition("-")
    if method not in METHODS or not dash:
        return None
    head, _, other = rest.partition("-against-")
    if other and other not in classes:
        raise UserError(f"The maps '{rule}' are against a class {other!r}, which the network does not know.")
    return method, head, classes.index(other) if other else None


def check_attribution(info: RunInfo, rule: str) -> str:
    """The name of attributions, such as ``grad_cam-fc2``, if a run can be asked so.

    Raises:
        UserError: unknown, or it needs FC2 or its background row where the run has none.
    """
    return check_asked(rule, info.classes, lambda head: check_run_rule(info, head))


def check_asked(rule: str, classes: Sequence[str], check_head: Callable[[str], object]) -> str:
    """:func:`check_attribution` of a network that need not be there yet.

    Args:
        rule: a name such as ``grad_cam-fc2``.
        classes: that the network knows.
        check_head: raises UserError for an extraction rule that the network cannot be read by.
    """
    named = read_rule(rule, classes)
    if named is None:
        raise UserError(
            f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}, or an attribution method "
            f"with a head, such as grad_cam-fc1 (methods: {', '.join(METHODS)})."
        )
    check_head(named[1])
    if not RULES[named[1]].makes_weights:
        raise UserError(f"The rule '{named[1]}' makes no class weights but probabilities; attributions need weights.")
    return rule


def attributed_run(run: Run, rule: str) -> Attributed | None:
    """A run as a name such as ``grad_cam-fc2`` asks it; None for the name of an extraction rule."""
    named = read_rule(rule, run.info.classes)
    if named is None:
        return None
    method, head, against = named
    classes = tuple(run.info.classes)
    return Attributed(run.network, run.info.name, run.info.weights_sha256, classes, method, head, against)


def views_of_rule(rule: str, classes: Sequence[str]) -> tuple[tuple[float, ...], bool] | None:
    """(scales, mirror) that maps of such a name are summed over; None for the name of an extraction rule."""
    named = read_rule(rule, classes)
    return None if named is None else attribution_views(named[0])


def attributions_of_dataset(
    attributed: Attributed,
    dataset: Dataset,
    progress: ProgressFn = silent,
    limit: int | None = None,
    indices: Sequence[int] | None = None,
) -> Iterator[tuple[Sample, ActivationMaps]]:
    """Each picture (under ``torchrun``, of this rank's share) with the maps of the classes that it shows.

    Classes have the numbers of the data set. Those that are held against another one leave that one out; classes that
    the network does not know get no map.

    Args:
        attributed: who, and how.
        dataset: the pictures.
        progress: called after each picture, with a note after each pass; may raise Cancelled.
        limit: only the first so many pictures; None for all.
        indices: which of them; None for those of this rank's share.

    Raises:
        UserError: no class in common, a method that the network does not allow, or a broken picture.
    """
    of_sample = attributions_by(attributed, dataset)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    work, within = with_pauses(progress)
    for index in ranks.share(range(count)) if indices is None else indices:
        work(index, count, "")
        sample = dataset.load(index)
        yield sample, of_sample(sample, within)
    work(count, count, "")


def attributions_of_run(run: Run, rule: str, dataset: Dataset) -> Callable[[Sample], ActivationMaps]:
    """What makes the maps of a picture of a data set by a name such as ``grad_cam-fc2``, of a run that was checked
    (:func:`check_attribution`). Raises UserError where they have no class in common."""
    attributed = attributed_run(run, rule)
    assert attributed is not None
    return partial(attributions_by(attributed, dataset), progress=silent)


def attributions_by(attributed: Attributed, dataset: Dataset) -> Callable[..., ActivationMaps]:
    """What makes the maps of a sample of a data set, and tells its ``progress`` of each pass; see
    :func:`attributions_of_dataset`."""
    match = match_classes(dataset.classes, ClassList(attributed.classes, dataset.classes.has_background))
    if not match.shared:
        raise UserError(
            f"{attributed.name} knows none of the classes of {dataset.spec}; they are matched by name "
            f"({', '.join(dataset.classes.names[:3])}, ...)."
        )

    def made(sample: Sample, progress: ProgressFn) -> ActivationMaps:
        known = np.flatnonzero(sample.labels & (match.index >= 0))
        if isinstance(attributed.against, int):
            known = known[match.index[known] != attributed.against]
        maps = attributed.maps(sample.image, match.index[known], sample.id, progress)
        # Back to the numbers of the data set, which may be in another order.
        places = {int(match.index[k]): int(k) for k in known}
        named = np.array([places[int(k)] for k in maps.classes], dtype=np.int64)
        order = np.argsort(named)
        return ActivationMaps(sample.id, maps.size, named[order], maps.activations[order])

    return made


def write_attributions(
    path: str | Path, attributed: Attributed, dataset: Dataset, progress: ProgressFn = silent, limit: int | None = None
) -> int:
    """Write the maps of a data set, whole or not at all; arguments as :func:`attributions_of_dataset`.

    Returns:
        The number of pictures.

    Raises:
        UserError: as there, or a path that cannot be written to.
    """
    scales, mirror = attribution_views(attributed.method, attributed.settings, attributed.network)
    info = StoreInfo(
        run=attributed.name,
        weights_sha256=attributed.weights,
        rule=attributed.rule,
        data=dataset.spec,
        classes=dataset.classes.names,
        has_background=dataset.classes.has_background,
        scales=scales,
        mirror=mirror,
        labels="truth",
    )
    count = 0
    with writing_store(path, info) as writer:
        for _, maps in attributions_of_dataset(attributed, dataset, progress, limit):
            writer.add(maps)
            count += 1
    return count
