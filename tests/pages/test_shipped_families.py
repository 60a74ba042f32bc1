"""The families that ship: their order, what each opens with, and the one that looks at photos of one's own."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny_families import write_family
from viewer_content import viewer_of, viewers

from app import catalogue
from app.catalogue import SHIPPED, read_catalogue
from app.explore import family as explored_family
from app.links import FIRST_OVERLAY
from app.methods import Method
from app.pictures import FROM_SET, OWN_PHOTO, Picture
from app.screens import explore
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset

ANIMALS = ClassList(("cat", "dog", "cow", "horse", "sheep", "person", "chair", "sofa"))
BACK = "explore_family_back"
PROPOSED = "explore_family_proposed"


@pytest.fixture
def with_animals(
    assets: Path, opened: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """``opened``, with a third family in the order in which the project ships them."""
    copy = tmp_path / "assets"
    shutil.copytree(assets, copy)
    write_family(copy / "checkpoints" / "animals", "gallery", 0.3, ANIMALS)
    monkeypatch.setenv("RECAM_ASSETS", str(copy))
    monkeypatch.setattr(catalogue, "SHIPPED", SHIPPED)
    return opened


def upload(page: AppTest, level: int = 120) -> AppTest:
    """Put in a plain photo."""
    stream = BytesIO()
    Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(stream, "PNG")
    page.segmented_control(key="explore_source").set_value(OWN_PHOTO).run()
    page.file_uploader(key="explore_photo").set_value((f"own{level}.png", stream.getvalue(), "image/png")).run()
    assert not page.exception
    assert not page.error
    return page


def family(page: AppTest) -> str:
    return page.selectbox(key="explore_family").value


def has_way_back(page: AppTest) -> bool:
    return BACK in [button.key for button in page.button]


def test_families_that_are_there_come_in_their_order(with_animals: Callable[..., AppTest]) -> None:
    assert list(SHIPPED) == ["contexts", "photos", "animals", "scenes"]
    assert [one.of_photographs for one in SHIPPED.values()] == [False, True, True, False]
    assert [one.key for one in read_catalogue().families] == ["photos", "animals", "scenes"]
    page = with_animals()
    assert family(page) == "photos"
    assert "Drawn scenes, objects only" in page.selectbox(key="explore_family").options


def test_without_kept_maps_a_family_opens_with_the_first_picture_that_shows_its_classes(
    with_animals: Callable[..., AppTest],
) -> None:
    page = with_animals(family="animals")
    assert not page.error
    assert any("**chelsea**" in box.value for box in page.markdown)
    assert viewer_of(page).class_names == ["cat"]
    assert viewer_of(page).header["has_background"]
    assert any("checkpoints know 5" in box.value for box in page.caption)
    # Where nothing of the eight is outlined, the network says what it sees.
    page.button(key="explore_thumb_0").click().run()
    assert not page.exception
    assert page.multiselect(key=next(box.key for box in page.multiselect if "explore_present_" in str(box.key)))


def test_the_same_pictures_open_otherwise_for_another_family(with_animals: Callable[..., AppTest]) -> None:
    page = with_animals(family="photos")
    assert any("**china**" in box.value for box in page.markdown)
    page.selectbox(key="explore_family").set_value("animals").run()
    assert any("**chelsea**" in box.value for box in page.markdown)


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``seeing(photos={"sky": 0.9}, animals={"cat": 0.8})``: what the networks of the families say to any photo."""

    def set_to(**seen: dict[str, float]) -> None:
        def prediction(method: Method, picture: Picture) -> tuple[np.ndarray, tuple[int, ...]]:
            assert method.entry.info.method == "bce"
            names = method.entry.info.classes
            by_name = seen.get(method.entry.path.parent.name, {})
            probabilities = np.array([by_name.get(name, 0.01) for name in names])
            return probabilities, tuple(np.flatnonzero(probabilities > 0.5).tolist()) or (int(probabilities.argmax()),)

        for module in (explored_family, explore):
            monkeypatch.setattr(module, "prediction_of", prediction)

    return set_to


def test_an_upload_is_looked_at_with_the_family_that_knows_most_and_back(
    with_animals: Callable[..., AppTest], seeing: Callable[..., None]
) -> None:
    seeing(photos={"cat": 0.9}, animals={"cat": 0.97, "sofa": 0.61})
    page = upload(with_animals())
    assert family(page) == "animals"
    assert page.query_params["family"] in ("animals", ["animals"])
    assert any("**Animals** knows most about this photo: cat 97%, sofa 61%." in box.value for box in page.markdown)
    assert viewer_of(page).class_names == ["cat", "sofa"]
    assert page.button(key=BACK).label == "Back to Photographs"
    page.button(key=BACK).click().run()
    assert not page.exception
    assert family(page) == "photos"
    assert not has_way_back(page)
    # The way back was a choice by hand: for the next photo another family is only proposed.
    page = upload(page, 200)
    assert family(page) == "photos"
    page.button(key=PROPOSED).click().run()
    assert family(page) == "animals"
    assert PROPOSED not in [button.key for button in page.button]


def test_an_upload_stays_with_the_family_that_knows_most(
    with_animals: Callable[..., AppTest], seeing: Callable[..., None]
) -> None:
    seeing(photos={"sky": 0.9, "tree": 0.8}, animals={"cat": 0.97})
    page = upload(with_animals())
    assert family(page) == "photos"
    assert not has_way_back(page)


def test_drawn_families_are_not_asked_about_a_photo(
    with_animals: Callable[..., AppTest], seeing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "SHIPPED", {"scenes": SHIPPED["scenes"]} | SHIPPED)
    seeing(photos={"sky": 0.6, "tree": 0.6}, animals={}, scenes={"bus": 1.0, "cat": 1.0})
    page = upload(with_animals())
    assert family(page) == "photos"
    assert page.button(key=BACK).label == "Back to Drawn scenes, objects only"


def test_where_no_class_is_found_the_page_says_so(
    with_animals: Callable[..., AppTest], seeing: Callable[..., None]
) -> None:
    seeing(photos={"sky": 0.31}, animals={"cat": 0.2})
    page = upload(with_animals())
    assert not viewers(page)
    assert f"finds none of the {len(open_dataset('gallery').classes)} classes" in page.info[0].value
    assert "The likeliest is sky, at 31%" in page.info[0].value
    chooser = next(box for box in page.multiselect if box.label == "Classes in this picture")
    chooser.set_value([0, 3]).run()
    assert len(viewer_of(page).class_names) == 2


def test_an_upload_opens_in_the_heat_view_and_sets_in_theirs(
    with_animals: Callable[..., AppTest], seeing: Callable[..., None]
) -> None:
    seeing(photos={"sky": 0.9, "tree": 0.8}, animals={})
    page = with_animals()
    assert viewer_of(page).message["view"]["overlay"] == FIRST_OVERLAY
    upload(page)
    assert viewer_of(page).message["view"]["overlay"] == "heat"
    assert page.query_params["overlay"] in ("heat", ["heat"])
    page.segmented_control(key="explore_source").set_value(FROM_SET).run()
    assert viewer_of(page).message["view"]["overlay"] == FIRST_OVERLAY
    assert "overlay" not in page.query_params


def test_a_family_chosen_by_hand_stays(with_animals: Callable[..., AppTest], seeing: Callable[..., None]) -> None:
    seeing(photos={}, animals={"cat": 0.9})
    page = with_animals()
    page.selectbox(key="explore_family").set_value("scenes").run()
    assert family(upload(page)) == "scenes"
    assert not has_way_back(page)
    assert page.button(key=PROPOSED).label == "Look with Animals"
    assert family(upload(with_animals(family="photos"))) == "photos"


def test_another_choice_ends_the_offer(with_animals: Callable[..., AppTest], seeing: Callable[..., None]) -> None:
    seeing(photos={}, animals={"cat": 0.9})
    page = upload(with_animals())
    assert has_way_back(page)
    page.selectbox(key="explore_family").set_value("scenes").run()
    assert not has_way_back(page)
    page.selectbox(key="explore_family").set_value("animals").run()
    assert not has_way_back(page)
    page.segmented_control(key="explore_source").set_value(FROM_SET).run()
    assert not page.exception


def test_without_a_family_of_photographs_nothing_is_switched(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {key: replace(one, of_photographs=False) for key, one in catalogue.SHIPPED.items()}
    monkeypatch.setattr(catalogue, "SHIPPED", drawn)
    page = upload(opened())
    assert family(page) == "scenes"
    assert not has_way_back(page)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("confusions", "have different classes"),
        ("confusions", "are not on this computer"),
        ("lab", "are not on this computer"),
    ],
)
def test_other_pages_say_what_is_missing_for_animals(
    with_animals: Callable[..., AppTest], name: str, words: str
) -> None:
    page = with_animals()
    script = AppTest.from_string(f"from app.screens import {name}\n{name}.main()", default_timeout=120)
    script.query_params["family"] = family(page.selectbox(key="explore_family").set_value("animals").run())
    script.run()
    assert not script.exception
    assert any(words in one.value for one in [*script.error, *script.markdown])


def test_a_second_run_of_a_method_has_its_own_title(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "assets"
    shutil.copytree(assets, copy)
    scenes = copy / "checkpoints" / "scenes"
    shutil.copytree(scenes / "recam", scenes / "recam-hard")
    record = scenes / "recam-hard" / INFO_FILE
    record.write_text(record.read_text().replace('"name": "recam"', '"name": "ReCAM, hard mask"'))
    monkeypatch.setenv("RECAM_ASSETS", str(copy))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "none"))
    (found,) = (one for one in read_catalogue().families if one.key == "scenes")
    assert [entry.title for entry in found.entries] == ["BCE-CAM", "SCE-CAM", "ReCAM", "ReCAM, hard mask"]
    assert found.first_choice == found.entries
