"""The kept result of a grid of full trainings, as the page shows it."""

from dataclasses import dataclass
from typing import ClassVar

import streamlit as st

from app.catalogue import Catalogue, Entry, Family
from app.links import GRID
from recam_core.errors import UserError
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.kept_result import RESULT_FILE, read_result
from recam_core.queue.kept_grids import KeptGrid


@dataclass(frozen=True)
class ShownGrid:
    """A result of full trainings.

    Attributes:
        grid: where it lies, and what it was asked to do.
        family: of the run that its trainings started from.
        entry: that run.
        found: what came out.
        scored: ids of the pictures of the part that reports, in the order of the scores.
    """

    grid: KeptGrid
    family: Family
    entry: Entry
    found: Experiment
    scored: tuple[str, ...]

    #: The value of the page's address that names the grid.
    address: ClassVar[str] = GRID

    @property
    def id(self) -> str:
        """The name of the grid."""
        return self.grid.name

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return self.grid.command


def shown_grid(grid: KeptGrid, catalogue: Catalogue) -> ShownGrid:
    """A grid with its result.

    Raises:
        UserError: the result is damaged or gone, or the run that it started from is.
    """
    for family in catalogue.families:
        for entry in family.entries:
            if entry.info.weights_sha256 == grid.weights_sha256:
                changed = (grid.folder / RESULT_FILE).stat().st_mtime_ns if (grid.folder / RESULT_FILE).exists() else 0
                found, scored = _result(grid, changed)
                return ShownGrid(grid, family, entry, found, scored)
    raise UserError(
        f"The run that {grid.name} started from ({grid.init}) is not there any more, so its result cannot be shown."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _result(grid: KeptGrid, changed: int) -> tuple[Experiment, tuple[str, ...]]:
    return read_result(grid.folder)
