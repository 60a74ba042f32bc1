"""Masks of photographs that EXIF data turn: drawn on the picture as it is stored, or on the upright one."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.data.image_io import UPRIGHT, PhotoError, stored_form, turned
from recam_core.data.mask_io import mask_size
from recam_core.errors import UserError
from recam_core.file_reader import file_lines

#: What masks were drawn on: the picture as its file stores it, or turned upright.
Drawn = Literal["stored", "upright"]
DRAWN: tuple[Drawn, ...] = ("stored", "upright")
#: The file in a data set's folder that says it in one word, where sizes do not.
DRAWN_FILE = "masks_drawn_on.txt"
#: How a mask came to lie as it does: its size fits only so; other masks of the set do; the file says it; nothing says.
How = Literal["size", "others", "file", "unclear"]
#: So many pairs of the set are looked at for what sizes say.
MOST_PAIRS = 20_000


def say_drawn(folder: Path, drawn: Drawn) -> Path:
    """Write down what the masks of a data set were drawn on.

    Raises:
        UserError: another word, or the file cannot be written.
    """
    if drawn not in DRAWN:
        raise UserError(f"Masks are drawn on pictures that are {' or '.join(DRAWN)}, not '{drawn}'.")
    path = folder / DRAWN_FILE
    with replacing_file(path) as temporary:
        temporary.write_text(f"{drawn}\n", encoding="utf-8")
    return path


class MaskTurns:
    """Turns the masks of one data set with their pictures, where that is called for, and remembers which.

    Args:
        folder: of the data set, where the choice may lie; None for sets without such a folder.
        pairs: the photographs of the whole set with their masks, not of one split: all splits must agree.

    Raises:
        UserError: the file of the choice says something else.
    """

    def __init__(self, folder: Path | None, pairs: Callable[[], Iterable[tuple[Path, Path]]]):
        self._pairs = pairs
        self._by_others: Drawn | None = None
        self._has_asked = False
        self._forms: dict[str, tuple[int, tuple[int, int]]] = {}
        self.chosen = None if folder is None else _choice(folder)
        #: Index of the picture -> what its mask was drawn on, and how that is known; of pictures that EXIF data turn.
        self.met: dict[int, tuple[Drawn, How]] = {}

    def as_seen(self, index: int, photo: str, mask: np.ndarray) -> np.ndarray:
        """A mask (H x W) as it lies on the upright picture, which is another array only where it had to be turned."""
        drawn = self.decide(index, photo, mask.shape)
        return turned(mask, self._form(photo)[0]) if drawn == "stored" else mask

    def decide(self, index: int, photo: str, size: tuple[int, ...]) -> Drawn:
        """What a mask of this size (height, width) was drawn on; "upright" for pictures that nothing turns."""
        orientation, stored = self._form(photo)
        if orientation == UPRIGHT or size not in (stored, stored[::-1]):
            return "upright"
        if orientation >= 5 and stored[0] != stored[1]:  # a quarter turn of an oblong picture: the size tells
            found: tuple[Drawn, How] = ("stored" if size == stored else "upright", "size")
        elif self.chosen is not None:
            found = self.chosen, "file"
        elif (others := self._of_others()) is not None:
            found = others, "others"
        else:
            found = "upright", "unclear"
        self.met[index] = found
        return found[0]

    def _form(self, photo: str) -> tuple[int, tuple[int, int]]:
        if photo not in self._forms:
            try:
                self._forms[photo] = stored_form(photo)
            except PhotoError:
                return UPRIGHT, (0, 0)  # whoever reads the photograph says what is wrong with it
        return self._forms[photo]

    def _of_others(self) -> Drawn | None:
        """What the sizes of other masks say, where they all say the same; looked for once."""
        if not self._has_asked:
            said: set[Drawn] = set()
            for count, (photo, mask) in enumerate(self._pairs()):
                orientation, stored = self._form(str(photo))
                if orientation >= 5 and stored[0] != stored[1] and (size := mask_size(mask)) in (stored, stored[::-1]):
                    said.add("stored" if size == stored else "upright")
                if len(said) > 1 or count >= MOST_PAIRS:
                    break
            self._by_others = said.pop() if len(said) == 1 else None
            self._has_asked = True
        return self._by_others

    def note(self, index: int) -> str:
        """A sentence on one mask that was met; "" for one that nothing turns."""
        drawn, how = self.met.get(index, ("upright", "size"))
        if how == "unclear":
            return f"{TURNED_PICTURE} The mask would fit either way, and is taken as drawn on the upright picture."
        return f"{TURNED_PICTURE} So was the mask, which was drawn on it as stored." if drawn == "stored" else ""

    def notes(self, ids: Sequence[str]) -> list[str]:
        """Sentences on the masks that were met, by how it is known what they were drawn on."""
        found = []
        for how in ("size", "others", "file"):
            if stored := [ids[index] for index, met in sorted(self.met.items()) if met == ("stored", how)]:
                why = {
                    "size": "as their sizes say",
                    "others": "as the sizes of other masks of the set say",
                    "file": f"as {DRAWN_FILE} says",
                }[how]
                other = f" If that is wrong, write 'upright' into {DRAWN_FILE}." if how == "others" else ""
                found.append(
                    f"{_masks(stored)} drawn on the picture as it is stored, {why}, and turned upright with it as its "
                    f"EXIF data ask for.{other}"
                )
        if unclear := [ids[index] for index, met in sorted(self.met.items()) if met[1] == "unclear"]:
            found.append(
                f"{_masks(unclear)} taken as drawn on the upright picture, though nothing says so: EXIF data turn the "
                f"picture, and the sizes fit either way. {HOW_TO_SAY}"
            )
        return found


TURNED_PICTURE = "The picture was turned upright as its EXIF data say."
#: What to do about masks of which nothing says what they were drawn on.
HOW_TO_SAY = (
    f"Say it in a file {DRAWN_FILE} in the folder of the data set: 'upright', or 'stored' where the tool that drew the "
    "masks ignores EXIF rotations."
)


def _masks(ids: Sequence[str]) -> str:
    listed = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids)} masks ({listed}) are" if len(ids) > 1 else f"1 mask ({listed}) is"


def _choice(folder: Path) -> Drawn | None:
    path = folder / DRAWN_FILE
    if not path.exists():
        return None
    words = [line.lower() for line in file_lines(path)]
    for drawn in DRAWN:
        if words == [drawn]:
            return drawn
    raise UserError(f"{path}: this file holds one word, {' or '.join(repr(word) for word in DRAWN)}.")
