"""Where things lie: what ships, and the runs, data sets and tags of whoever a thread works for."""

import os
from pathlib import Path

from recam_core.guest import guest
from recam_core.home import ROOT, assets_folder


def shipped_folder() -> Path:
    """The folder of the shipped checkpoints, ``FAMILY/METHOD`` in it; ``RECAM_ASSETS`` names another assets folder."""
    return assets_folder() / "checkpoints"


def shipped_maps_folder() -> Path:
    """The folder of the maps that ship with the project, see :mod:`recam_core.analysis.analysed`."""
    return assets_folder() / "maps"


def shipped_boundaries_folder() -> Path:
    """The folder of the learnt boundaries that ship, see :mod:`recam_core.refine.known_boundaries`."""
    return assets_folder() / "boundaries"


def shipped_theory_folder() -> Path:
    """The folder of the results of figure 1 that ship, see :mod:`recam_core.experiments.figure1`."""
    return assets_folder() / "theory"


def host_runs_folder() -> Path:
    """The folder of the runs of whoever runs the program; the environment variable ``RECAM_RUNS`` names another one."""
    return Path(os.environ.get("RECAM_RUNS") or ROOT / "runs")


def runs_folder() -> Path:
    """The folder of the user's own runs: a guest's, or else :func:`host_runs_folder`."""
    one = guest()
    return host_runs_folder() if one is None else one.runs


def tags_file() -> Path:
    """The book of tags and notes on pictures, beside the user's runs."""
    return runs_folder() / "tags.sqlite"


def data_root() -> Path:
    """The folder of served data sets, ``data`` in the lab's home, unless the environment's ``RECAM_DATA`` names it. Of
    a guest, their own.
    """
    if (one := guest()) is not None:
        return one.data
    return Path(os.environ.get("RECAM_DATA") or ROOT / "data")


def data_roots() -> tuple[Path, ...]:
    """The folders below which the pictures of a record are looked for: :func:`data_root`, and what a guest is shown."""
    one = guest()
    return (data_root(), *(() if one is None else one.shown))
