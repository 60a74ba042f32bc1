"""The Explore page: what the viewer gets, links, other pictures, other families."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from viewer_content import viewer_of, viewers

from app import map_cache
from app.links import as_list, from_list
from app.screens import explore
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError


def texts(page: AppTest) -> str:
    """Everything written on the page."""
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in getattr(page, kind))


def test_opens_on_three_methods_with_their_own_thresholds(opened: Callable[..., AppTest]) -> None:
    page = opened()
    shown = viewer_of(page)
    assert shown.titles == ["BCE-CAM", "SCE-CAM", "ReCAM"]
    assert shown.thresholds == [0.3, 0.3, 0.35]
    assert shown.header["has_truth"]
    assert shown.header["reference"] == 0
    assert shown.arrays["truth"].shape == (256, 256)
    assert shown.message["can_step"]
    assert "Computing on **CPU" in texts(page)
    assert not page.error


def test_looking_again_runs_no_network_and_sends_nothing_new(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    before = viewer_of(page).sent

    def forbidden(*_: object) -> None:
        raise AssertionError("a network was run")

    monkeypatch.setattr(map_cache, "picture_features", forbidden)
    page.run()
    assert not page.exception
    assert viewer_of(page).sent == before


def test_another_view_redraws_the_panes_alone_and_a_setting_of_retraining_not_even_them(
    opened: Callable[..., AppTest],
    in_part: Callable[[AppTest, int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = Counter()

    def counting(name: str) -> None:
        function = getattr(explore, name)

        def counted(*args: Any, **options: Any) -> Any:
            drawn[name] += 1
            return function(*args, **options)

        monkeypatch.setattr(explore, name, counted)

    for name in ("pick_picture", "viewer"):
        counting(name)
    page = opened(picture="val_00001")
    before = viewer_of(page).sent
    with in_part(page, 1):  # of a part alone, a test sees no more than that part
        page.number_input(key="explore_epochs_both").set_value(3).run()
    assert drawn == {"pick_picture": 1, "viewer": 1}
    assert page.number_input(key="explore_epochs_both").value == 3
    with in_part(page, 0):  # as when the viewer reports a view
        page.run()
    assert drawn == {"pick_picture": 1, "viewer": 2}
    assert viewer_of(page).sent == before
    with in_part(page, 0):  # what stands among the panes and is about all of the page draws all of it
        page.button(key="explore_present_start").click().run()
    assert drawn["pick_picture"] == 2
    assert page.query_params["present"] == "1"
    assert not [one for one in page.number_input if one.key == "explore_epochs_both"]
    with in_part(page, 0):
        page.button(key="explore_present_leave").click().run()
    assert drawn["pick_picture"] == 3
    assert page.number_input(key="explore_epochs_both").value == 3


def test_the_address_restores_the_whole_view(opened: Callable[..., AppTest]) -> None:
    page = opened(
        picture="val_00006",
        runs="scenes/recam,scenes/bce",
        rule="fc2",
        overlay="heat",
        classes="bird,boat,zeppelin",
        threshold="0.42",
        view='{"colours":"turbo","zoom":[2,0.25,0.75],"unknown":1}',
    )
    shown = viewer_of(page)
    assert "**val_00006**" in texts(page)
    assert shown.titles == ["ReCAM", "BCE-CAM"]
    assert shown.header["reference"] == 1
    assert shown.header["panes"][0]["about"] == "rule fc2"
    names = {value["value"] - 1: value["name"] for value in shown.header["values"]}
    assert [names[k] for k in shown.message["view"].pop("classes")] == ["bird", "boat"]
    assert shown.message["view"] == {
        "overlay": "heat",
        "cut": "all",
        "threshold": 0.42,
        "colours": "turbo",
        "zoom": [2, 0.25, 0.75],
    }
    # It stays in the address, for the next one who gets the link.
    written = page.query_params
    assert written["classes"] == "bird,boat"
    assert written["threshold"] == "0.42"
    assert written["overlay"] == "heat"
    assert written["runs"] == "scenes/recam,scenes/bce"
    assert written["picture"] == "val_00006"


@pytest.mark.parametrize(
    "address",
    [
        {"view": "{" * 5000},
        {"view": "[1]"},
        {"threshold": "nan"},
        {"threshold": "much"},
        {"overlay": "<script>"},
        {"classes": "%%%,,"},
        {"runs": "../../etc,scenes/none"},
        {"picture": "../../etc/passwd"},
        {"family": "none", "rule": "none", "scales": "none"},
    ],
)
def test_a_broken_address_opens_what_can_be_opened(opened: Callable[..., AppTest], address: dict[str, str]) -> None:
    page = opened(**address)
    assert viewer_of(page).titles == ["BCE-CAM", "SCE-CAM", "ReCAM"]


def test_names_with_commas_survive_an_address() -> None:
    names = ["a,b", "c d", "50%", "ü"]
    assert from_list(as_list(names)) == names
    assert from_list("") == []


def test_a_thumbnail_opens_its_picture(opened: Callable[..., AppTest]) -> None:
    page = opened(picture="val_00003")
    page.button(key="explore_thumb_6").click().run()
    assert "**val_00006** · aeroplane, bird, boat" in texts(page)
    assert page.query_params["picture"] == "val_00006"


def test_pictures_are_searched_by_class(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.multiselect(key="explore_search_scenes@val").set_value(["aeroplane", "boat"]).run()
    labels = [button.label for button in page.button if str(button.key).startswith("explore_thumb_")]
    assert labels
    assert all("aeroplane" in label and "boat" in label for label in labels)
    page.multiselect(key="explore_search_scenes@val").set_value(
        ["aeroplane", "bicycle", "bird", "boat", "bus", "car", "cat"]
    ).run()
    assert "No picture shows all of these classes" in page.info[0].value


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nonsense", "does not name a data set"),
        ("folder:/no/such/folder", "There is no folder"),
        ("scenes:size=7@val", "out of range"),
    ],
)
def test_data_that_cannot_be_used_are_refused_with_a_sentence(
    opened: Callable[..., AppTest], spec: str, words: str
) -> None:
    page = opened()
    page.text_input(key="explore_spec_scenes").set_value(spec).run()
    assert not page.exception
    assert words in page.error[0].value
    assert not viewers(page)


def folder_of_one(folder: Path, labels: str, classes: str) -> str:
    """The specification of a data set of one plain picture without a mask."""
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (90, 60), (90, 140, 200)).save(folder / "images" / "one.png")
    (folder / "labels.csv").write_text(f"id,labels\none,{labels}\n")
    (folder / "classes.txt").write_text(classes)
    return f"folder:{folder}"


def test_data_of_other_classes_are_refused(opened: Callable[..., AppTest], tmp_path: Path) -> None:
    page = opened()
    spec = folder_of_one(tmp_path / "mine", "quark", "quark\nlepton\n")
    page.text_input(key="explore_spec_scenes").set_value(spec).run()
    assert not page.exception
    assert "no class in common" in page.error[0].value


def test_own_data_without_masks_show_where_methods_disagree(opened: Callable[..., AppTest], tmp_path: Path) -> None:
    page = opened()
    spec = folder_of_one(tmp_path / "mine", "boat;bird", "boat\nbird\nzeppelin\n")
    page.text_input(key="explore_spec_scenes").set_value(spec).run()
    assert not page.exception
    assert not page.error
    shown = viewer_of(page)
    assert not shown.header["has_truth"]
    assert shown.class_names == ["bird", "boat"]
    assert "the checkpoints know 2" in texts(page)


def test_photos_have_no_background_and_no_threshold(opened: Callable[..., AppTest]) -> None:
    shown = viewer_of(opened(family="photos"))
    assert not shown.header["has_background"]
    assert shown.thresholds == [None] * 3


def test_rules_scales_and_panes_can_be_chosen(opened: Callable[..., AppTest]) -> None:
    page = opened()
    before = viewer_of(page).arrays
    page.selectbox(key="explore_rule").set_value("product").run()
    assert [pane["about"] for pane in viewer_of(page).header["panes"]] == ["weights of FC1"] * 2 + ["rule product"]
    page.selectbox(key="explore_scales").set_value("1 alone (quickest)").run()
    assert not (viewer_of(page).arrays["level0"] == before["level0"]).all()
    page.multiselect(key="explore_panes_scenes").set_value([]).run()
    assert not page.exception
    assert "No method is chosen" in page.info[0].value


def test_without_checkpoints_the_page_says_how_to_make_one(
    opened: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo_root: Path
) -> None:
    monkeypatch.setenv("RECAM_ASSETS", str(tmp_path / "none"))
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "none"))
    page = AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=60).run()
    assert not page.exception
    assert "python -m recam_core train" in page.info[0].value


def test_a_damaged_run_is_named_and_the_others_work(opened: Callable[..., AppTest], runs: Path) -> None:
    (runs / "broken").mkdir(parents=True)
    (runs / "broken" / "run.json").write_text("{")
    page = opened()
    assert len(viewer_of(page).titles) == 3
    assert "is damaged" in texts(page)


def test_pictures_that_tell_nothing_are_marked(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    labels = {button.key: button.label for button in page.button if str(button.key).startswith("explore_thumb_")}
    pictures = open_dataset("gallery")
    for index in range(len(pictures)):
        is_single = pictures.labels(index).sum() == 1
        assert ("tells nothing" in labels[f"explore_thumb_{index}"]) == is_single
    rules = "".join(box.proto.body for box in page.get("html"))
    marked = [index for index in range(len(pictures)) if f".st-key-explore_thumb_{index} button::after" in rules]
    assert marked == [index for index in range(len(pictures)) if pictures.labels(index).sum() == 1] != []
    scenes = opened(family="scenes")
    assert not [button for button in scenes.button if "tells nothing" in button.label]


def test_what_keeps_every_pane_away_is_said_once(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("So much work of visitors waits here that no more is taken.")

    monkeypatch.setattr("app.screens.explore.make_ready", refuse)
    page = opened()
    assert [error.value for error in page.error] == ["So much work of visitors waits here that no more is taken."]
    assert not any("No method is chosen" in info.value for info in page.info)
