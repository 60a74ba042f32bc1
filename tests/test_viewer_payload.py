"""What the viewer in the browser is sent: complete, small, and refused with a sentence where it does not fit."""

import json
import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from app.viewer import checked_view
from contour_reference import contour_overlay
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation
from recam_core.views.colours import class_colours
from recam_core.views.marks import PATTERNS
from recam_core.views.viewer_payload import ViewerPane, ViewerPayload, ViewerSheet, pane_of_maps, viewer_payload

CLASSES = ClassList(("cat", "dog", "<b>bird</b>"))
RNG = np.random.default_rng(5)
IMAGE = RNG.integers(0, 256, (22, 31, 3), dtype=np.uint8)
MASK = RNG.choice(np.array([0, 1, 3, VOID], dtype=np.uint8), (22, 31))
SHEET = ViewerSheet("edges", "Edges", "Where they are.", RNG.integers(0, 256, (6, 8), dtype=np.uint8), after="bce")
MAPS = ActivationMaps("picture", (22, 31), np.array([0, 2]), RNG.integers(0, 256, (2, 6, 8), dtype=np.uint8))


def pane(key: str = "bce") -> ViewerPane:
    return pane_of_maps(MAPS, key=key, title=key.upper(), threshold=0.3, about="weights of FC1")


def unpacked(payload: ViewerPayload) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays, read the way the browser does."""
    length = int.from_bytes(payload.content[:4], "little")
    header = json.loads(payload.content[4 : 4 + length])
    arrays = {}
    for entry in header["arrays"]:
        begin = 4 + length + entry["begin"]
        part = payload.content[begin : begin + entry["length"]]
        content = zlib.decompress(part) if entry["packing"] == "zlib" else part
        arrays[entry["name"]] = np.frombuffer(content, np.uint8).reshape(entry["shape"])
    return header, arrays


def test_everything_arrives() -> None:
    header, arrays = unpacked(viewer_payload("one", IMAGE, CLASSES, [pane(), pane("sce")], MASK, reference="sce"))
    winner, level = argmax_and_activation(MAPS)
    assert (header["title"], header["height"], header["width"], header["reference"]) == ("one", 22, 31, 1)
    assert [entry["key"] for entry in header["panes"]] == ["bce", "sce"]
    assert header["panes"][0]["classes"] == header["present"] == [0, 2]
    assert np.array_equal(arrays["truth"], MASK)
    assert np.array_equal(arrays["winner0"], winner)
    assert np.array_equal(arrays["level1"], level)
    assert np.array_equal(arrays["grids1"], MAPS.activations)
    assert np.array_equal(np.asarray(Image.open(BytesIO(arrays["photo"].tobytes()))), IMAGE)
    values = {entry["value"]: entry for entry in header["values"]}
    assert list(values) == [0, 1, 3, VOID]
    assert values[3]["name"] == "<b>bird</b>"  # text; escaping is up to who shows it
    assert values[3]["colour"] == class_colours(3)[3].tolist()
    for bit, draw in enumerate(PATTERNS.values()):
        assert np.array_equal((arrays["patterns"] >> bit) & 1, draw((24, 24)))
        assert np.array_equal(draw((48, 48))[24:, 24:], draw((24, 24)))  # so a tile of 24 is all of a pattern


def test_equal_content_has_an_equal_id() -> None:
    one = viewer_payload("one", IMAGE, CLASSES, [pane()], MASK)
    assert one == viewer_payload("one", IMAGE.copy(), CLASSES, [pane()], MASK.copy())
    assert one.id != viewer_payload("one", IMAGE, CLASSES, [pane()]).id
    assert one.id != viewer_payload("two", IMAGE, CLASSES, [pane()], MASK).id


def test_void_alone_is_no_ground_truth() -> None:
    for classes, value in ((CLASSES, VOID), (replace(CLASSES, has_background=False), 0)):
        header, arrays = unpacked(viewer_payload("x", IMAGE, classes, [pane()], np.full((22, 31), value, np.uint8)))
        assert not header["has_truth"]
        assert "truth" not in arrays


def test_answers_without_activations_are_a_pane_too() -> None:
    winner, level = argmax_and_activation(MAPS)
    header, arrays = unpacked(viewer_payload("x", IMAGE, CLASSES, [ViewerPane("refined", "Refined", winner, level)]))
    assert header["panes"][0]["classes"] == header["present"] == []
    assert "grids0" not in arrays


def test_a_map_of_no_class_is_a_sheet() -> None:
    header, arrays = unpacked(viewer_payload("x", IMAGE, CLASSES, [pane()], sheets=[SHEET]))
    assert header["sheets"] == [{"key": "edges", "title": "Edges", "about": "Where they are.", "after": "bce"}]
    assert np.array_equal(arrays["sheet0"], SHEET.levels)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"panes": []}, "choose at least one method"),
        ({"panes": [pane(), pane()]}, "same key"),
        ({"panes": [replace(pane(), argmax=np.zeros((3, 3), np.uint8))]}, "make them again"),
        ({"panes": [replace(pane(), argmax=np.full((22, 31), 4, np.uint8))]}, "beyond the 3"),
        ({"panes": [replace(pane(), threshold=1.5)]}, "between 0 and 1"),
        ({"sheets": [replace(SHEET, key="bce")]}, "same key"),
        ({"sheets": [replace(SHEET, levels=SHEET.levels[1:])]}, "not on the grid"),
        ({"mask": MASK[:-1]}, "The ground truth has 31 x 21 pixels"),
        ({"mask": np.full((22, 31), 9, np.uint8)}, "beyond the 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(arguments: dict, sentence: str) -> None:
    whole = {"title": "x", "image": IMAGE, "classes": CLASSES, "panes": [pane()]} | arguments
    with pytest.raises(UserError, match=sentence):
        viewer_payload(**whole)


def test_only_fields_that_hold_what_they_may_are_kept() -> None:
    good = {
        "overlay": "heat",
        "classes": [1, 2],
        "threshold": 0.5,
        "zoom": (2, 0.5, 0.5),
        "pin": None,
        "off": ["seeds:1"],
    }
    bad = {
        "opacity": float("nan"),
        "cut": "each",
        "layout": ["wipe"],
        "line": [1, 2],
        "thresholds": {"bce": "1"},
        "hidden": "bce",
        "wipe": True,
        "extra": ["truth"] * 1000,
        "unknown": 1,
    }
    assert checked_view(good | bad) == good | {"zoom": [2, 0.5, 0.5]}
    assert checked_view(None) == checked_view("view") == {}


def test_contours_lie_between_bands_and_at_the_threshold() -> None:
    """Worked out pixel by pixel on a ramp."""
    levels = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (5, 1))
    image = np.full((5, 64, 3), 90, dtype=np.uint8)
    drawn = contour_overlay(image, levels, None, "grey", opacity=1.0)
    lines = [column for column in range(64) if (drawn[2, column] != 90).any()]
    assert lines == [edge for band in range(8, 64, 8) for edge in (band - 1, band)]
    assert drawn[2, 7].tolist() == drawn[2, 8].tolist() == [32] * 3  # the colour of the level that begins here
    cut = contour_overlay(image, levels, 100.5 / 255, "grey", opacity=1.0)
    assert cut[2, 26].tolist() == [255] * 3  # level 104, the first above
    assert cut[2, 25].tolist() == [20, 24, 26]
    assert cut[2, 30].tolist() == [90] * 3  # claimed: the photo as it is
    assert cut[2, 20].tolist() != [90] * 3  # left to the background: quietened
