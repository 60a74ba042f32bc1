"""Puts the viewer on a page, and hears what it reports."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.viewer.view import checked_view
from recam_core.views.viewer_payload import ViewerPayload

_HERE = Path(__file__).resolve().parent
#: One concept a file; a file uses only what those before it define when it is read.
_SCRIPTS = (
    "elements", "picture", "enlarge", "view", "codes", "scores", "viewport", "photo", "paint",
    "probe", "profile", "pane", "overmarks", "legend", "arrangement", "toolbar", "gestures", "keyboard", "report",
    "viewer", "main",
)  # fmt: skip


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


_component = st.components.v2.component(
    "recam_viewer",
    html=_read("viewer.html"),
    css=_read("viewer.css"),
    js="\n".join(_read(f"js/{name}.js") for name in _SCRIPTS),
)


def viewer(
    payload: ViewerPayload,
    view: Mapping[str, Any] | None = None,
    *,
    key: str = "viewer",
    can_step: bool = False,
) -> dict[str, Any]:
    """Show one picture.

    The picture goes to the browser once: a run of the script that changes neither picture nor ``view`` makes the same
    message to the byte, and Streamlit then sends a reference to it. What the hand has set stays when another picture
    comes.

    Args:
        payload: the picture.
        view: what to show it with, any of the fields of :data:`~app.viewer.view.FIELDS`; others, and values that they
            cannot have, are ignored. It counts when the viewer first appears, and later only when it differs both from
            what was given before and from what the browser reported: so the reported view can be given back.
        key: names the viewer; one page can have several.
        can_step: whether there are pictures before and after this one, for the arrow keys.

    Returns:
        ``view``: all that the browser has reported of its view, or what was given as long as it has reported nothing.
        ``step``: -1 or 1 where the picture before or after was asked for in this run, else 0.
    """
    wanted = checked_view(view)
    reported = st.session_state.get(key, {}).get("view")
    sent_key = f"{key}:sent"
    sent, revision = st.session_state.get(sent_key, (None, 0))
    is_new = wanted != sent and (reported is None or wanted != _part(checked_view(reported), wanted))
    if sent is None or is_new:
        sent, revision = wanted, revision + 1
    st.session_state[sent_key] = (sent, revision)
    head = json.dumps(
        {"id": payload.id, "view": sent, "revision": revision, "can_step": can_step}, separators=(",", ":")
    ).encode("utf-8")
    result = _component(
        key=key,
        data=len(head).to_bytes(4, "little") + head + payload.content,
        on_view_change=lambda: None,
        on_step_change=lambda: None,
    )
    current = checked_view(result.get("view"))
    return {"view": current or dict(wanted), "step": {-1: -1, 1: 1}.get(result.get("step"), 0)}


def _part(view: Mapping[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``view`` that ``of`` has, too."""
    return {name: value for name, value in view.items() if name in of}
