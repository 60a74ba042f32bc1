"""What is kept of a COCO annotation file: compact, so that 80,000 pictures fit in memory without their masks."""

import json
import re
import reprlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recam_core.data.class_file import check_class_names, role_of_name
from recam_core.data.coco_runs import BadRuns, runs_of_code
from recam_core.data.sample import BACKGROUND, VOID, FaultKind
from recam_core.errors import UserError

_POLYGONS = re.compile(rb'"segmentation"\s*:\s*(\[\s*\[[^"]*\]\s*\])')
#: All that lists of numbers are written with.
_OF_LISTS = b"-+0123456789eE.,[] \t\r\n"

#: instances_train2017.json has 450 MB; a file several times as large is not one of COCO's.
MAX_BYTES = 4_000_000_000
#: Above this share, crowds are likelier to be objects that a tool marked so; of COCO's they are 1.2 %.
_MANY_CROWDS = 0.2
#: Values in messages.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
#: No coordinate, and no number that an outline is drawn with; NaN is none, either.
_LARGEST = 1e300
#: How many things are named where all are counted.
_NAMED = 3


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
        return f"annotation {_shown(self.name)}"

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


@dataclass(frozen=True)
class CocoIndex:
    """All pictures of an annotation file.

    Attributes:
        names: of the classes, by ascending category id.
        pictures: in the order of the file.
        left_out: annotations that cannot be used.
        notes: sentences on what was decided.
    """

    names: tuple[str, ...]
    pictures: list[CocoPicture]
    left_out: list[LeftOut]
    notes: tuple[str, ...]


def read_index(path: Path, asked: Sequence[str] = ()) -> CocoIndex:
    """Read an annotation file.

    The categories, sorted by their ids (1..90 with gaps), become classes 0..79, but for those that are the background
    or void by their names, and for parents of others (as Roboflow writes them) that no annotation uses. What is wrong
    with a picture marks that picture (``problem``), and what is wrong with one annotation leaves it out.

    Args:
        path: the file.
        asked: names of the categories that are to be the classes, in this order; by default as said above.

    Raises:
        UserError: unreadable, truncated, not an annotation file of COCO's form, or most annotations cannot be used.
    """
    # In the place of a list of polygons that is cut out stand this key, which no file knows, and the list's number.
    key = f"#{secrets.token_hex(4)}"
    content, polygons = _read(path, key)
    for name in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise UserError(
                f"{path}: this is not an annotation file of COCO's form; it has no list called '{name}'. An export for "
                "object detection or segmentation has 'images', 'annotations' and 'categories'."
            )
    annotations = content["annotations"]
    categories = _Categories(content["categories"], annotations, asked, path)
    pictures = _Pictures(content["images"], path)
    reader = _Annotations(categories.values, pictures.by_id, polygons, key)
    reader.read(annotations)
    # Of pictures that somebody took out of the file annotations may be left in any number.
    broken = [left for left in reader.left_out if left.file_name and not left.is_part]
    if len(broken) > len(annotations) / 2:
        raise UserError(
            f"{path}: {len(broken)} of {len(annotations)} annotations cannot be used, so this is not the file that it "
            f"seems to be. The first is {broken[0]}: {broken[0].reason}."
        )
    notes = [*categories.notes, *pictures.notes, *reader.notes(len(annotations))]
    return CocoIndex(categories.names, pictures.all, reader.left_out, tuple(notes))


def few(things: Iterable[Any]) -> str:
    """The first three, and how many more there are."""
    things = list(things)
    more = f" and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return ", ".join(str(thing) for thing in things[:_NAMED]) + more


def _read(path: Path, key: str) -> tuple[Any, list[bytes]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: this file is too large for an annotation file of COCO.")
        rest, polygons = _without_polygons(path.read_bytes(), key)
        return json.loads(rest), polygons
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this file is not in UTF-8, as JSON must be; save it in that encoding.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: this is not a whole JSON file ({error}); download it again, or export it again."
        ) from error


def _without_polygons(data: bytes, key: str) -> tuple[bytes, list[bytes]]:
    """The file with each list of polygons replaced by its number under ``key``, and the lists.

    Nine tenths of the file are coordinates. Turning them all into numbers would take most of a minute and gigabytes,
    and a run may never draw most of the masks. What is cut out holds digits, brackets and commas only, so it can
    be neither a part of a string nor of anything else.
    """
    polygons: list[bytes] = []
    name = key.encode()
    pieces = _POLYGONS.split(data)  # in turn what is between two lists, and a list
    for place in range(1, len(pieces), 2):
        text = pieces[place]
        if text.translate(None, _OF_LISTS) or pieces[place - 1].endswith(b"\\"):
            pieces[place] = b'"segmentation":' + text  # something else, which JSON's reader is to understand
        else:
            pieces[place] = b'"%s":%d' % (name, len(polygons))
            polygons.append(text)
    return b"".join(pieces), polygons


def _key(value: Any) -> int | str | None:
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


def _shown(value: Any) -> str:
    """A value in a message: short, however large or deep it is."""
    return _printable(_SHORT.repr(value))


def _printable(text: str) -> str:
    """A text with what nothing can print (halves of characters, ends of lines) written out, as in JSON."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "a number")


def _id_of(entry: Any, position: int, where: str, path: Path) -> int | str:
    """The id of an entry of a list. Raises UserError."""
    if not isinstance(entry, dict):
        raise UserError(f"{path}: entry {position + 1} of '{where}' is {_kind(entry)}, not an object with an 'id'.")
    if "id" not in entry:
        raise UserError(f"{path}: entry {position + 1} of '{where}' has no 'id'.")
    if (key := _key(entry["id"])) is None:
        raise UserError(
            f"{path}: the 'id' of entry {position + 1} of '{where}' is {_kind(entry['id'])} ({_shown(entry['id'])}); "
            "it must be a number or a text."
        )
    return key


def _text_of(entry: dict[str, Any], key: str, position: int, where: str, path: Path) -> str:
    """A text of an entry of a list. Raises UserError."""
    if key not in entry:
        raise UserError(f"{path}: entry {position + 1} of '{where}' has no '{key}'.")
    value = entry[key]
    if not isinstance(value, str) or not value.strip():
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        said = "empty" if value == "" else _kind(value)
        raise UserError(f"{path}: the '{key}' of entry {position + 1} of '{where}' is {said}; it must be a text.")
    return value if value.isprintable() else _printable(value)


# Categories -----------------------------------------------------------------------------------------------------------


class _Categories:
    """Which categories are classes, and which values masks have for all of them.

    Attributes:
        names: of the classes.
        values: category id -> mask value.
        notes: sentences on categories that are no classes.
    """

    def __init__(self, entries: list[Any], annotations: list[Any], asked: Sequence[str], path: Path):
        self._path = path
        self._named: dict[int | str, str] = {}
        children: dict[str, set[int | str]] = {}
        for position, entry in enumerate(entries):
            key = _id_of(entry, position, "categories", path)
            name = _text_of(entry, "name", position, "categories", path).strip()
            if self._named.setdefault(key, name) != name:
                raise UserError(
                    f"{path}: '{self._named[key]}' and '{name}' have the same category id {_shown(key)}; give each its "
                    "own."
                )
            if isinstance(parent := entry.get("supercategory"), str):
                children.setdefault(_printable(parent).strip(), set()).add(key)
        roles = {key: role_of_name(name) for key, name in self._named.items()}
        self.notes = [
            f"The category '{self._named[key]}' (id {_shown(key)}) is "
            f"{'the background' if role == 'background' else role}, no class."
            for key, role in roles.items()
            if role != "class"
        ]
        classes = [key for key in sorted(self._named, key=_order) if roles[key] == "class"]
        parents = {key for key in classes if children.get(self._named[key], set()) - {key}}
        if parents or asked:
            used = {_key(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
            unused = [key for key in classes if key in parents - used and self._named[key] not in asked]
            if unused:
                listed = few(f"'{self._named[key]}' (id {_shown(key)})" for key in unused)
                self.notes.append(
                    f"Left out of the classes, as a parent of others that no annotation uses: {listed}. To have it as "
                    "a class, write the names of all classes into a classes.txt in the data set's folder."
                )
            classes = [key for key in classes if key not in unused]
            self._refuse_doubles(classes)
            classes = self._ordered(classes, asked, used) if asked else classes
        self._refuse_doubles(classes)
        if not classes:
            raise UserError(
                f'{path}: \'categories\' names no class; a category is written as {{"id": 1, "name": "cat"}}.'
            )
        self.names = tuple(self._named[key] for key in classes)
        check_class_names(self.names, str(path))
        self.values: dict[int | str | None, int] = {
            key: BACKGROUND if role == "background" else VOID for key, role in roles.items()
        }
        self.values.update((key, place + 1) for place, key in enumerate(classes))

    def _ordered(self, classes: list[int | str], asked: Sequence[str], used: set[int | str | None]) -> list[int | str]:
        by_name = {self._named[key]: key for key in classes}
        for name in asked:
            if name not in by_name:
                raise UserError(
                    f"classes.txt lists '{name}', which is no category of {self._path}. There are: "
                    f"{', '.join(list(by_name)[:20])}. Correct the name, or remove classes.txt."
                )
        for name, key in by_name.items():
            if name not in asked and key in used:
                raise UserError(
                    f"classes.txt does not list '{name}', which {self._path} has objects of; they would count as "
                    "background. Add the name, or remove classes.txt."
                )
        return [by_name[name] for name in dict.fromkeys(asked)]

    def _refuse_doubles(self, classes: list[int | str]) -> None:
        first: dict[str, int | str] = {}
        for key in classes:
            if (other := first.setdefault(self._named[key], key)) != key:
                raise UserError(
                    f"{self._path}: the categories {_shown(other)} and {_shown(key)} are both called "
                    f"'{self._named[key]}'; give them different names, or all their annotations one id."
                )


def _order(key: int | str) -> tuple[bool, int | str]:
    return isinstance(key, str), key


# Pictures -------------------------------------------------------------------------------------------------------------


class _Pictures:
    """The pictures of a file: all of them in its order, and by their ids."""

    def __init__(self, entries: list[Any], path: Path):
        self.all: list[CocoPicture] = []
        self.by_id: dict[int | str | None, CocoPicture] = {}
        self.notes: list[str] = []
        repeated = []
        for position, entry in enumerate(entries):
            key = _id_of(entry, position, "images", path)
            picture = _picture(entry, position, path)
            other = self.by_id.setdefault(key, picture)
            if other is picture:
                self.all.append(picture)
            elif other.file_name == picture.file_name:
                repeated.append(picture.file_name)
            else:
                self.all.append(picture)
                for one, another in ((picture, other), (other, picture)):
                    one.problem_kind = "duplicate id"
                    one.problem = one.problem or (
                        f"duplicate id: {another.file_name} has the same image id {_shown(key)}, so nobody can tell "
                        "whose annotations they are. Give each picture an id of its own, and correct the image_id of "
                        "its annotations."
                    )
        if repeated:
            self.notes.append(f"{len(repeated)} entries of 'images' are repeated and taken once: {few(repeated)}.")


def _picture(entry: dict[str, Any], position: int, path: Path) -> CocoPicture:
    name = _text_of(entry, "file_name", position, "images", path)
    height, width = entry.get("height"), entry.get("width")
    if type(height) is int and type(width) is int and height > 0 and width > 0:
        return CocoPicture(name, height, width)
    if not height and not width and isinstance(height, int | None) and isinstance(width, int | None):
        return CocoPicture(name, 0, 0)  # not stated: the photograph says it
    height_read, width_read = _key(height), _key(width)
    if isinstance(height_read, int) and isinstance(width_read, int) and min(height_read, width_read) > 0:
        return CocoPicture(name, height_read, width_read)
    problem = f"'height' is {_shown(height)} and 'width' is {_shown(width)}; they must be numbers of pixels."
    return CocoPicture(name, 0, 0, problem=problem)


# Annotations ----------------------------------------------------------------------------------------------------------


class _Annotations:
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
                self._leave_out("?", "", f"it is {_kind(entry)}, not an object")
                continue
            key = entry.get("image_id")
            picture = pictures.get(key if type(key) is int else _key(key))
            if picture is None:
                self._leave_out(entry.get("id", "?"), "", f"no picture has its image_id, {_shown(key)}")
                continue
            key = entry.get("category_id")
            value = values.get(key if type(key) is int else _key(key))
            name = entry.get("id", "?")
            if value is None:
                if not picture.problem:
                    picture.problem_kind = "class out of range"
                    picture.problem = (
                        f"class id out of range: annotation {_shown(name)} has the category {_shown(key)}, which the "
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
        self.left_out.append(LeftOut(_shown(name).strip("'"), file_name, reason, is_part))

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
                raise BadRuns(f"its segmentation is {_kind(outline)}, neither polygons nor a run-length code")
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
        return f"its outline is {_kind(ring)}, not x y x y ..."
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
