"""The view as the browser reports it and links carry it: which fields there are, and what each may hold."""

from collections.abc import Callable, Mapping
from typing import Any

from recam_core.records import is_finite

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
