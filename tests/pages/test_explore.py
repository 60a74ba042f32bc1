"""The Explore page: panes, views, thresholds, other pictures, other families."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import map_cache


def texts(page: AppTest) -> str:
    """Everything written on the page."""
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in getattr(page, kind))


def scores(page: AppTest, label: str = "mIoU") -> list[str]:
    """One score, pane by pane."""
    return [metric.value for metric in page.metric if metric.label == label]


def test_opens_on_three_methods_with_errors_marked(opened: Callable[..., AppTest]) -> None:
    page = opened()
    for title in ("**BCE-CAM**", "**SCE-CAM**", "**ReCAM**"):
        assert title in [element.value for element in page.markdown]
    assert page.segmented_control(key="view_kind").value == "errors"
    assert len(scores(page)) == 3
    deltas = [metric.delta for metric in page.metric if metric.label == "mIoU"]
    assert deltas[0] == ""
    assert all(delta.endswith("points") for delta in deltas[1:])
    assert "Computing on **CPU" in texts(page)
    assert not page.error


def test_a_slider_draws_anew_and_runs_no_network(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    before = scores(page)

    def forbidden(*_: object) -> None:
        raise AssertionError("a network was run")

    monkeypatch.setattr(map_cache, "picture_features", forbidden)
    page.slider(key="threshold").set_value(0.9).run()
    assert not page.exception
    assert page.toggle(key="own_thresholds").value is False
    assert texts(page).count("threshold 0.90") == 3
    assert scores(page) != before
    for view in ("heat", "seeds", "disagreement"):
        page.segmented_control(key="view_kind").set_value(view).run()
        assert not page.exception
    assert "The methods disagree on" in texts(page)


def test_own_thresholds_are_those_of_the_runs(opened: Callable[..., AppTest]) -> None:
    written = texts(opened())
    assert written.count("threshold 0.30") == 2
    assert written.count("threshold 0.35") == 1


def test_one_class_keeps_chosen_while_pictures_change(opened: Callable[..., AppTest]) -> None:
    page = opened(picture="val_00006")  # aeroplane, bird and boat; picture 0 shows no boat
    page.pills(key="class_choice").set_value("boat").run()
    assert scores(page, "IoU") != []
    page.button(key="thumb_0").click().run()
    assert page.pills(key="class_choice").value == "all classes"
    page.button(key="thumb_6").click().run()
    assert page.pills(key="class_choice").value == "boat"
    assert page.query_params["class"] == "boat"


def test_the_address_restores_the_view(opened: Callable[..., AppTest]) -> None:
    page = opened(picture="val_00006", view="heat", **{"class": "bird"})
    assert page.segmented_control(key="view_kind").value == "heat"
    assert page.pills(key="class_choice").value == "bird"
    assert any("val_00006" in box.label for box in page.expander)


def test_pictures_are_searched_by_class(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.multiselect(key="search_scenes@val").set_value(["aeroplane", "boat"]).run()
    labels = [button.label for button in page.button if str(button.key).startswith("thumb_")]
    assert labels
    assert all("aeroplane" in label and "boat" in label for label in labels)
    page.multiselect(key="search_scenes@val").set_value(
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
    page.text_input(key="spec_scenes").set_value(spec).run()
    assert not page.exception
    assert words in page.error[0].value
    assert not page.metric


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
    page.text_input(key="spec_scenes").set_value(spec).run()
    assert not page.exception
    assert "no class in common" in page.error[0].value


def test_own_data_without_masks_show_where_methods_disagree(opened: Callable[..., AppTest], tmp_path: Path) -> None:
    page = opened()
    spec = folder_of_one(tmp_path / "mine", "boat;bird", "boat\nbird\nzeppelin\n")
    page.text_input(key="spec_scenes").set_value(spec).run()
    assert not page.exception
    assert not page.error
    assert page.segmented_control(key="view_kind").value == "disagreement"
    assert "the checkpoints know 2" in texts(page)
    assert not page.metric


def test_photos_have_no_background_and_say_so(opened: Callable[..., AppTest]) -> None:
    page = opened(family="photos")
    assert texts(page).count("every pixel to its arg-max class") == 3
    assert page.slider(key="label_threshold").disabled
    page.toggle(key="cut").set_value(True).run()
    assert texts(page).count("threshold 0.25") == 3
    assert not page.exception


def test_rules_scales_and_panes_can_be_chosen(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.selectbox(key="rule").set_value("product").run()
    assert "rule product" in texts(page)
    page.selectbox(key="scales").set_value("1 alone (quickest)").run()
    page.multiselect(key="panes_scenes").set_value([]).run()
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
    assert len(scores(page)) == 3
    assert "is damaged" in texts(page)
