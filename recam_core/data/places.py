"""Where data sets lie that the app serves: those that were downloaded, and one's own."""

import os
from pathlib import Path

from recam_core.guest import guest
from recam_core.home import ROOT


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
