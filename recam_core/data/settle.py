"""What the files of a data set leave open, settled by a choice that is written beside them."""

from typing import Literal

from recam_core.atomic_write import replacing_file
from recam_core.data.mask_turns import Drawn, say_drawn
from recam_core.data.sample import Dataset
from recam_core.data.subset import Subset
from recam_core.errors import UserError
from recam_core.guest import refuse_writing

#: What may be open: whether there is a background, and what masks were drawn on.
Choice = Literal["background", "masks drawn on"]


def open_choices(dataset: Dataset) -> tuple[Choice, ...]:
    """What was decided of a data set by little or nothing, after its masks were read."""
    found: list[Choice] = []
    if getattr(dataset, "background_notes", list)():
        found.append("background")
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    turns = getattr(whole, "turns", None)
    if turns is not None and any(how in ("unclear", "others") for _, how in turns.met.values()):
        found.append("masks drawn on")
    return tuple(found)


def settle_background(dataset: Dataset, has_background: bool) -> None:
    """Write as the first line of classes.txt whether mask value 0 is background, or void.

    Raises:
        UserError: the set states it already, is of no folder, or its list is not a plain one; or no right to write.
    """
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    home, listed = getattr(whole, "home", None), getattr(whole, "listed", None)
    if home is None or getattr(whole, "undeclared", None) is None:
        raise UserError(f"{dataset.spec}: whether there is a background is stated, so there is nothing to settle.")
    if listed is not None and (listed.values is not None or listed.notes):
        raise UserError(f"{dataset.spec}: the list of classes holds more than names; change it by hand.")
    refuse_writing(home)
    lines = ["background" if has_background else "void", *dataset.classes.names]
    with replacing_file(home / "classes.txt") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def settle_drawn(dataset: Dataset, drawn: Drawn) -> None:
    """Write down what the masks of a data set were drawn on, photographs as stored or upright.

    Raises:
        UserError: the set is of no folder, or no right to write.
    """
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    home = getattr(whole, "home", None)
    if home is None:
        raise UserError(f"{dataset.spec} is no set of photographs with masks in files, so there is nothing to settle.")
    refuse_writing(home)
    say_drawn(home, drawn)
