"""A result as the page shows it, wherever it came from."""

from typing import Protocol

from app.catalogue import Entry
from recam_core.experiments.experiment import Experiment


class Shown(Protocol):
    """What chart, table and maps need to know.

    Attributes:
        id: stands in the address of the page.
        address: the name of the value that it is in the address.
        entry: the run that was started from.
        command: the command line that does the same.
        found: what came out.
        scored: ids of the pictures of the part that reports, in the order of the scores.
    """

    id: str
    command: str
    found: Experiment | None
    scored: tuple[str, ...]

    @property
    def address(self) -> str: ...

    @property
    def entry(self) -> Entry: ...
