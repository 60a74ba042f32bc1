"""File names made from titles and ids, which may hold anything."""

import re

#: Long enough for any title, short enough for any file system.
_LONGEST = 80


def file_name(*parts: str, suffix: str = "") -> str:
    """A name without folders, spaces or leading dots, such as ``val_00003-ReCAM.png``.

    Args:
        parts: joined by a hyphen; empty ones are left out.
        suffix: with its dot; kept whole.
    """
    cleaned = (re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("._-") for part in parts)
    return ("-".join(part for part in cleaned if part)[:_LONGEST] or "recam") + suffix
