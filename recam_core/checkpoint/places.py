"""Where runs lie: those that ship with the project, and the user's own."""

import os
from pathlib import Path

from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.guest import guest
from recam_core.home import ROOT, assets_folder


def shipped_folder() -> Path:
    """The folder of the shipped checkpoints, ``FAMILY/METHOD`` in it; ``RECAM_ASSETS`` names another assets folder."""
    return assets_folder() / "checkpoints"


def shipped_maps_folder() -> Path:
    """The folder of the maps that ship with the project, see :mod:`recam_core.analysis.analysed`."""
    return assets_folder() / "maps"


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


def as_typed(path: Path) -> Path:
    """A path as one types it in the project's folder; one of a guest as if that were theirs."""
    path, one = path.absolute(), guest()
    if one is not None and path.is_relative_to(one.folder):
        return path.relative_to(one.folder)
    if one is not None and path.is_relative_to(shipped := assets_folder().absolute()):
        return "assets" / path.relative_to(shipped)
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def tags_file() -> Path:
    """The book of tags and notes on pictures, beside the user's runs."""
    return runs_folder() / "tags.sqlite"


def run_folders(folder: str | Path, depth: int = 2) -> list[Path]:
    """The run folders at most ``depth`` levels inside ``folder``, or the folder itself if it is a run; sorted."""
    folder = Path(folder)
    patterns = ["/".join(["*"] * level + [INFO_FILE]) for level in range(depth + 1)]
    found = {record.parent for pattern in patterns for record in folder.glob(pattern)}
    # A name with a leading dot is a folder that is just being written.
    return sorted(path for path in found if not path.name.startswith("."))
