"""The viewer's own files: plain HTML, CSS and JavaScript, which the app mounts and exported pages carry inside them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from recam_core.views.viewer_payload import ViewerPayload

_HERE = Path(__file__).resolve().parent / "viewer"
#: One concept a file; a file uses only what those before it define when it is read.
_SCRIPTS = (
    "elements", "picture", "enlarge", "view", "codes", "scores", "viewport", "photo", "paint",
    "probe", "profile", "pane", "overmarks", "legend", "arrangement", "toolbar", "gestures", "keyboard", "report",
    "viewer", "main",
)  # fmt: skip


def viewer_html() -> str:
    """The elements of the viewer, without anything around them."""
    return _read("viewer.html")


def viewer_css() -> str:
    """The style sheet: of a shadow root, and in the colours of custom properties ``--st-...`` around it."""
    return _read("viewer.css")


def viewer_script() -> str:
    """All scripts as one module; ``show``, its default export, is the way in."""
    return "\n".join(_read(f"js/{name}.js") for name in _SCRIPTS)


@cache
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def viewer_message(
    payload: ViewerPayload,
    view: Mapping[str, Any],
    revision: int = 1,
    *,
    can_step: bool = False,
    presenting: bool = False,
) -> bytes:
    """What ``show`` is given as ``data``: a header (JSON in UTF-8) behind its length of 4 bytes, then the picture.

    Args:
        payload: the picture.
        view: what to show it with; the viewer leaves out what it does not know.
        revision: number of this view; the viewer takes ``view`` over whenever it is a new one.
        can_step: whether there are pictures before and after this one.
        presenting: without controls and in large type.
    """
    head = json.dumps(
        {
            "id": payload.id,
            "view": dict(view),
            "revision": revision,
            "can_step": can_step,
            "presenting": presenting,
        },
        separators=(",", ":"),
    ).encode("utf-8")
    return len(head).to_bytes(4, "little") + head + payload.content
