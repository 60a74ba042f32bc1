"""Puts the viewer on a page, and hears what it reports."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.viewer.exchange import exchanged
from recam_core.views.viewer_payload import ViewerPayload, viewer_css, viewer_html, viewer_message, viewer_script

_component = st.components.v2.component("recam_viewer", html=viewer_html(), css=viewer_css(), js=viewer_script())


def viewer(
    payload: ViewerPayload,
    view: Mapping[str, Any] | None = None,
    *,
    key: str,
    can_step: bool = False,
    presenting: bool = False,
    insists: bool = False,
) -> dict[str, Any]:
    """Show one picture.

    The picture goes to the browser once: a run of the script that changes neither picture nor ``view`` makes the same
    message to the byte, and Streamlit then sends a reference to it. What the hand has set stays when another picture
    comes.

    Args:
        payload: the picture.
        view: what to show it with, any of the fields of :data:`~app.viewer.view.FIELDS`; others, and values that they
            cannot have, are ignored. It counts when the viewer appears. Later, the hand has the last word, until a view
            is given that is neither the one given before nor one that was returned: so what was returned can be kept
            and given back (see :mod:`app.viewer.exchange`).
        key: names the viewer; begins with the name of the page, which can have several.
        can_step: whether there are pictures before and after this one, for the arrow keys.
        presenting: without controls and in large type, for a projector; the keys work.
        insists: whether ``view`` counts even if it is one that was returned before.

    Returns:
        ``view``: the whole view as the browser has reported it; what was given as long as it has reported nothing.
        ``step``: -1 or 1 where the picture before or after was asked for in this run, else 0.
    """
    kept = f"{key}:exchange"
    exchange = exchanged(st.session_state.get(kept), view, st.session_state.get(key, {}).get("view"), insists)
    st.session_state[kept] = exchange
    result = _component(
        key=key,
        data=viewer_message(payload, exchange.sent, exchange.revision, can_step=can_step, presenting=presenting),
        on_view_change=lambda: None,
        on_step_change=lambda: None,
    )
    return {"view": exchange.current, "step": {-1: -1, 1: 1}.get(result.get("step"), 0)}
