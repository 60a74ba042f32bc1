"""Paths as people type them and as records from elsewhere hold them, and names that people may give to folders."""

import re
from pathlib import Path

from recam_core.errors import UserError
from recam_core.guest import NOT_SHOWN, guest
from recam_core.home import ROOT, assets_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
#: Names that Windows gives to devices; a folder may be copied there.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
#: What the name of a folder is, for messages.
RULE = "use up to 60 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"


def typed_path(text: str) -> Path | None:
    """The path with its ~ replaced; None for a text that leads nowhere: a ~ of no user, a loop of links, a name that
    is longer than a file system takes; and what a guest may not see.
    """
    one = guest()
    return _that_leads(text if one is None else one.path(text))


def pictures_path(root: str) -> Path | None:
    """As :func:`typed_path`, of the root of a data set.

    Raises:
        UserError: a guest may not see it, whether it is there or not.
    """
    one = guest()
    if one is None:
        return typed_path(root)
    if (path := one.pictures(root)) is None:
        raise UserError(NOT_SHOWN)
    return _that_leads(path)


def _that_leads(path: str | Path | None) -> Path | None:
    if path is None:
        return None
    try:
        path = Path(path).expanduser() if isinstance(path, str) else path
        path.resolve().exists()
    except (OSError, RuntimeError, ValueError):
        return None
    return path


def as_typed(path: Path) -> Path:
    """A path as one types it in the project's folder; one of a guest as if that were theirs."""
    path, one = path.absolute(), guest()
    if one is not None and path.is_relative_to(one.folder):
        return path.relative_to(one.folder)
    if one is not None and path.is_relative_to(shipped := assets_folder().absolute()):
        return "assets" / path.relative_to(shipped)
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def is_plain_name(name: str) -> bool:
    """Whether a folder can have this name anywhere."""
    return bool(_NAME.fullmatch(name)) and not name.endswith(".") and name.split(".")[0].lower() not in _DEVICES


def plain_name(text: str, usual: str) -> str:
    """The nearest such name to a text; ``usual`` where nothing of it is left."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:60].rstrip(".")
    return name if is_plain_name(name) else usual
