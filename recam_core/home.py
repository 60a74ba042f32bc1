"""Where the lab lives: what ships with it, and the folder that holds what people make with it."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

_NAME = "recam-lab"
_PACKAGE = Path(__file__).resolve().parent
#: A wheel carries what ships inside the package; a clone has it beside.
INSTALLED = (_PACKAGE / "assets").is_dir()
#: What ships: checkpoints, their maps, the gallery's outlines.
ASSETS = (_PACKAGE if INSTALLED else _PACKAGE.parent) / "assets"
#: Holds ``runs`` and ``data``: the clone, or the user's folder of data where the package is installed. Paths in the
#: commands that runs record begin here.
ROOT = user_data_path(_NAME, appauthor=False) if INSTALLED else _PACKAGE.parent
#: Holds what can be computed again; clones share it.
CACHE = user_cache_path(_NAME, appauthor=False)


def assets_folder() -> Path:
    """The folder of what ships: :data:`ASSETS`, unless ``RECAM_ASSETS`` in the environment names another one."""
    return Path(os.environ.get("RECAM_ASSETS") or ASSETS)
