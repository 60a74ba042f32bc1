"""The features of the last bench, kept in memory, so that the next experiment on it begins at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from app.catalogue import Entry
from app.models import device
from recam_core.checkpoint.run_folder import load_run
from recam_core.experiments.axes import Axis
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.grid import grid
from recam_core.experiments.lab import HeadLab, open_lab
from recam_core.experiments.protocol import Protocol
from recam_core.progress import ProgressFn
from recam_core.retrain.head_recipe import HeadRecipe


@dataclass
class OpenBench:
    """A bench with its features.

    Attributes:
        lab: the core's bench, on a network of its own: the viewer goes on using the shared one meanwhile.
        grids: what was tried in the last grid, by its settings: advice for another pair needs no new heads.
    """

    lab: HeadLab
    grids: dict[tuple, Experiment] = field(default_factory=dict)

    def grid(self, x: Axis, y: Axis, seeds: Sequence[int], base: HeadRecipe, progress: ProgressFn) -> Experiment:
        """A grid, from memory where it was the last one."""
        key = (x, y, tuple(seeds), base)
        if key not in self.grids:
            found = grid(self.lab, x, y, seeds, base, progress)
            self.grids = {key: found}
        return self.grids[key]


@dataclass
class _Shelf:
    """One bench at a time: its features may be gigabytes. Only jobs open benches, and these take turns."""

    key: tuple = ()
    bench: OpenBench | None = None


@st.cache_resource(show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


def open_bench(entry: Entry, protocol: Protocol, exact: bool, progress: ProgressFn) -> OpenBench:
    """The bench, as it was left by the last job or opened anew.

    Raises:
        UserError: see :func:`recam_core.experiments.lab.open_lab`.
    """
    shelf, key = _shelf(), (str(entry.path), entry.info.weights_sha256, protocol, exact)
    if shelf.bench is None or shelf.key != key:
        shelf.key, shelf.bench = (), None  # before the next one, so that both are never in memory
        shelf.bench = OpenBench(open_lab(load_run(entry.path, device()), protocol, exact, progress))
        shelf.key = key
    return shelf.bench
