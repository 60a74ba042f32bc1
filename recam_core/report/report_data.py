"""All figures of a report, gathered from the analysis of some methods on one data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.confusions import ConfusedPair, class_order, top_pairs
from recam_core.analysis.gains import ClassGain, class_gain
from recam_core.analysis.head_to_head import PictureWins, picture_wins
from recam_core.analysis.outcomes import Outcomes, check_same_pictures, outcomes_of_all
from recam_core.analysis.picture_filter import PictureFilter
from recam_core.analysis.picture_table import PictureTable, picture_table, single_class_pictures
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.scores import Scores, sweep

#: Pairs in the plot of co-occurrence against confusion; of 80 classes there are 6,320, and the rest lie on its floor.
PLOTTED = 150


@dataclass(frozen=True)
class Cut:
    """The background threshold of a method, and where it comes from in words."""

    threshold: float | None
    origin: str

    def __str__(self) -> str:
        return "none" if self.threshold is None else f"{self.threshold:.2f}"


@dataclass(frozen=True, eq=False)
class ReportData:
    """What a report tells. Arrays are as the functions of ``analysis`` give them.

    Attributes:
        spec: of the data set.
        classes: its K classes.
        methods: at least one; differences are to the first.
        cuts: by method key.
        chosen: N bools, the pictures that count.
        single: N bools, of these, those of a single class and no background, which tell nothing.
        with_single: whether they stand in lists and means of pictures all the same.
        outcomes: by method key, of the chosen pictures.
        gain: IoU per class with intervals.
        pairs: the most confused ones, for a list.
        plotted: more of them, for the plot of co-occurrence against confusion.
        pictures: the table of all N pictures.
        resamples: draws behind each interval.
    """

    spec: str
    classes: ClassList
    methods: tuple[Analysed, ...]
    cuts: dict[str, Cut]
    chosen: np.ndarray
    single: np.ndarray
    with_single: bool
    outcomes: dict[str, Outcomes]
    gain: ClassGain
    pairs: tuple[ConfusedPair, ...]
    plotted: tuple[ConfusedPair, ...]
    pictures: PictureTable
    resamples: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the methods."""
        return tuple(self.cuts)

    @property
    def reference(self) -> Analysed:
        """The method that differences are to."""
        return self.methods[0]

    @property
    def subject(self) -> Analysed:
        """The method that the report looks at most closely: the last one."""
        return self.methods[-1]

    @property
    def listed(self) -> np.ndarray:
        """N bools: the pictures that lists and means of pictures are of."""
        return self.chosen if self.with_single else self.chosen & ~self.single

    @cached_property
    def wins(self) -> dict[str, PictureWins]:
        """By key: how it does picture by picture, against the first."""
        return picture_wins(self.pictures, self.listed)

    @cached_property
    def titles(self) -> dict[str, str]:
        """By key."""
        return {method.key: method.title for method in self.methods}

    @cached_property
    def confusions(self) -> dict[str, np.ndarray]:
        """By key: (K+1) x (K+1) pixels, rows ground truth."""
        return {key: outcomes.confusion() for key, outcomes in self.outcomes.items()}

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By key, at its threshold."""
        return {
            key: Scores(self.cuts[key].threshold, confusion, self.classes.has_background)
            for key, confusion in self.confusions.items()
        }

    @cached_property
    def matrix_order(self) -> np.ndarray:
        """One order of the classes for all matrices, confusable ones side by side; those that occur."""
        together = np.sum(list(self.confusions.values()), axis=0)
        places = class_order(together)
        occurs = (together.sum(axis=0) + together.sum(axis=1)) > 0
        # Where nothing is labelled or left as background, it needs no row and column.
        return places[occurs[places]]


def report_data(
    methods: Sequence[Analysed],
    thresholds: Mapping[str, float | None] | float | None = None,
    *,
    chosen: np.ndarray | None = None,
    wanted: PictureFilter | None = None,
    with_single: bool = False,
    resamples: int = 1000,
    pairs: int = 20,
    progress: ProgressFn = silent,
) -> ReportData:
    """Gather what a report tells.

    Args:
        methods: on the same pictures; differences are to the first.
        thresholds: one for all, or one by method key; None (for all, or for a method) takes the method's own
            threshold, or, where it has none though there is a background, the one that fits these pictures best.
        chosen: N bools, to report on some of the pictures only.
        wanted: of these, only those that it lets pass.
        with_single: let pictures of a single class and no background stand in lists and means of pictures.
        resamples: draws of pictures for intervals.
        pairs: how many confused pairs are listed.
        progress: called between steps; may raise Cancelled.

    Raises:
        UserError: no method, methods that cannot be compared, a threshold out of range, no picture.
    """
    if not methods:
        raise UserError("There is no method to report on; choose at least one.")
    if len({method.key for method in methods}) < len(methods):
        raise UserError("A method comes twice; leave one of them out.")
    titles = [method.title for method in methods]
    # Two methods of one title are told apart by their keys.
    methods = [
        method if titles.count(method.title) == 1 else replace(method, title=f"{method.title} ({method.key})")
        for method in methods
    ]
    first = methods[0]
    check_same_pictures({method.key: method.counts for method in methods})
    pictures = len(first.counts.ids)
    chosen = np.ones(pictures, dtype=bool) if chosen is None else np.asarray(chosen, dtype=bool)
    if not chosen.any():
        raise UserError("No picture is left to report on; loosen the filters.")
    steps = len(methods) + 2
    indices, cuts = {}, {}
    for done, method in enumerate(methods):
        progress(done, steps, f"counting {method.title}")
        indices[method.key] = CellIndex.of(method.counts)
        given = thresholds.get(method.key) if isinstance(thresholds, Mapping) else thresholds
        cuts[method.key] = _cut(method, indices[method.key], given)
    cut_at = {key: cut.threshold for key, cut in cuts.items()}
    everything = outcomes_of_all(indices, cut_at)
    whole = None if first.whole is None else first.whole.counts
    table = picture_table(indices, cut_at, outcomes=everything, whole=whole)
    if wanted is not None:
        chosen = chosen & wanted.apply(table)
        if not chosen.any():
            raise UserError("No picture passes these filters; loosen them.")
    some = {key: outcomes.where(chosen) for key, outcomes in everything.items()}
    progress(steps - 2, steps, "drawing pictures for intervals")
    gain = class_gain(indices, cut_at, resamples=resamples, chosen=chosen, outcomes=everything)
    progress(steps - 1, steps, "confused pairs")
    confusions = {key: outcomes.confusion() for key, outcomes in some.items()}
    listed = top_pairs(confusions, indices, cut_at, by=first.key, most=max(pairs, PLOTTED), outcomes=some)
    progress(steps, steps, "")
    return ReportData(
        first.store.info.data,
        first.counts.classes,
        tuple(methods),
        cuts,
        chosen,
        chosen & single_class_pictures(first.counts, cut_at.values(), first.store.info.labels),
        with_single,
        some,
        gain,
        tuple(listed[:pairs]),
        tuple(listed),
        table,
        resamples,
    )


def _cut(method: Analysed, index: CellIndex, given: float | None) -> Cut:
    if given is not None:
        return Cut(given, "given" if given != method.threshold else "chosen on other pictures")
    if method.threshold is not None:
        return Cut(method.threshold, "chosen on other pictures")
    if not index.classes.has_background:
        return Cut(None, "no background: each pixel to its arg-max class")
    return Cut(sweep(index.total()).best().threshold, "best on these pictures")
