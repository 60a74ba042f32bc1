"""What a result of the Lab is to its charts, tables and maps, and which setting of it is looked at."""

import contextlib
from dataclasses import dataclass
from typing import ClassVar, Protocol

import streamlit as st

from app.catalogue import Catalogue, Entry, Family
from app.links import GRID, keep, kept
from recam_core.errors import UserError
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.kept_result import RESULT_FILE, read_result
from recam_core.experiments.lab import SettingResult
from recam_core.queue.kept_grids import KeptGrid
from recam_core.views.charts.setting_points import REFERENCE_PLACE

_POINT = "point"


class LabResult(Protocol):
    """A result as the page shows it, wherever it came from: what chart, table and maps need to know."""

    @property
    def id(self) -> str:
        """It stands in the address of the page."""
        ...

    @property
    def address(self) -> str:
        """The name of the value that it is in the address."""
        ...

    @property
    def entry(self) -> Entry:
        """The run that was started from."""
        ...

    @property
    def command(self) -> str:
        """The command line that does the same."""
        ...

    @property
    def found(self) -> Experiment:
        """What came out."""
        ...

    @property
    def scored(self) -> tuple[str, ...]:
        """Ids of the pictures of the part that reports, in the order of the scores."""
        ...


@dataclass(frozen=True)
class GridResult:
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
        return self.grid.asked.command


def grid_result(grid: KeptGrid, catalogue: Catalogue) -> GridResult:
    """A grid with its result.

    Raises:
        UserError: the result is damaged or gone, or the run that it started from is.
    """
    for family in catalogue.families:
        for entry in family.entries:
            if entry.info.weights_sha256 == grid.asked.weights_sha256:
                changed = (grid.folder / RESULT_FILE).stat().st_mtime_ns if (grid.folder / RESULT_FILE).exists() else 0
                found, scored = _result(grid, changed)
                return GridResult(grid, family, entry, found, scored)
    raise UserError(
        f"The run that {grid.name} started from ({grid.asked.init}) is not there any more, so its result "
        "cannot be shown."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _result(grid: KeptGrid, changed: int) -> tuple[Experiment, tuple[str, ...]]:
    return read_result(grid.folder)


def look_at(job_id: str, place: int | None) -> None:
    """Look at a setting from the next run on; at None, go on looking where one does."""
    if place is not None:
        st.session_state["lab_point"] = (job_id, place)


def looked_at(job: LabResult) -> int | None:
    """The place of the setting that is looked at; None before one was pressed."""
    job_id, place = st.session_state.get("lab_point", (kept(job.address), None))
    if job_id != job.id:
        place = None
    elif place is None:
        with contextlib.suppress(ValueError):
            place = int(kept(_POINT))
    if place is not None and not REFERENCE_PLACE <= place < len(job.found.settings):
        place = None
    keep(_POINT, "" if place is None else str(place))
    return place


def setting_at(job: LabResult, place: int) -> SettingResult:
    """The setting, or the run before it was retrained."""
    return job.found.reference if place == REFERENCE_PLACE else job.found.settings[place]
