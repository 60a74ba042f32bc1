"""Everything that the viewer in the browser draws of one picture, as one block of bytes that is sent once.

The block is a header (JSON in UTF-8) behind its length, and arrays behind one another:

    4 bytes  length of the header, little-endian
    header   names, colours, marks, legends; and of each array: name, kind, shape, packing, first byte and length
    arrays   raw ("raw") or a zlib stream ("zlib"); the photo is an image file

Words, colours and patterns travel in the header, so that they are written down once, in the modules that also draw
pictures for files. Activations travel on the grid that they are stored on: the browser enlarges them by the arithmetic
of :func:`~recam_core.maps.activation_maps.full_size`, and a test holds the two equal to the last bit.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size
from recam_core.scores.metrics import scored_pixels, value_names
from recam_core.views.colours import COLOUR_MAPS, class_colours, colour_table
from recam_core.views.marks import CONTOUR_STEP, GREY, PATTERNS, PITCH, SOLID_TINT, TINT, WITHIN, WITHOUT, Mark, swatch
from recam_core.views.pictures import data_url, encode
from recam_core.views.pixel_kinds import CLASS_ERRORS, DISAGREEMENTS, TAKEN_BACK_MARKS, error_marks

#: Seeds and heat cover whole areas evenly, so the same opacity hides more of the photo than error marks do.
FILLED = 0.7
#: Up to so many pixels the photo travels without loss; a JPEG of more is a fifth of the size.
EXACT_PIXELS = 256 * 256


@dataclass(frozen=True)
class ViewerPane:
    """One way to read the picture.

    Attributes:
        key: unique among the panes; names it in the view that the browser reports.
        title: over the pane, such as "ReCAM".
        argmax: H x W, uint8; arg-max class, k + 1 of class k.
        activation: H x W, uint8; of that class.
        threshold: its own background threshold, or None: every pixel to its arg-max class.
        about: a few words below the title.
        classes: n, the class indices (from 0) of ``grids``.
        grids: n x h x w, uint8 activations on the grid that they are kept on; None where there are only answers
            and no activations (a refined mask).
        log_odds: for maps of probabilities, the log-odds that an activation of 1 stands for (and 0 for their opposite);
            None where activations are shares of a map's maximum.
    """

    key: str
    title: str
    argmax: np.ndarray
    activation: np.ndarray
    threshold: float | None = None
    about: str = ""
    classes: tuple[int, ...] = ()
    grids: np.ndarray | None = None
    log_odds: float | None = None


@dataclass(frozen=True)
class ViewerSheet:
    """A map of the picture that is of no class, such as its boundaries: a pane of heat, without threshold and scores.

    Attributes:
        key: unique among the panes.
        title: over the pane.
        about: what it shows, in a sentence.
        levels: h x w, uint8, on the grid that maps are kept on.
        after: key of the pane that it stands behind; it comes first unless there is such a one.
    """

    key: str
    title: str
    about: str
    levels: np.ndarray
    after: str = ""


@dataclass(frozen=True)
class ViewerPayload:
    """One picture, ready for the browser.

    Attributes:
        id: stands for the content: equal payloads have equal ids.
        content: the block of bytes.
    """

    id: str
    content: bytes


def pane_of_maps(
    maps: ActivationMaps,
    *,
    key: str,
    title: str,
    threshold: float | None = None,
    about: str = "",
    log_odds: float | None = None,
) -> ViewerPane:
    """The pane of a method's maps of the picture."""
    argmax, activation = argmax_and_activation(maps)
    classes = tuple(maps.classes.tolist())
    return ViewerPane(key, title, argmax, activation, threshold, about, classes, maps.activations, log_odds)


def viewer_payload(
    title: str,
    image: np.ndarray,
    classes: ClassList,
    panes: Sequence[ViewerPane],
    mask: np.ndarray | None = None,
    reference: str | None = None,
    exact_photo: bool | None = None,
    asked: Mapping[int, str] | None = None,
    sheets: Sequence[ViewerSheet] = (),
) -> ViewerPayload:
    """Pack one picture.

    Args:
        title: what the picture is called.
        image: H x W x 3, uint8.
        classes: the K classes.
        panes: at least one; their keys must differ.
        mask: H x W, uint8 ground truth (0 background, k + 1 class k, 255 void), or None.
        reference: key of the pane that differences of scores are taken to; None takes the first.
        exact_photo: send the photo without loss; None does so for small pictures.
        asked: class k -> what its button says instead of its name, where maps are of the difference to another class.
        sheets: maps of no class.

    Raises:
        UserError: there is no pane, keys repeat, or sizes or class numbers do not belong together.
    """
    size = image.shape[:2]
    _check(size, classes, panes, mask, sheets)
    arrays = _Arrays()
    if exact_photo is None:
        exact_photo = size[0] * size[1] <= EXACT_PIXELS
    arrays.add_file("photo", encode(image, "png" if exact_photo else "jpeg"))
    # Without any ground truth that counts, there are no errors to tell.
    has_truth = mask is not None and bool(scored_pixels(mask, classes.has_background).any())
    if mask is not None and has_truth:
        arrays.add("truth", mask)
    for place, pane in enumerate(panes):
        arrays.add(f"winner{place}", pane.argmax)
        arrays.add(f"level{place}", pane.activation)
        if pane.grids is not None and len(pane.classes):
            arrays.add(f"grids{place}", pane.grids)
    for place, sheet in enumerate(sheets):
        arrays.add(f"sheet{place}", sheet.levels)
    arrays.add("patterns", _pattern_tile())
    for name in COLOUR_MAPS:
        arrays.add(f"colours_{name}", colour_table(name))
    keys = [pane.key for pane in panes]
    header = {
        "title": title,
        "height": size[0],
        "width": size[1],
        "has_background": classes.has_background,
        "has_truth": has_truth,
        "filled": FILLED,
        "contour": {"step": CONTOUR_STEP, "within": list(WITHIN), "without": list(WITHOUT)},
        "tints": {"lined": TINT, "solid": SOLID_TINT},
        "reference": keys.index(reference) if reference in keys else 0,
        "values": _values(classes, panes, mask if has_truth else None),
        "present": sorted({int(k) for pane in panes for k in pane.classes}),
        "asked": {str(k): words for k, words in (asked or {}).items()},
        "panes": [
            {
                "key": pane.key,
                "title": pane.title,
                "about": pane.about,
                "threshold": None if pane.threshold is None else float(pane.threshold),
                "classes": [int(k) for k in pane.classes] if pane.grids is not None else [],
                "log_odds": pane.log_odds,
            }
            for pane in panes
        ],
        "sheets": [{"key": one.key, "title": one.title, "about": one.about, "after": one.after} for one in sheets],
        "marks": {
            "errors": _legend(error_marks(None, classes.has_background), mask if has_truth else None),
            "class_errors": _legend(error_marks(0, classes.has_background), mask if has_truth else None),
            "disagreement": _legend(DISAGREEMENTS, None),
            "taken": _legend(TAKEN_BACK_MARKS, None),
        },
        "colour_maps": list(COLOUR_MAPS),
        "patterns": list(PATTERNS),
        "arrays": arrays.entries,
    }
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    content = b"".join([len(head).to_bytes(4, "little"), head, *arrays.parts])
    return ViewerPayload(hashlib.blake2b(content, digest_size=12).hexdigest(), content)


class _Arrays:
    """Gathers arrays behind one another."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.parts: list[bytes] = []
        self._end = 0

    def add(self, name: str, array: np.ndarray) -> None:
        """Append a uint8 array."""
        if array.dtype != np.uint8:
            raise ValueError(f"{name} must be uint8, got {array.dtype}")
        # The fastest setting: the way to a browser on this machine is shorter than the better settings take.
        self._append(name, "zlib", zlib.compress(np.ascontiguousarray(array).data, 1), list(array.shape))

    def add_file(self, name: str, content: bytes) -> None:
        """Append a file that is compressed already."""
        self._append(name, "raw", content, [len(content)])

    def _append(self, name: str, packing: str, content: bytes, shape: list[int]) -> None:
        self.entries.append(
            {"name": name, "packing": packing, "shape": shape, "begin": self._end, "length": len(content)}
        )
        self.parts.append(content)
        self._end += len(content)


def _check(
    size: tuple[int, int],
    classes: ClassList,
    panes: Sequence[ViewerPane],
    mask: np.ndarray | None,
    sheets: Sequence[ViewerSheet],
) -> None:
    if not panes:
        raise UserError("There is nothing to show beside the photo: choose at least one method.")
    if len({*(pane.key for pane in panes), *(sheet.key for sheet in sheets)}) < len(panes) + len(sheets):
        raise UserError("Two panes have the same key; each method can be shown once.")
    for pane in panes:
        if pane.argmax.shape != size or pane.activation.shape != size:
            raise UserError(
                f"The maps of {pane.title} are of a picture of {pane.argmax.shape[1]} x {pane.argmax.shape[0]} "
                f"pixels, but this one has {size[1]} x {size[0]}; make them again from this picture."
            )
        if pane.argmax.max(initial=0) > len(classes) or max(pane.classes, default=0) >= len(classes):
            raise UserError(f"The maps of {pane.title} name a class beyond the {len(classes)} of this data set.")
        if pane.threshold is not None and not 0 <= pane.threshold <= 1:
            raise UserError(f"A background threshold lies between 0 and 1, got {pane.threshold} for {pane.title}.")
    for sheet in sheets:
        if sheet.levels.shape != grid_size(size):
            raise UserError(f"{sheet.title} is not on the grid of this picture; make it again from this picture.")
    if mask is None:
        return
    if mask.shape != size:
        raise UserError(
            f"The ground truth has {mask.shape[1]} x {mask.shape[0]} pixels, but the picture {size[1]} x {size[0]}."
        )
    if np.any((mask > len(classes)) & (mask != VOID)):
        raise UserError(f"The ground truth names a class beyond the {len(classes)} of this data set.")


def _values(classes: ClassList, panes: Sequence[ViewerPane], mask: np.ndarray | None) -> list[dict[str, Any]]:
    """Name and colour of each mask value that the picture can show, ascending."""
    found = {BACKGROUND}
    for pane in panes:
        found.update(np.flatnonzero(np.bincount(pane.argmax.ravel())).tolist())
        found.update(k + 1 for k in pane.classes)
    if mask is not None:
        found.update(np.flatnonzero(np.bincount(mask.ravel())).tolist())
    table = class_colours(len(classes))
    names = {**dict(enumerate(value_names(classes))), VOID: "void"}
    return [
        {
            "value": int(value),
            "name": names[value],
            "colour": list(GREY) if value == VOID else table[value].tolist(),
        }
        for value in sorted(found)
    ]


def _legend(marks: Sequence[Mark], mask: np.ndarray | None) -> list[dict[str, Any]]:
    """The marks as the browser needs them; that of void pixels only where there are any."""
    has_void = mask is not None and bool((mask == VOID).any())
    return [
        {
            "code": mark.code,
            "name": mark.name,
            "meaning": mark.meaning,
            "colour": list(mark.colour),
            "pattern": mark.pattern,
            "swatch": _swatch(mark),
        }
        for mark in marks
        if has_void or mark is not CLASS_ERRORS[-1]
    ]


@lru_cache(maxsize=32)
def _swatch(mark: Mark) -> str:
    return data_url(swatch(mark))


@lru_cache(maxsize=1)
def _pattern_tile() -> np.ndarray:
    """24 x 24, uint8: bit i says whether pattern i is drawn there; every pattern repeats after two pitches."""
    tile = np.zeros((2 * PITCH, 2 * PITCH), dtype=np.uint8)
    for bit, draw in enumerate(PATTERNS.values()):
        tile |= draw(tile.shape).astype(np.uint8) << bit
    tile.flags.writeable = False
    return tile


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
