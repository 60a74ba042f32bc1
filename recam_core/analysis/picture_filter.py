"""Which pictures to look at: conditions that combine, that fit into a link, and that are told in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recam_core.analysis.picture_table import PictureTable
from recam_core.data.sample import ClassList
from recam_core.errors import UserError

#: How the chosen classes are asked for: a picture shows all of them, or any of them.
CLASS_MODES = ("all", "any")


@dataclass(frozen=True)
class PictureFilter:
    """Conditions on pictures; a picture has to meet all that are set. The default lets every picture pass.

    Attributes:
        classes: class indices from 0 that the ground truth shows; none for any picture.
        class_mode: one of :data:`CLASS_MODES`.
        number: (least, most) classes in the picture, both included; or None.
        size: (least, most) share of the picture, 0..1, of an object: of one of ``classes``, or, where none are
            chosen, of any class it shows; or None.
        score: (least, most) mIoU of ``score_of``, 0..1; or None. Pictures without a score fail.
        score_of: key of a method.
        worse: (A, B): method A has a lower mIoU than method B; or None.
        margin: by at least so much, 0..1.
    """

    classes: tuple[int, ...] = ()
    class_mode: str = "all"
    number: tuple[int, int] | None = None
    size: tuple[float, float] | None = None
    score: tuple[float, float] | None = None
    score_of: str = ""
    worse: tuple[str, str] | None = None
    margin: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether every picture passes."""
        return not self.classes and not any((self.number, self.size, self.score, self.worse))

    def apply(self, table: PictureTable) -> np.ndarray:
        """N bool: which pictures of the table pass.

        Raises:
            UserError: the table has no such class or method, or a range is upside down.
        """
        self._check(table)
        passes = np.ones(len(table), dtype=bool)
        chosen = list(self.classes) or list(range(len(table.classes)))
        if self.classes:
            there = table.present[:, chosen]
            passes &= there.all(axis=1) if self.class_mode == "all" else there.any(axis=1)
        if self.number is not None:
            passes &= (table.number >= self.number[0]) & (table.number <= self.number[1])
        if self.size is not None:
            share = table.object_share[:, chosen]
            passes &= ((share > 0) & (share >= self.size[0]) & (share <= self.size[1])).any(axis=1)
        if self.score is not None:
            miou = table.miou[self.score_of or table.reference]
            passes &= (miou >= self.score[0]) & (miou <= self.score[1])  # nan fails both
        if self.worse is not None:
            behind = table.miou[self.worse[1]] - table.miou[self.worse[0]]
            passes &= (behind > 0) & (behind >= self.margin)
        return passes

    def to_dict(self) -> dict[str, Any]:
        """What is set, as a short dictionary of JSON values for a link; {} for the default."""
        result: dict[str, Any] = {}
        if self.classes:
            result["c"] = list(self.classes)
            if self.class_mode != "all":
                result["m"] = self.class_mode
        for short, value in (("n", self.number), ("s", self.size), ("r", self.score), ("w", self.worse)):
            if value is not None:
                result[short] = list(value)
        if self.score is not None and self.score_of:
            result["of"] = self.score_of
        if self.worse is not None and self.margin:
            result["d"] = self.margin
        return result

    @classmethod
    def from_dict(cls, content: object) -> "PictureFilter":
        """Read what :meth:`to_dict` gave, from anywhere.

        Raises:
            UserError: it is something else.
        """
        if not isinstance(content, Mapping) or set(content) - {"c", "m", "n", "s", "r", "of", "w", "d"}:
            raise _foreign()
        filter = cls(class_mode=_text(content.get("m", "all")))
        if filter.class_mode not in CLASS_MODES:
            raise _foreign()
        if "c" in content:
            filter = replace(filter, classes=tuple(_whole(value) for value in _items(content["c"])))
        if "n" in content:
            least, most = _items(content["n"], 2)
            filter = replace(filter, number=(_whole(least), _whole(most)))
        if "s" in content:
            least, most = _items(content["s"], 2)
            filter = replace(filter, size=(_share(least), _share(most)))
        if "r" in content:
            least, most = _items(content["r"], 2)
            filter = replace(filter, score=(_share(least), _share(most)), score_of=_text(content.get("of", "")))
        if "w" in content:
            ours, theirs = _items(content["w"], 2)
            filter = replace(filter, worse=(_text(ours), _text(theirs)), margin=_share(content.get("d", 0.0)))
        return filter

    def _check(self, table: PictureTable) -> None:
        for k in self.classes:
            if not 0 <= k < len(table.classes):
                raise UserError(f"There is no class {k}; the data set has the classes 0 to {len(table.classes) - 1}.")
        if self.class_mode not in CLASS_MODES:
            raise UserError(f"Classes are asked for by {' or '.join(CLASS_MODES)}, not {self.class_mode!r}.")
        for name, limits in (("number of classes", self.number), ("size", self.size), ("score", self.score)):
            if limits is not None and not limits[0] <= limits[1]:
                raise UserError(
                    f"The {name} has a range from {limits[0]} to {limits[1]}: the first must be the smaller."
                )
        methods = (self.score_of,) if self.score is not None and self.score_of else ()
        for key in (*methods, *(self.worse or ())):
            if key not in table.miou:
                raise UserError(f"There is no method {key!r} here; there are {', '.join(table.keys)}.")


def _foreign() -> UserError:
    return UserError("The filters in this link cannot be read; set them anew.")


def _items(value: object, length: int | None = None) -> list[object]:
    if not isinstance(value, (list, tuple)) or (length is not None and len(value) != length) or len(value) > 254:
        raise _foreign()
    return list(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 254:
        raise _foreign()
    return value


def _share(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise _foreign()
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise _foreign()
    return value


def filter_words(wanted: PictureFilter, classes: ClassList, titles: Mapping[str, str]) -> str:
    """One sentence; "" for a filter that lets everything pass.

    Args:
        wanted: the filter.
        classes: that it names by number.
        titles: by method key.
    """
    parts = []
    if wanted.classes:
        link = " or " if wanted.class_mode == "any" else " and "
        parts.append("showing " + link.join(classes.names[k] for k in wanted.classes))
    if wanted.number:
        least, most = wanted.number
        parts.append(f"with {least} classes" if least == most else f"with {least} to {most} classes")
    if wanted.size:
        parts.append(f"with an object of {wanted.size[0]:.0%} to {wanted.size[1]:.0%} of the picture")
    if wanted.score:
        title = titles.get(wanted.score_of, wanted.score_of)
        parts.append(f"where {title} has an mIoU of {wanted.score[0]:.0%} to {wanted.score[1]:.0%}")
    if wanted.worse:
        worse, better = (titles.get(key, key) for key in wanted.worse)
        by = f" by {100 * wanted.margin:.0f} points or more" if wanted.margin else ""
        parts.append(f"where {worse} is worse than {better}{by}")
    return f"Only pictures {', '.join(parts)}." if parts else ""
