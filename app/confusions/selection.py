"""The pixels that the galleries are about: one cell of the confusion matrix, or all false pixels of a class."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.links import keep, kept
from app.shared_state import CELL_ARRIVING

#: In the place of a class: any other one.
ANY = -1
_IN_ADDRESS = "cell"


@dataclass(frozen=True)
class Selection:
    """Values are 0 for the background (or unlabelled), k + 1 for class k, or :data:`ANY`.

    Attributes:
        truth: what the ground truth says; ANY for the false positives of ``predicted``.
        predicted: what the seeds say; ANY for the false negatives of ``truth``; ANY in both places is every
            wrong pixel.
    """

    truth: int
    predicted: int

    @property
    def values(self) -> tuple[int, ...]:
        """The values that are named."""
        return tuple(dict.fromkeys(value for value in (self.truth, self.predicted) if value != ANY))

    def cells(self, values: int) -> np.ndarray:
        """values x values, bool: the cells of the matrix that it stands for."""
        chosen = np.zeros((values, values), dtype=bool)
        rows = slice(None) if self.truth == ANY else self.truth
        columns = slice(None) if self.predicted == ANY else self.predicted
        chosen[rows, columns] = True
        if ANY in (self.truth, self.predicted):
            np.fill_diagonal(chosen, False)
        return chosen

    def words(self, names: tuple[str, ...]) -> str:
        """A heading: what is confused with what."""
        if self.truth == ANY:
            return f"false positives of {names[self.predicted]}"
        if self.predicted == ANY:
            return f"false negatives of {names[self.truth]}"
        if self.truth == self.predicted:
            return f"{names[self.truth]}, rightly found"
        return f"{names[self.truth]} taken for {names[self.predicted]}"


def select(truth: int, predicted: int) -> None:
    """Look at these pixels from the next run on."""
    st.session_state["confusions_selection"] = (truth, predicted)


def selection(values: int, usual: Selection) -> Selection:
    """What is looked at: chosen on the page, or named by the address, or ``usual``.

    Args:
        values: K + 1; anything beyond, as a choice made for other classes may be, falls back to ``usual``.
        usual: to begin with.
    """
    if CELL_ARRIVING.pop(False):
        st.session_state.pop("confusions_selection", None)
    wanted = st.session_state.get("confusions_selection") or _from_address()
    found = usual
    if wanted is not None:
        truth, predicted = wanted
        named = [value for value in wanted if value != ANY]
        if named and all(0 <= value < values for value in named):
            found = Selection(truth, predicted)
    keep(_IN_ADDRESS, _written(found), _written(usual))
    return found


def _written(chosen: Selection) -> str:
    return ".".join("any" if value == ANY else str(value) for value in (chosen.truth, chosen.predicted))


def _from_address() -> tuple[int, int] | None:
    parts = kept(_IN_ADDRESS).split(".")
    if len(parts) != 2 or not all(part == "any" or (part.isascii() and part.isdigit()) for part in parts):
        return None
    truth, predicted = (ANY if part == "any" else int(part) for part in parts)
    return truth, predicted
