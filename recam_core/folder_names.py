"""Names that a person may give to a folder: plain on every system."""

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
#: Names that Windows gives to devices; a folder may be copied there.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
#: What such a name is, for messages.
RULE = "use up to 60 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"


def is_plain_name(name: str) -> bool:
    """Whether a folder can have this name anywhere."""
    return bool(_NAME.fullmatch(name)) and not name.endswith(".") and name.split(".")[0].lower() not in _DEVICES


def plain_name(text: str, usual: str) -> str:
    """The nearest such name to a text; ``usual`` where nothing of it is left."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:60].rstrip(".")
    return name if is_plain_name(name) else usual
