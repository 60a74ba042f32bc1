"""What is kept of a COCO annotation file: compact, so that 80,000 pictures fit in memory without their masks."""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recam_core.data.class_file import check_class_names, role_of_name
from recam_core.data.coco_annotations import (
    AnnotationReader,
    CocoPicture,
    LeftOut,
    id_key,
    kind_of,
    printable,
    shown,
)
from recam_core.data.sample import BACKGROUND, VOID
from recam_core.errors import UserError
from recam_core.file_reader import file_bytes
from recam_core.words import few

_POLYGONS = re.compile(rb'"segmentation"\s*:\s*(\[\s*\[[^"]*\]\s*\])')
#: All that lists of numbers are written with.
_OF_LISTS = b"-+0123456789eE.,[] \t\r\n"

#: instances_train2017.json has 450 MB; a file several times as large is not one of COCO's.
MAX_BYTES = 4_000_000_000


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
    reader = AnnotationReader(categories.values, pictures.by_id, polygons, key)
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


def _read(path: Path, key: str) -> tuple[Any, list[bytes]]:
    try:
        content = file_bytes(path, MAX_BYTES, advice=", too large for an annotation file of COCO.")
        rest, polygons = _without_polygons(content, key)
        return json.loads(rest), polygons
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


def _id_of(entry: Any, position: int, where: str, path: Path) -> int | str:
    """The id of an entry of a list. Raises UserError."""
    if not isinstance(entry, dict):
        raise UserError(f"{path}: entry {position + 1} of '{where}' is {kind_of(entry)}, not an object with an 'id'.")
    if "id" not in entry:
        raise UserError(f"{path}: entry {position + 1} of '{where}' has no 'id'.")
    if (key := id_key(entry["id"])) is None:
        raise UserError(
            f"{path}: the 'id' of entry {position + 1} of '{where}' is {kind_of(entry['id'])} ({shown(entry['id'])}); "
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
        said = "empty" if value == "" else kind_of(value)
        raise UserError(f"{path}: the '{key}' of entry {position + 1} of '{where}' is {said}; it must be a text.")
    return value if value.isprintable() else printable(value)


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
                    f"{path}: '{self._named[key]}' and '{name}' have the same category id {shown(key)}; give each its "
                    "own."
                )
            if isinstance(parent := entry.get("supercategory"), str):
                children.setdefault(printable(parent).strip(), set()).add(key)
        roles = {key: role_of_name(name) for key, name in self._named.items()}
        self.notes = [
            f"The category '{self._named[key]}' (id {shown(key)}) is "
            f"{'the background' if role == 'background' else role}, no class."
            for key, role in roles.items()
            if role != "class"
        ]
        classes = [key for key in sorted(self._named, key=_order) if roles[key] == "class"]
        parents = {key for key in classes if children.get(self._named[key], set()) - {key}}
        if parents or asked:
            used = {id_key(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
            unused = [key for key in classes if key in parents - used and self._named[key] not in asked]
            if unused:
                listed = few(f"'{self._named[key]}' (id {shown(key)})" for key in unused)
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
                    f"{self._path}: the categories {shown(other)} and {shown(key)} are both called "
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
                        f"duplicate id: {another.file_name} has the same image id {shown(key)}, so nobody can tell "
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
    height_read, width_read = id_key(height), id_key(width)
    if isinstance(height_read, int) and isinstance(width_read, int) and min(height_read, width_read) > 0:
        return CocoPicture(name, height_read, width_read)
    problem = f"'height' is {shown(height)} and 'width' is {shown(width)}; they must be numbers of pixels."
    return CocoPicture(name, 0, 0, problem=problem)
