"""``classes.txt`` (one name a line), and whether a data set has a background class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recam_core.data.image_io import PhotoError
from recam_core.data.mask_io import read_mask
from recam_core.data.sample import BACKGROUND, MAX_CLASSES
from recam_core.data.text_file import read_lines
from recam_core.errors import UserError

#: How many masks are looked at to find out whether 0 occurs.
MASKS_LOOKED_AT = 64


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
    if not masks:
        return True
    chosen = np.unique(np.linspace(0, len(masks) - 1, min(MASKS_LOOKED_AT, len(masks))).round().astype(int))
    readable = 0
    for index in chosen:
        try:
            mask = read_mask(folder / masks[index])
        except PhotoError:
            continue
        readable += 1
        if (mask == BACKGROUND).any():
            return True
    return readable == 0
