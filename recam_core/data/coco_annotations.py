"""The annotations of a COCO file: objects in their pictures, outlines that can be drawn, and what is left out.

Regions are polygons, or COCO's run-length codes: lengths of runs down the columns of a picture, in turn outside and
inside a region.
"""

import json
import reprlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recam_core.data.sample import FaultKind
from recam_core.words import few

#: Above this share, crowds are likelier to be objects that a tool marked so; of COCO's they are 1.2 %.
_MANY_CROWDS = 0.2
#: Values in messages.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
#: No coordinate, and no number that an outline is drawn with; NaN is none, either.
_LARGEST = 1e300
#: Characters of a compressed code stand for 0..63: five bits of a number, and whether it goes on.
_FIRST, _MORE, _SIGN = 48, 0x20, 0x10
#: No run of a picture needs more characters than this.
_LONGEST = 7


@dataclass(slots=True)
class CocoObject:
    """One annotated object.

    Attributes:
        name: how messages call it, its id.
        value: in a mask: k + 1 of class k, 0 of a category that is the background, 255 of one that is void.
        crowd: a region of many objects, which counts as void.
        polygons: outlines [[x0, y0, x1, y1, ...], ...] as JSON text, for objects outlined by polygons.
        rle: the region as a run-length code (a ``counts``/``size`` dictionary), for others. An object with neither
            has a box at most.
    """

    name: Any
    value: int
    crowd: bool
    polygons: bytes = b""
    rle: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"annotation {shown(self.name)}"

    @property
    def has_region(self) -> bool:
        """Whether it can be drawn."""
        return bool(self.polygons) or self.rle is not None


@dataclass(slots=True)
class CocoPicture:
    """One picture: its file name, its size as annotated (0 where it is not), its objects, and what is wrong with it."""

    file_name: str
    height: int
    width: int
    objects: list[CocoObject] = field(default_factory=list)
    problem: str = ""
    problem_kind: FaultKind = "damaged file"


@dataclass(frozen=True)
class LeftOut:
    """An annotation that cannot be used, or some of its outlines.

    Attributes:
        annotation: its id.
        file_name: of its picture; "" where it has none.
        reason: why it cannot be used.
        is_part: whether the rest of the annotation is used.
    """

    annotation: str
    file_name: str
    reason: str
    is_part: bool = False

    def __str__(self) -> str:
        return f"annotation {self.annotation}" + (f" of {self.file_name}" if self.file_name else "")


class AnnotationReader:
    """Puts the objects of a file into its pictures.

    Attributes:
        left_out: what cannot be used.
    """

    def __init__(
        self,
        values: Mapping[int | str | None, int],
        pictures: Mapping[int | str | None, CocoPicture],
        polygons: list[bytes],
        key_of_polygons: str,
    ):
        self._values, self._pictures = values, pictures
        self._polygons, self._key = polygons, key_of_polygons
        self.left_out: list[LeftOut] = []
        self._crowds: list[tuple[CocoPicture, CocoObject]] = []
        self._boxes: list[tuple[CocoPicture, CocoObject]] = []
        self._singles = self._outlined = 0

    def read(self, entries: list[Any]) -> None:
        """Read them all; what lies in the common case is looked up without a call for each."""
        pictures, values, polygons, cut_out = self._pictures, self._values, self._polygons, self._key
        for entry in entries:
            if type(entry) is not dict:
                self._leave_out("?", "", f"it is {kind_of(entry)}, not an object")
                continue
            key = entry.get("image_id")
            picture = pictures.get(key if type(key) is int else id_key(key))
            if picture is None:
                self._leave_out(entry.get("id", "?"), "", f"no picture has its image_id, {shown(key)}")
                continue
            key = entry.get("category_id")
            value = values.get(key if type(key) is int else id_key(key))
            name = entry.get("id", "?")
            if value is None:
                if not picture.problem:
                    picture.problem_kind = "class out of range"
                    picture.problem = (
                        f"class id out of range: annotation {shown(name)} has the category {shown(key)}, which the "
                        "file does not define."
                    )
                continue
            crowd = entry.get("iscrowd")
            thing = CocoObject(name, value, crowd in (1, "1", "true", "True"))
            cut = entry.get(cut_out)
            if cut is not None and _are_sound(polygons[cut]):
                thing.polygons = polygons[cut]
            elif not self._outline(entry, thing, picture):
                continue
            picture.objects.append(thing)
            if thing.has_region:
                self._outlined += 1
            if thing.crowd:
                self._crowds.append((picture, thing))
            else:
                self._singles += 1

    def notes(self, count: int) -> list[str]:
        """Sentences on what was decided about ``count`` annotations; makes objects of crowds where all are crowds."""
        notes = []
        if self.left_out:
            reasons = Counter(left.reason for left in self.left_out)
            why = few(f"{many} x {reason}" if many > 1 else reason for reason, many in reasons.most_common())
            notes.append(
                f"{len(self.left_out)} of {count} annotations are left out in whole or in part "
                f"({few(self.left_out)}): {why}. The rest is used."
            )
        if self._crowds and not self._singles:
            for _, thing in self._crowds:
                thing.crowd = False
            notes.append(
                "Every annotation is marked as a crowd (iscrowd 1), as CVAT marks what was painted with a brush; they "
                "are taken as objects."
            )
        elif len(self._crowds) > _MANY_CROWDS * (self._singles + len(self._crowds)):
            notes.append(
                f"{len(self._crowds)} of {count} annotations are marked as crowds (iscrowd 1), so they are void and "
                "give no label. CVAT marks what was painted with a brush so; set iscrowd to 0 where that is one object."
            )
        if self._boxes and not self._outlined:
            notes.append(
                "No annotation has an outline, only boxes or less: labels can be used for training, but there are no "
                "masks to score maps against."
            )
        elif self._boxes:
            pictures = list({id(picture): picture.file_name for picture, _ in self._boxes}.values())
            notes.append(
                f"{len(self._boxes)} of {count} annotations have no outline, only a box or less. They give labels, but "
                f"the {len(pictures)} pictures that they are in have no mask to score maps against: {few(pictures)}."
            )
        return notes

    def _leave_out(self, name: Any, file_name: str, reason: str, is_part: bool = False) -> None:
        self.left_out.append(LeftOut(shown(name).strip("'"), file_name, reason, is_part))

    def _outline(self, entry: dict[str, Any], thing: CocoObject, picture: CocoPicture) -> bool:
        """Whether the object can be used: what is not plainly sound is looked at in full."""
        cut = entry.get(self._key)
        outline = entry.get("segmentation")
        if cut is not None:
            try:
                outline = json.loads(self._polygons[cut])
            except (ValueError, RecursionError):
                outline = "squiggle"
        if outline is None or (isinstance(outline, (list, str)) and not outline):
            self._boxes.append((picture, thing))
            return True
        try:
            if isinstance(outline, dict):
                _check_runs(outline, picture)
                thing.rle = outline
                return True
            if not isinstance(outline, list):
                raise BadRuns(f"its segmentation is {kind_of(outline)}, neither polygons nor a run-length code")
        except BadRuns as error:
            self._leave_out(thing.name, picture.file_name, str(error))
            return False
        rings = outline if any(isinstance(ring, list) for ring in outline) else [outline]
        problems = [_ring_problem(ring) for ring in rings]
        good = [ring for ring, problem in zip(rings, problems, strict=True) if not problem]
        bad = [problem for problem in problems if problem]
        if bad:
            part = f"{len(bad)} of its {len(rings)} outlines cannot be drawn: " if good else ""
            self._leave_out(thing.name, picture.file_name, part + bad[0], is_part=bool(good))
        thing.polygons = json.dumps(good).encode() if good else b""
        return bool(good)


def _are_sound(text: bytes) -> bool:
    """Whether each of the polygons has three points or more and no half one, by brackets and commas alone.

    False means that they have to be read to know; they are for almost none, as reading all takes most of a minute.
    """
    parts = text.split(b"]")
    if len(parts) == 3:
        first, between, end = parts
        commas = first.count(b",")
        return commas >= 5 and commas & 1 == 1 and not between.strip() and not end and first.count(b"[") == 2
    if parts.pop() or parts.pop().strip() or not parts:
        return False
    extra = 0  # the comma before each polygon but the first
    for part in parts:
        commas = part.count(b",") - extra
        if commas < 5 or commas & 1 == 0 or part.count(b"[") != 2 - extra:
            return False
        extra = 1
    return True


def _ring_problem(ring: Any) -> str:
    """Why an outline cannot be drawn; "" where it can."""
    if not isinstance(ring, list):
        return f"its outline is {kind_of(ring)}, not x y x y ..."
    if any(type(number) not in (int, float) or not -_LARGEST < number < _LARGEST for number in ring):
        return "its outline does not consist of numbers, x y x y ..."
    if not ring:
        return "its outline is empty"
    if len(ring) % 2:
        return f"its outline has {len(ring)} numbers, an odd count"
    if len(ring) < 6:
        return f"its outline has {len(ring)} numbers; a polygon needs three points or more, x y x y x y"
    return ""


def _check_runs(outline: dict[str, Any], picture: CocoPicture) -> None:
    """Raise BadRuns unless the code covers exactly the picture."""
    size = outline.get("size")
    if not isinstance(size, list) or len(size) != 2 or any(type(side) is not int or side <= 0 for side in size):
        raise BadRuns("its run-length code has no size of two numbers")
    if picture.height and size != [picture.height, picture.width]:
        raise BadRuns(
            f"its run-length code is of {size[1]} x {size[0]} pixels, its picture of {picture.width} x {picture.height}"
        )
    runs_of_code(outline.get("counts"), size[0] * size[1])


# Run-length codes -----------------------------------------------------------------------------------------------------


class BadRuns(ValueError):
    """A run-length code that does not describe a region of its picture; the message says why."""


def runs_of_code(counts: Any, pixels: int) -> np.ndarray:
    """The lengths of the runs, int64, outside first.

    pycocotools decodes such codes, too, but writes past the end of a picture when one covers more than that, and
    fills a whole picture for the smallest region.

    Args:
        counts: a list of them, or the compressed text (or its bytes).
        pixels: height x width of the picture.

    Raises:
        BadRuns: the code is damaged, or does not cover exactly so many pixels.
    """
    if isinstance(counts, list):
        if any(type(run) is not int or not 0 <= run <= pixels for run in counts):
            raise BadRuns("its run-length code holds something other than lengths of runs")
        runs = np.array(counts, dtype=np.int64)
    elif isinstance(counts, (str, bytes)):
        runs = _unpacked(counts.encode("utf-8", "replace") if isinstance(counts, str) else counts)
    else:
        raise BadRuns("its run-length code has no counts")
    if len(runs) and (runs.min() < 0 or runs.max() > pixels):
        raise BadRuns("its run-length code is damaged")
    if (covered := int(runs.sum())) != pixels:
        raise BadRuns(f"its run-length code covers {covered} pixels, its picture has {pixels}")
    return runs


def _unpacked(text: bytes) -> np.ndarray:
    """The runs of a compressed code. From the fourth on, each is told by its difference to the last but one."""
    units = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - _FIRST
    if not len(units) or units.min() < 0 or units.max() > 63 or units[-1] & _MORE:
        raise BadRuns("its run-length code is damaged")
    last = np.flatnonzero(units & _MORE == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > _LONGEST:
        raise BadRuns("its run-length code is damaged")
    shift = 5 * (np.arange(len(units)) - np.repeat(first, lengths))
    runs = np.add.reduceat((units & (_MORE - 1)) << shift, first)
    runs -= np.where(units[last] & _SIGN, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


# In messages ----------------------------------------------------------------------------------------------------------


def id_key(value: Any) -> int | str | None:
    """An id as it is looked up: exporters write the same one as 7, "7" and 7.0. None for what is no id."""
    if type(value) is int:
        return value
    if isinstance(value, str):
        plain = value.strip()
        return (
            int(plain)
            if len(plain) < 30 and plain.isascii() and plain.isdigit() and str(int(plain)) == plain
            else value
        )
    return int(value) if isinstance(value, float) and value.is_integer() else None


def shown(value: Any) -> str:
    """A value in a message: short, however large or deep it is."""
    return printable(_SHORT.repr(value))


def printable(text: str) -> str:
    """A text with what nothing can print (halves of characters, ends of lines) written out, as in JSON."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def kind_of(value: Any) -> str:
    kinds = {bool: "true or false", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "a number")
