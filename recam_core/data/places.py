"""Where data sets lie that the app serves: those that were downloaded, and one's own."""

import os
from pathlib import Path


def data_root() -> Path:
    """The folder of served data sets, the project's ``data/``; ``RECAM_DATA`` in the environment names another one."""
    return Path(os.environ.get("RECAM_DATA") or Path(__file__).resolve().parents[2] / "data")
