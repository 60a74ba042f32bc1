"""What is looked at: a cell of the confusion matrix or several, or all false pixels of a class; and other choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from app.links import keep, kept
from app.shared_state import CELL_ARRIVING

#: In the place of a class: any other one.
ANY = -1
#: Cells that are looked at together: more would make a link too long.
MOST_PAIRS = 50
_IN_ADDRESS = "cell"


@dataclass(frozen=True)
class Selection:
    """Values are 0 for the background (or unlabelled), k + 1 for class k, or :data:`ANY`.

    Attributes:
        truth: what the ground truth says; ANY for the false positives of ``predicted``.
        predicted: what the seeds say; ANY for the false negatives of ``truth``; ANY in both places is every
            wrong pixel.
        pairs: several cells together, with ANY in both places above; () for what these say.
    """

    truth: int
    predicted: int
    pairs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, cells: Sequence[tuple[int, int]]) -> "Selection":
        """One cell or several."""
        return cls(*cells[0]) if len(cells) == 1 else cls(ANY, ANY, tuple(cells))

    @property
    def each(self) -> tuple[tuple[int, int], ...]:
        """Ground truth and prediction, of every cell that it names."""
        return self.pairs or ((self.truth, self.predicted),)

    @property
    def name(self) -> str:
        """Short and unique, for links and keys."""
        return ",".join(".".join("any" if value == ANY else str(value) for value in cell) for cell in self.each)

    @property
    def values(self) -> tuple[int, ...]:
        """The values that are named."""
        return tuple(dict.fromkeys(value for cell in self.each for value in cell if value != ANY))

    def cells(self, values: int) -> np.ndarray:
        """values x values, bool: the cells of the matrix that it stands for."""
        chosen = np.zeros((values, values), dtype=bool)
        if self.pairs:
            chosen[tuple(np.array(self.pairs).T)] = True
            return chosen
        rows = slice(None) if self.truth == ANY else self.truth
        columns = slice(None) if self.predicted == ANY else self.predicted
        chosen[rows, columns] = True
        if ANY in (self.truth, self.predicted):
            np.fill_diagonal(chosen, False)
        return chosen

    def words(self, names: tuple[str, ...]) -> str:
        """A heading: what is confused with what."""
        if self.pairs:
            return f"{len(self.pairs)} pairs of classes"
        if self.truth == ANY:
            return f"false positives of {names[self.predicted]}"
        if self.predicted == ANY:
            return f"false negatives of {names[self.truth]}"
        if self.truth == self.predicted:
            return f"{names[self.truth]}, rightly found"
        return f"{names[self.truth]} taken for {names[self.predicted]}"


def select(truth: int, predicted: int) -> None:
    """Look at these pixels from the next run on."""
    select_cells([(truth, predicted)])


def select_cells(cells: Sequence[tuple[int, int]]) -> None:
    """Look at these cells, at least one, from the next run on; of too many, at the first ones."""
    st.session_state["confusions_selection"] = tuple(dict.fromkeys(cells))[:MOST_PAIRS]


def selection(values: int, usual: Selection) -> Selection:
    """What is looked at: chosen on the page, or named by the address, or ``usual``.

    Args:
        values: K + 1; anything beyond, as a choice made for other classes may be, falls back to ``usual``.
        usual: to begin with.
    """
    if CELL_ARRIVING.pop(False):
        st.session_state.pop("confusions_selection", None)
    wanted = st.session_state.get("confusions_selection") or _from_address()
    found = Selection.of(wanted) if wanted and _fits(wanted, values) else usual
    keep(_IN_ADDRESS, "" if found == usual else found.name)
    return found


def _fits(cells: Sequence[tuple[int, int]], values: int) -> bool:
    """Whether each cell names a class, and of several each names two."""
    named = [[value for value in cell if value != ANY] for cell in cells]
    whole = 1 if len(cells) == 1 else 2
    return all(len(cell) >= whole and all(0 <= value < values for value in cell) for cell in named)


def _from_address() -> tuple[tuple[int, int], ...]:
    """The cells that the address names; none where it makes no sense."""
    found = []
    for cell in dict.fromkeys(kept(_IN_ADDRESS).split(",")):
        parts = cell.split(".")
        if len(parts) != 2 or not all(part == "any" or (part.isascii() and part.isdigit()) for part in parts):
            return ()
        truth, predicted = (ANY if part == "any" else int(part[:9]) for part in parts)
        found.append((truth, predicted))
    return tuple(found[:MOST_PAIRS])


def kept_choice(
    label: str,
    options: Mapping[str, str],
    *,
    key: str,
    wanted: str,
    parameter: str,
    usual: str,
    help: str | None = None,
    width: int | Literal["stretch"] = "stretch",
    is_labelled: bool = False,
    disabled: bool = False,
) -> str:
    """A list whose choice the address keeps, and which has it again when an option that was gone comes back.

    Args:
        label: of the list.
        options: what there is to choose, with the words for it.
        key: of the widget.
        wanted: of the session: what was chosen last, whether it is there now or not.
        parameter: of the address.
        usual: one of the options, to begin with.
        help, width, disabled: as for ``st.selectbox``.
        is_labelled: whether the label is shown.
    """
    last = st.session_state.setdefault(wanted, kept(parameter, usual))
    st.session_state[key] = last if last in options else usual

    def choose() -> None:
        st.session_state[wanted] = st.session_state[key]

    chosen = st.selectbox(
        label, list(options), format_func=options.__getitem__, key=key, help=help, width=width, disabled=disabled,
        on_change=choose, label_visibility="visible" if is_labelled else "collapsed",
    )  # fmt: skip
    keep(parameter, chosen, usual)
    return chosen
