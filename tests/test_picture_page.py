"""The page that holds the viewer: everything is in it, its texts are text, and it runs nothing but its own script."""

import base64
import hashlib
import re

import numpy as np
import pytest

from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.report.picture_page import picture_page, picture_sentence, set_words, size_words
from recam_core.views.figure_cells import FigurePane
from recam_core.views.viewer_payload import ViewerPayload, pane_of_maps, viewer_message, viewer_payload, viewer_script

HOSTILE = "</script><script>alert(1)</script>"
CLASSES = ClassList((HOSTILE, "dog"))


@pytest.fixture
def panes() -> list[FigurePane]:
    """Two methods on 8 x 8 pixels: the first sees the first class on the left half, the second on all."""
    left = np.zeros((2, 2, 2), dtype=np.uint8)
    left[0, :, 0] = 255
    everywhere = np.zeros_like(left)
    everywhere[0] = 255
    return [
        FigurePane(title, ActivationMaps("one", (8, 8), np.array([0, 1]), planes), 0.5)
        for title, planes in (("A", left), ("B", everywhere))
    ]


@pytest.fixture
def payload(panes: list[FigurePane]) -> ViewerPayload:
    shown = [pane_of_maps(pane.maps, key=pane.title, title=HOSTILE + pane.title, threshold=0.5) for pane in panes]
    return viewer_payload(HOSTILE, np.full((8, 8, 3), 90, np.uint8), CLASSES, shown, np.ones((8, 8), np.uint8))


def test_the_picture_is_in_the_page(payload: ViewerPayload) -> None:
    text = picture_page(payload, {"overlay": "heat"}, title="A picture").decode()
    packed = re.search(r'id="picture">([A-Za-z0-9+/=]+)</script>', text)
    assert packed is not None
    assert base64.b64decode(packed.group(1)) == viewer_message(payload, {"overlay": "heat"})


def test_texts_stay_text_and_only_its_own_script_runs(payload: ViewerPayload) -> None:
    text = picture_page(payload, title=HOSTILE, sentence=HOSTILE, about=HOSTILE).decode()
    assert "alert(1)</script>" not in text
    assert text.count("<script") == text.count("</script>") == 2
    script = text.rsplit('<script type="module">', 1)[1].split("</script>")[0]
    assert script.startswith(viewer_script())
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert rules is not None
    assert "default-src &#x27;none&#x27;" in rules.group(1)
    assert f"sha256-{hashed}" in rules.group(1)
    assert "script-src &#x27;sha256" in rules.group(1)
    assert not re.search(r"(?:src|href|url\()[=\s(\"']*(?:https?:)?//", text)


def test_equal_pictures_give_equal_pages(payload: ViewerPayload) -> None:
    assert picture_page(payload, title="A") == picture_page(payload, title="A")
    assert size_words(picture_page(payload, title="A")) == "0.1 MB"


def test_a_title_has_an_end(payload: ViewerPayload) -> None:
    with pytest.raises(UserError, match="301 letters is too long"):
        picture_page(payload, title="x" * 301)


def test_the_sentence_is_of_the_first_and_the_last_method(panes: list[FigurePane]) -> None:
    mask = np.ones((8, 8), dtype=np.uint8)
    right = float((panes[0].seeds == 1).mean())
    sentence = picture_sentence(panes, mask, ClassList(("cat", "dog")))
    assert sentence.startswith(f"A calls {1 - right:.0%} of the cat “background”, B none.")
    alone = picture_sentence(panes[1:], mask, ClassList(("cat", "dog")))
    assert alone == "B has a mean IoU of 100.0% here: precision 100.0%, recall 100.0%."
    assert picture_sentence(panes, None, CLASSES) == ""
    assert picture_sentence(panes, np.full((8, 8), 255, np.uint8), CLASSES) == ""
    assert picture_sentence(panes[:1], np.full((8, 8), 255, np.uint8), CLASSES) == ""


def test_a_page_to_hand_out_tells_no_folder_of_this_computer() -> None:
    assert set_words("voc:/somebody/pictures/pets@val") == "voc:pets@val"
    assert set_words("scenes:stuff=1@val") == "scenes:stuff=1@val"
    assert set_words("gallery") == "gallery"
