"""Paths as people type them, and as records that came from elsewhere hold them."""

from pathlib import Path


def typed_path(text: str) -> Path | None:
    """The path with its ~ replaced; None for a text that leads nowhere: a ~ of no user, a loop of links, a name that
    is longer than a file system takes.
    """
    try:
        path = Path(text).expanduser()
        path.resolve().exists()
    except (OSError, RuntimeError, ValueError):
        return None
    return path
