"""Where data sets lie that the app serves: those that were downloaded, and one's own."""

import os
from pathlib import Path

from recam_core.home import ROOT


def data_root() -> Path:
    """The folder of served data sets, ``data`` in the lab's home, unless the environment's ``RECAM_DATA`` names it."""
    return Path(os.environ.get("RECAM_DATA") or ROOT / "data")
