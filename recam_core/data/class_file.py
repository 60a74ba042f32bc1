"""``classes.txt`` (one name a line), and whether a data set has a background class."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from recam_core.data.image_io import PhotoError
from recam_core.data.mask_io import read_mask
from recam_core.data.sample import BACKGROUND, MAX_CLASSES, VOID
from recam_core.errors import UserError
from recam_core.file_reader import file_lines

#: How many masks are looked at to find out whether 0 occurs.
MASKS_LOOKED_AT = 64
#: Below this share of their pixels, the zeros of masks may be strays: a background fills much of a picture, while
#: the stray zeros of a set without one were 0.14 %.
STRAY_SHARE = 0.01

#: What a name in a class list stands for.
NameRole = Literal["class", "background", "void"]
#: How tools and people write the two names that are no classes, in small letters and without blanks, ``_`` and ``-``.
_ROLES: dict[str, NameRole] = {
    **dict.fromkeys(("background", "backgrounds", "bg", "hintergrund", "背景"), "background"),
    **dict.fromkeys(("void", "ignore", "ignored", "unlabeled", "unlabelled", "dontcare"), "void"),
}
#: ``0: background``, ``255 void``, ``-1 __ignore__``.
_NUMBER_BEFORE = re.compile(r"[+-]?\d+\s*[\s:;.,)=|]\s*(?=\S)")


#: A line that begins with its mask value: the value, what stands behind it, the name.
_NUMBERED = re.compile(r"([+-]?\d{1,4})\s*([\s:;.,)=|-])\s*(\S.*)")
#: ``name:red,green,blue:parts:actions``; a name may hold a colon.
_LABEL_MAP_LINE = re.compile(r"(.+?):\s*((?:\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3})?)\s*:[^:]*:[^:]*")


def role_of_name(name: str) -> NameRole:
    """Whether a class name is in truth the background or void (not scored), as tools write them.

    ``background``, ``_background_``, ``__background__``, ``BG`` and ``0: background`` are the background; ``void``,
    ``__ignore__`` and ``unlabeled`` are void; every other name is a class.
    """
    plain = _NUMBER_BEFORE.sub("", unicodedata.normalize("NFKC", name).strip().casefold(), count=1)
    return _ROLES.get(re.sub(r"[\s_\-'\"*<>\[\]()]", "", plain), "class")


@dataclass(frozen=True)
class ListedClasses:
    """What a class list says.

    Attributes:
        names: K class names.
        has_background: whether there is a background, where the list says so; None where it says nothing.
        values: stored mask value -> what it stands for (0 background, k + 1 class k, 255 void), where that is not the
            number itself; None where each value stands for itself.
        colours: (red, green, blue) -> the same, of lists that name colours.
        notes: sentences on what was read in another way than it stands there.
        not_for_masks: a sentence, where the list will do for labels, but leaves open what the values of masks mean.
    """

    names: tuple[str, ...]
    has_background: bool | None = None
    values: Mapping[int, int] | None = None
    colours: Mapping[tuple[int, int, int], int] | None = None
    notes: tuple[str, ...] = ()
    not_for_masks: str = ""


def read_class_file(path: Path) -> ListedClasses:
    """Read a list of one class name a line.

    A first line that is the background (see :func:`role_of_name`) is not a class: it states that mask value 0 is
    background. A first line of void states that 0 is void, so that there is no background. Line n after it, or of a
    list without it, is the class with mask value n; a later line of void makes its value void. ``__ignore__`` above
    the background, as labelme writes it, has no value. Where every line begins with its number (``0: background``,
    ``1 cat``), the numbers are the values.

    Raises:
        UserError: unreadable, empty, a name twice, more than 254 names, or a background of which the list does not say
            which value it has.
    """
    lines = file_lines(path)
    numbered = _numbered(lines)
    if numbered is not None:
        note = f"{path.name}: the numbers before its names are taken as the values of the masks."
        return _listed(numbered, path, (note,))
    roles = [role_of_name(line) for line in lines]
    above = 0  # lines above the first that has a number from 1 on
    if roles[:2] == ["void", "background"]:
        if "ignore" not in lines[0].casefold():
            raise UserError(
                f"{path}: void and the background are the first two lines, which does not say which of them is 0 in "
                f"the masks. Write the numbers before all names, as in '0: {lines[0]}' and '1: {lines[1]}'."
            )
        above = 2
    elif roles and roles[0] != "class":
        above = 1
    if "background" in roles[above:] and "background" not in roles[:above]:
        late = lines[roles.index("background")]
        raise UserError(
            f"{path}: '{late}' is the background, which is 0 in masks, but it is not the first line. Move it there, "
            f"with the class of value 1 below it; or write the values before all names, as in '0: {late}'."
        )
    return _listed(list(enumerate(lines, 1 - above)), path)


def read_label_map(path: Path) -> ListedClasses:
    """Read ``labelmap.txt`` as CVAT writes it: ``name:red,green,blue:parts:actions`` a line.

    With the background in the first line, line n counts from 0 and is mask value n; without one, from 1. Masks in
    colours are read by the colours.

    Raises:
        UserError: unreadable, another form, a colour twice, or names that cannot be used.
    """
    entries: list[tuple[int, str]] = []
    painted: list[tuple[tuple[int, int, int], str]] = []
    for line in file_lines(path):
        if line.startswith("#"):
            continue
        match = _LABEL_MAP_LINE.fullmatch(line)
        if match is None:
            raise UserError(f"{path}: the line '{line}' is not of the form name:red,green,blue:parts:actions.")
        entries.append((len(entries), match[1].strip()))
        if match[2]:
            red, green, blue = (int(part) for part in match[2].split(","))
            painted.append(((red, green, blue), match[1].strip()))
    if "background" not in {role_of_name(name) for _, name in entries}:
        entries = [(number + 1, name) for number, name in entries]
    listed = _listed(entries, path)
    meaning = {name: value for (_, name), value in zip(entries, _meanings([name for _, name in entries]), strict=True)}
    colours = {colour: meaning[name] for colour, name in painted}
    if len(colours) < len(painted):
        raise UserError(f"{path}: two labels have the same colour; give each a colour of its own.")
    return replace(listed, has_background=bool(listed.has_background), colours=colours or None)


def find_class_list(folder: Path) -> ListedClasses | None:
    """What the first of classes.txt, class_names.txt (labelme) and labelmap.txt (CVAT) in a folder says; None without.

    Raises:
        UserError: see :func:`read_class_file` and :func:`read_label_map`.
    """
    for name, read in CLASS_LISTS.items():
        if (folder / name).exists():
            return read(folder / name)
    return None


#: File name -> how it is read; the first one that is there counts.
CLASS_LISTS: dict[str, Callable[[Path], ListedClasses]] = {
    "classes.txt": read_class_file,
    "class_names.txt": read_class_file,
    "labelmap.txt": read_label_map,
}


def _numbered(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    """(number, name) of each line, if every line begins with the value that its name has in masks; else None."""
    found = [_NUMBERED.fullmatch(line) for line in lines]
    if not lines or not all(found):
        return None
    entries = [(int(match[1]), match[3].strip()) for match in found if match]
    numbers = [number for number, _ in entries]
    if len({name.casefold() for _, name in entries}) < len(lines) or len(set(numbers)) < len(lines):
        return None  # '1 Euro' and '2 Euro' are names
    # A blank between is not enough to make '50 Cent' a class of the value 50.
    is_count = numbers[0] in (-1, 0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return entries if is_count or all(match[2] in ":;,=|\t" for match in found if match) else None


def _meanings(names: Sequence[str]) -> list[int]:
    """What each name of a list stands for: 0 background, 255 void, k + 1 for the k-th that is a class."""
    found, classes = [], 0
    for role in map(role_of_name, names):
        classes += role == "class"
        found.append({"background": BACKGROUND, "void": VOID}.get(role, classes))
    return found


def _listed(entries: Sequence[tuple[int, str]], path: Path, notes: tuple[str, ...] = ()) -> ListedClasses:
    """The classes of (mask value, name) entries, in the order of their values."""
    entries = sorted(entries)
    written = [name for _, name in entries]
    meanings = _meanings(written)
    check_class_names([name for name in written if role_of_name(name) == "class"], str(path))
    if meanings.count(BACKGROUND) > 1:
        twice = [name for name in written if role_of_name(name) == "background"]
        raise UserError(f"{path}: '{twice[0]}' and '{twice[1]}' are both the background; take one of them out.")
    values: dict[int, int] = {}
    not_for_masks = ""
    for (value, name), meaning in zip(entries, meanings, strict=True):
        if meaning not in (BACKGROUND, VOID) and not 0 <= value <= MAX_CLASSES:
            raise UserError(f"{path}: '{name}' has the mask value {value}; classes can have 1 to {MAX_CLASSES}.")
        if meaning not in (BACKGROUND, VOID) and value == BACKGROUND:
            not_for_masks = (
                f"{path}: '{name}' has the number 0, which is the background in masks. If it is so in these masks, "
                "write '0: background' and number the classes as they do. If 0 is a class in them, add 1 to all values "
                "of the masks, and to the numbers."
            )
        if meaning in (BACKGROUND, VOID) and name.casefold() not in ("background", "void"):
            what = "the background" if meaning == BACKGROUND else "void, which no score counts"
            notes = (*notes, f"{path.name}: '{name}' is taken as {what}.")
        if 0 <= value < VOID:
            values[value] = meaning
    has_background = True if BACKGROUND in meanings else None
    if values.get(BACKGROUND) == VOID:
        has_background = False if has_background is None else has_background
    if has_background is None:
        values[BACKGROUND] = BACKGROUND  # whether it occurs in the masks decides
    return ListedClasses(
        tuple(name for name, meaning in zip(written, meanings, strict=True) if meaning not in (BACKGROUND, VOID)),
        has_background,
        None if not_for_masks or all(value == meaning for value, meaning in values.items()) else values,
        notes=notes,
        not_for_masks=not_for_masks,
    )


def check_class_names(names: Sequence[str], where: str) -> None:
    """Raise UserError unless there are 1 to 254 different names."""
    if not names:
        raise UserError(f"{where}: no class is named; write one class name a line.")
    if len(names) > MAX_CLASSES:
        raise UserError(f"{where}: {len(names)} classes are named; masks can tell at most {MAX_CLASSES} apart.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{where}: the class name {twice[0]!r} occurs more than once.")


def masks_have_background(folder: Path, masks: Sequence[str]) -> bool:
    """Whether value 0 occurs in up to 64 of a folder's masks, spread evenly over the list; True without any mask.

    Looking at every mask of a large set would take minutes, and a set with a background shows it in nearly every
    mask, so the search mostly ends at the first one. If a set is taken to be without background wrongly, a later
    mask with a 0 is a fault that says how to put it right - it never becomes a wrong score. Unreadable masks are
    passed over here; ``data check`` reports them.
    """
    readable = 0
    for mask in _spread(folder, masks, MASKS_LOOKED_AT):
        readable += 1
        if (mask == BACKGROUND).any():
            return True
    return readable == 0


def stray_zeros_note(folder: Path, masks: Sequence[str], look_at: int = MASKS_LOOKED_AT) -> str | None:
    """A sentence where so few pixels are 0 that they may be strays, though they decide that there is a background.

    None where there are enough of them, or none at all. For a set whose classes.txt does not say ``background``.
    """
    zeros = pixels = showing = readable = 0
    for mask in _spread(folder, masks, look_at):
        count = int(np.count_nonzero(mask == BACKGROUND))
        zeros, pixels, showing, readable = zeros + count, pixels + mask.size, showing + (count > 0), readable + 1
    if not 0 < zeros < STRAY_SHARE * pixels:
        return None
    return (
        f"This set is taken to have a background class, because of {zeros} pixels of value 0 in {showing} of the "
        f"{readable} masks looked at; they are {100 * zeros / pixels:.2g} % of the pixels. Runs with a background "
        "cannot be compared with runs without one, so say which it is: write as the first line of classes.txt, above "
        "the names of all classes, 'background' if 0 is background, or 'void' if these are strays, which then count as "
        "255 (void) does."
    )


def _spread(folder: Path, masks: Sequence[str], count: int) -> Iterator[np.ndarray]:
    """Up to ``count`` masks, spread evenly over the list, but for those that cannot be read."""
    for index in np.unique(np.linspace(0, len(masks) - 1, min(count, len(masks))).round().astype(int)):
        try:
            yield read_mask(folder / masks[index])
        except PhotoError:
            continue
