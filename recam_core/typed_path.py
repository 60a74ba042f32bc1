"""Paths as people type them, and as records that came from elsewhere hold them."""

from pathlib import Path

from recam_core.errors import UserError
from recam_core.guest import NOT_SHOWN, guest


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
