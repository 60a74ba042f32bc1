"""The viewer: panes that are drawn in the browser, so that nothing that a hand moves waits for the server.

Who has the last word on a view? The hand in the browser, until the page asks for another one. A run of the script hears
what the browser had reported when the run began. Pages keep that, in the address or in the session, and give it back in
the next run, by which time the browser may have reported something newer. So a view that is given is only taken for a
wish if it is not one that was returned a moment ago.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from recam_core.records import is_finite
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
        view: what to show it with, any of the fields of :data:`~app.viewer.FIELDS`; others, and values that they
            cannot have, are ignored. It counts when the viewer appears. Later, the hand has the last word, until a view
            is given that is neither the one given before nor one that was returned: so what was returned can be kept
            and given back (see above).
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
    return {"view": exchange.current, "step": step if (step := result.get("step")) in (-1, 1) else 0}


# Views ----------------------------------------------------------------------------------------------------------------

OVERLAYS = ("errors", "taken", "heat", "contour", "seeds", "disagreement")
#: "fit": side by side where there is room for it, else by the wipe.
LAYOUTS = ("fit", "side", "wipe", "blink")
CUTS = ("own", "all", "none")
_LARGEST_ZOOM = 32
_LONGEST_LIST = 300


def _is_share(value: Any) -> bool:
    return is_finite(value) and 0 <= value <= 1


def _is_text(value: Any) -> bool:
    """Whether a browser can be told it: an escape in JSON may be half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) <= _LONGEST_LIST


def _is_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _is_numbers(value: Any, count: int | None = None) -> bool:
    return _is_list(value) and count in (None, len(value)) and all(map(is_finite, value))


def _is_shares(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(_is_share, value.values()))


#: Each field, and whether a value is one that it can hold.
FIELDS: dict[str, Callable[[Any], bool]] = {
    "overlay": lambda value: value in OVERLAYS,
    "classes": _is_numbers,  # class indices from 0; none means all
    "cut": lambda value: value in CUTS,  # each method's own threshold, one for all, or arg-max
    "threshold": _is_share,  # the one for all
    "thresholds": _is_shares,  # by pane key
    "opacity": _is_share,
    "colours": _is_text,
    "layout": lambda value: value in LAYOUTS,
    "hidden": _is_texts,  # keys of panes that are not shown
    "extra": _is_texts,  # of "truth" and "photo", those shown beside the methods
    "pair": _is_texts,  # keys of the panes of wipe and blink
    "wipe": _is_share,  # where its line stands
    "off": _is_texts,  # legend entries that are switched off, as "kind:code"
    "zoom": lambda value: _is_numbers(value, 3) and 1 <= value[0] <= _LARGEST_ZOOM,  # factor, centre in shares
    "pin": lambda value: value is None or _is_numbers(value, 2),  # column and row of the pinned probe
    "line": lambda value: value is None or _is_numbers(value, 4),  # of the profile, column and row of both ends
}


def checked_view(view: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of ``view`` that there are and that hold what they may; tuples become lists, as in JSON."""
    if not isinstance(view, Mapping):
        return {}
    return {
        name: list(view[name]) if isinstance(view[name], tuple) else view[name]
        for name, is_valid in FIELDS.items()
        if name in view and is_valid(view[name])
    }


def threshold_in_view(view: Mapping[str, Any], key: str, own: float | None) -> float | None:
    """The threshold that a pane is cut at: one for all, none, one set by hand for this pane, or its own."""
    if view.get("cut") == "none":
        return None
    if view.get("cut") == "all" and "threshold" in view:
        return view["threshold"]
    return view.get("thresholds", {}).get(key, own)


# Between page and browser ---------------------------------------------------------------------------------------------

#: As many returned views are remembered; runs can overtake one another by a few.
_REMEMBERED = 8


@dataclass(frozen=True)
class Exchange:
    """What a session and one viewer have told one another.

    Attributes:
        sent: the view that goes with the message to the browser.
        revision: its number; the browser takes ``sent`` over whenever it is a new one.
        given: what the page gave in the last run.
        returned: what it was returned in the last runs.
    """

    sent: dict[str, Any]
    revision: int
    given: dict[str, Any]
    returned: tuple[dict[str, Any], ...]

    @property
    def current(self) -> dict[str, Any]:
        """The view as it is now, as far as is known."""
        return self.returned[-1]


def exchanged(
    before: Exchange | None,
    given: Mapping[str, Any] | None,
    reported: Mapping[str, Any] | None,
    insists: bool = False,
) -> Exchange:
    """The exchange after this run of the script.

    Args:
        before: that after the last run; None in the first.
        given: the view that the page gives.
        reported: what the browser has reported (with the ``revision`` that it had taken over); None if it has not
            reported anything since it appeared on the page.
        insists: whether the view that is given is a wish even if it is one that was returned a moment ago.
    """
    wanted, heard = checked_view(given), checked_view(reported)
    if before is None:
        return Exchange(wanted, 1, wanted, (wanted,))
    if reported is None:
        # Nothing to lose: a viewer that appears (again) has only what it is sent.
        is_wish = wanted != before.sent
    else:
        is_same = wanted == {name: value for name, value in heard.items() if name in wanted}
        is_wish = not is_same and (insists or (wanted != before.given and wanted not in before.returned))
    sent, revision = (wanted, before.revision + 1) if is_wish else (before.sent, before.revision)
    # Until the browser has taken over what is sent, that holds where it says something.
    current = heard if reported is not None and reported.get("revision") == revision else heard | sent
    return Exchange(sent, revision, wanted, (*before.returned, current)[-_REMEMBERED:])
