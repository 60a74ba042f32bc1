"""``classes.txt`` (one name a line), and whether a data set has a background class."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from recam_core.data.image_io import PhotoError
from recam_core.data.mask_io import read_mask
from recam_core.data.sample import BACKGROUND, MAX_CLASSES
from recam_core.data.text_file import read_lines
from recam_core.errors import UserError

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


def role_of_name(name: str) -> NameRole:
    """Whether a class name is in truth the background or void (not scored), as tools write them.

    ``background``, ``_background_``, ``__background__``, ``BG`` and ``0: background`` are the background; ``void``,
    ``__ignore__`` and ``unlabeled`` are void; every other name is a class.
    """
    plain = _NUMBER_BEFORE.sub("", unicodedata.normalize("NFKC", name).strip().casefold(), count=1)
    return _ROLES.get(re.sub(r"[\s_\-'\"*<>\[\]()]", "", plain), "class")


def read_class_file(path: Path) -> tuple[tuple[str, ...], bool]:
    """(K class names, whether the first line is ``background``).

    The line ``background`` is not a class: it states that mask value 0 is background. Line n after it - or of a
    file without it - is the class with mask value n.

    Raises:
        UserError: unreadable, empty, a name twice, or more than 254 names.
    """
    names = read_lines(path)
    explicit = bool(names) and names[0].lower() == "background"
    if explicit:
        names = names[1:]
    check_class_names(names, str(path))
    return tuple(names), explicit


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
        f"{readable} masks looked at; they are {100 * zeros / pixels:.2g} % of the pixels. If 0 is background, write "
        "'background' as the first line of classes.txt, above the names of all classes. If these are strays, mark "
        "them with 255 (void): without a 0 and without such a line the set has no background."
    )


def _spread(folder: Path, masks: Sequence[str], count: int) -> Iterator[np.ndarray]:
    """Up to ``count`` masks, spread evenly over the list, but for those that cannot be read."""
    for index in np.unique(np.linspace(0, len(masks) - 1, min(count, len(masks))).round().astype(int)):
        try:
            yield read_mask(folder / masks[index])
        except PhotoError:
            continue
