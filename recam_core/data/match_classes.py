"""Pictures of one data set under the class list of another: what a network may be asked about pictures it never met."""

from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID, ClassList


@dataclass(frozen=True)
class ClassMatch:
    """Which classes of ``source`` are classes of ``target``, by name (upper and lower case do not matter).

    Attributes:
        source, target: the two class lists.
        index: one entry a source class: its index in ``target``, or -1 where it is unknown there.
    """

    source: ClassList
    target: ClassList
    index: np.ndarray

    @property
    def is_same(self) -> bool:
        """Whether nothing changes."""
        return self.source == self.target

    @property
    def shared(self) -> tuple[str, ...]:
        """The names that both lists have, as the target writes them."""
        return tuple(self.target.names[k] for k in self.index if k >= 0)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Source labels (K bool) as target labels; classes unknown to the target are dropped."""
        found = np.zeros(len(self.target), dtype=bool)
        found[self.index[labels & (self.index >= 0)]] = True
        return found

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """A source mask (H x W uint8) as a target mask; unknown classes become void."""
        if self.is_same:
            return mask
        table = np.full(256, VOID, dtype=np.uint8)
        known = np.flatnonzero(self.index >= 0)
        table[known + 1] = self.index[known] + 1
        if self.source.has_background and self.target.has_background:
            table[BACKGROUND] = BACKGROUND
        return table[mask]


def match_classes(source: ClassList, target: ClassList) -> ClassMatch:
    """Match two class lists by name."""
    places = {name.casefold(): k for k, name in enumerate(target.names)}
    index = np.array([places.get(name.casefold(), -1) for name in source.names], dtype=np.int64)
    return ClassMatch(source, target, index)


def one_class_mask(mask: np.ndarray, classes: ClassList, name: str) -> np.ndarray | None:
    """Where the ground truth shows one class: the mask value 1 there, 0 where it shows anything else.

    For networks that know other classes than the data set: what they call ``name`` is right or wrong wherever the data
    set names what is there, whether or not they know that by name.

    Args:
        mask: H x W, uint8, in ``classes``.
        classes: of the data set.
        name: of the class; upper and lower case do not matter.

    Returns:
        H x W, uint8: 1, 0 or void; None where the data set has no class of this name.
    """
    found = [k for k, one in enumerate(classes.names) if one.casefold() == name.casefold()]
    if not found:
        return None
    table = np.full(256, VOID, dtype=np.uint8)
    table[1 : len(classes) + 1] = 0
    table[found[0] + 1] = 1
    if classes.has_background:
        table[BACKGROUND] = 0
    return table[mask]
