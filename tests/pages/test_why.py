"""The page Why: its question, its answer, its links, and attribution methods beside it and in Explore."""

import io
import re
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from viewer_content import viewer_of

from app import attributions
from app.shared_state import WHY_ARRIVING
from recam_core.analysis.why import contributions, map_rows, one_pixel, place_weights
from recam_core.analysis.wrong_regions import wrong_regions
from recam_core.attribution.map_scores import FaithfulnessSettings, faithfulness, localisation
from recam_core.attribution.maps import attribution_maps
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
from recam_core.maps.inference import maps_from_features, picture_features
from recam_core.method.extraction import map_weights

SPEC = "scenes:size=64,train=6,val=2@val"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for a press, however slow the machine is just now."""
    monkeypatch.setattr(attributions, "_AT_ONCE", 1e9)


def texts(page: AppTest) -> str:
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in getattr(page, kind))


def wait_for(page: AppTest, is_there: Callable[[], bool], seconds: float = 240) -> None:
    """Look again until the work of a job is on the page."""
    end = time.monotonic() + seconds
    while not is_there() and time.monotonic() < end:
        time.sleep(0.5)
        page.run()


def fine(page: AppTest) -> None:
    assert not page.exception, page.exception
    assert not page.error, page.error[0].value


@pytest.fixture
def why(opened: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """``why(**address)`` opens the page by a link."""

    def run(**address: str) -> AppTest:
        page = opened()
        page.query_params.clear()
        for name, value in ({"family": "scenes", "data": SPEC} | address).items():
            page.query_params[name] = value
        page._page_hash = calc_hash("why")
        page.run()
        fine(page)
        return page

    return run


def pinned(page: AppTest) -> tuple[int, int]:
    return page.number_input(key="why_column").value, page.number_input(key="why_row").value


def asked(page: AppTest) -> tuple[int, int]:
    return page.selectbox(key="why_a").value, page.selectbox(key="why_b").value


def test_opens_on_the_wrong_region_and_answers_by_the_real_numbers(why: Callable[..., AppTest], assets) -> None:
    page = why()
    assert viewer_of(page).titles == ["BCE-CAM", "ReCAM"]
    # The same by the library, from the weights on disk.
    dataset = open_dataset(SPEC)
    sample, classes = dataset.load(0), dataset.classes
    seeds, rows, seen = [], [], []
    for name, threshold in (("bce", 0.3), ("recam", 0.35)):
        run = load_run(assets / "checkpoints" / "scenes" / name, "cpu")
        features = picture_features(run.network, sample.image)
        fc2 = None if run.network.fc2 is None else run.network.fc2.detach()
        weights = map_weights(run.info.rule, run.network.fc1.detach(), fc2)
        maps = maps_from_features(features, weights, np.flatnonzero(sample.labels))
        seeds.append(seed_mask(*argmax_and_activation(maps), threshold))
        rows.append(map_rows(weights)[0])
        seen.append(features)
    first = wrong_regions(seeds[0], sample.mask, classes.has_background, after=seeds[1])[0]
    assert pinned(page) == (first.column, first.row)
    a, b = asked(page)
    if first.taken_for:
        assert a == first.taken_for - 1
    place = place_weights(sample.image.shape[:2], one_pixel(sample.image.shape[:2], first.column, first.row))
    found = contributions(seen[0], rows[0], a, b, place, divided=True)
    sentence = next(box.value for box in page.markdown if "calls this" in box.value)
    channels = found.strongest(3, for_b=found.difference < 0).tolist()
    assert f"channels {channels[0]}, {channels[1]} and {channels[2]} speak most for it" in sentence
    assert page.selectbox(key="why_channel_list_before").value == found.strongest(8)[0]
    assert page.query_params["pin"] == f"{first.column}.{first.row}"
    assert page.query_params["called"] == classes.names[a]


def test_typing_a_pixel_and_another_class_asks_anew(why: Callable[..., AppTest]) -> None:
    page = why()
    before = next(box.value for box in page.markdown if "calls this" in box.value)
    page.number_input(key="why_column").set_value(3).run()
    page.number_input(key="why_row").set_value(60).run()
    fine(page)
    assert pinned(page) == (3, 60)
    assert viewer_of(page).message["view"]["pin"] == [3, 60]
    assert page.query_params["pin"] == "3.60"
    sentence = next(box.value for box in page.markdown if "calls this" in box.value)
    assert sentence != before
    a, b = asked(page)
    other = next(k for k in page.selectbox(key="why_b").options if k not in (a, b))
    names = open_dataset(SPEC).classes.names
    page.selectbox(key="why_b").set_value(names.index(other)).run()
    fine(page)
    assert asked(page) == (a, names.index(other))
    assert page.query_params["instead"] == other
    # A and B stay two: B gives way where A becomes what it was.
    page.selectbox(key="why_a").set_value(names.index(other)).run()
    fine(page)
    assert asked(page)[0] == names.index(other) != asked(page)[1]


def test_a_link_restores_the_question(why: Callable[..., AppTest]) -> None:
    page = why(
        picture="val_00001",
        runs="scenes/recam,scenes/sce",
        pin="10.20",
        called="boat",
        instead="zeppelin",
        threshold="0.1",
        way="grad_cam",
        explains="fc2",
    )
    assert viewer_of(page).titles == ["ReCAM", "SCE-CAM"]
    assert viewer_of(page).message["view"]["threshold"] == 0.1
    assert pinned(page) == (10, 20)
    names = open_dataset(SPEC).classes.names
    assert asked(page)[0] == names.index("boat")
    assert page.selectbox(key="why_way").value == "grad_cam"
    assert page.selectbox(key="why_head").value == "fc2"
    assert page.query_params["picture"] == "val_00001"
    # The run after, which has no FC2, explains FC1.
    assert "explains FC2" in texts(page)
    assert "explains FC1" in texts(page)


@pytest.mark.parametrize("pin", ["9999.9999", "-1.3", "a.b", "1", "1.2.3", "1" * 400 + ".1"])
def test_pins_of_links_stay_within_the_picture(why: Callable[..., AppTest], pin: str) -> None:
    column, row = pinned(why(pin=pin))
    assert 0 <= column < 64
    assert 0 <= row < 64


def test_a_region_is_asked_as_a_whole(why: Callable[..., AppTest]) -> None:
    page = why()
    before = next(box.value for box in page.markdown if "calls this" in box.value)
    page.segmented_control(key="why_place_kind").set_value("the region around it").run()
    fine(page)
    assert next(box.value for box in page.markdown if "calls this" in box.value) != before


def test_one_run_alone_answers_alone(why: Callable[..., AppTest]) -> None:
    page = why()
    page.selectbox(key="why_after_scenes").set_value("").run()
    fine(page)
    assert viewer_of(page).titles == ["BCE-CAM"]
    assert "why_weights_after" not in [box.key for box in page.segmented_control]
    page.selectbox(key="why_after_scenes").set_value("scenes/recam").run()
    assert [box.key for box in page.segmented_control if box.key.startswith("why_weights")] == [
        "why_weights_before",
        "why_weights_after",
    ]
    page.segmented_control(key="why_weights_after").set_value("fc2").run()
    fine(page)


def test_a_picture_without_ground_truth_can_be_asked_about(why: Callable[..., AppTest]) -> None:
    page = why(family="photos", data="gallery", picture="zebra-of-nowhere")
    assert "calls this" in texts(page)


def test_a_set_that_is_not_there_gets_a_sentence(opened: Callable[..., AppTest]) -> None:
    page = opened()
    page.query_params.clear()
    page.query_params["data"] = "voc:nowhere@val"
    page._page_hash = calc_hash("why")
    page.run()
    assert not page.exception
    assert "nowhere" in page.error[0].value
    page.selectbox(key="why_data_scenes").set_value("scenes@val").run()
    fine(page)
    assert "calls this" in texts(page)


def test_from_explore_with_the_pinned_pixel(opened: Callable[..., AppTest]) -> None:
    page = opened(data=SPEC, picture="val_00001", view='{"pin":[12,34]}', threshold="0.45")
    page.button(key="explore_why").click().run()
    fine(page)
    assert WHY_ARRIVING.key not in page.session_state
    assert pinned(page) == (12, 34)
    (picture,) = (box.value for box in page.selectbox if str(box.key).startswith("why_picture_"))
    assert picture == "val_00001"
    assert viewer_of(page).message["view"]["threshold"] == 0.45
    page.button(key="why_explore").click().run()
    fine(page)
    assert any("**val_00001**" in box.value for box in page.markdown)


# Attributions ---------------------------------------------------------------------------------------------------------


def test_an_attribution_is_a_pane_like_any_other(opened: Callable[..., AppTest]) -> None:
    page = opened(data=SPEC, attributions="cam,nonsense", attributed="scenes/recam", explains="fc2")
    fine(page)
    shown = viewer_of(page)
    assert shown.titles == ["BCE-CAM", "SCE-CAM", "ReCAM", "CAM of ReCAM"]
    assert shown.thresholds == [0.3, 0.3, 0.35, 0.3]
    assert "FC2" in shown.header["panes"][-1]["about"]
    # The CAM of FC2 is what the rule fc2 draws.
    page.selectbox(key="explore_rule").set_value("fc2").run()
    by_rule, by_attribution = (viewer_of(page).arrays[f"grids{place}"] for place in (2, 3))
    assert np.abs(by_rule.astype(int) - by_attribution).max() <= 1
    assert page.query_params["attributions"] == "cam"
    page.multiselect(key="explore_attributions").set_value([]).run()
    assert len(viewer_of(page).titles) == 3
    assert "attributions" not in page.query_params
    assert "attributed" not in page.query_params
    assert "explains" not in page.query_params


def test_what_takes_long_is_told_first_and_made_by_a_job(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributions, "_AT_ONCE", -1.0)
    attributions.kept_results.clear()
    page = opened(data=SPEC, attributions="grad_cam", attributed="scenes/bce")
    assert viewer_of(page).titles == ["BCE-CAM", "SCE-CAM", "ReCAM"]
    assert re.search(r"Not made for this picture yet: \*\*Grad-CAM of BCE-CAM\*\* \(about \d+ s\)", texts(page))
    page.button(key="explore_attribution_start").click().run()
    fine(page)
    wait_for(page, lambda: len(viewer_of(page).titles) == 4)
    fine(page)
    assert viewer_of(page).titles[-1] == "Grad-CAM of BCE-CAM"


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_answers_on_both_pages(why: Callable[..., AppTest], method: str) -> None:
    page = why(way=method)
    assert METHODS[method].title in texts(page).replace("\\", "")
    page.query_params.clear()
    page.query_params["attributions"] = method
    page.query_params["data"] = SPEC
    page._page_hash = calc_hash("")
    page.session_state["explore_seen"] = False
    page.run()
    fine(page)
    assert any(title.startswith(METHODS[method].title) for title in viewer_of(page).titles)


def test_scores_of_the_maps_are_made_by_a_job(why: Callable[..., AppTest], assets) -> None:
    page = why()
    assert re.search(r"About \d+ s", texts(page))
    page.button(key="why_scores_start").click().run()
    fine(page)
    wait_for(page, lambda: any("deletion" in one.value and len(one.value) == 4 for one in page.dataframe))
    fine(page)
    table = next(frame.value for frame in page.dataframe if "deletion" in frame.value.columns)
    assert list(table["map"]) == ["CAM of BCE-CAM", "CAM of ReCAM"] * 2
    # The same by the library, of the first line.
    names, sample = open_dataset(SPEC).classes.names, open_dataset(SPEC).load(0)
    k = names.index(table["class"][0])
    run = load_run(assets / "checkpoints" / "scenes" / "bce", "cpu")
    maps = attribution_maps(run.network, sample.image, [k], "cam")
    by_hand = faithfulness(run.network, sample.image, maps, settings=FaithfulnessSettings(shakes=0))
    assert table["deletion"][0] == pytest.approx(by_hand.deletion_area[0], abs=1e-4)
    found = localisation(maps, sample.mask, open_dataset(SPEC).classes)
    np.testing.assert_allclose(table["energy"][0], found.energy[0])


def test_a_photo_of_ones_own_is_asked_of_the_runs(why: Callable[..., AppTest]) -> None:
    stream = io.BytesIO()
    Image.fromarray(open_dataset(SPEC).load(0).image).save(stream, "PNG")
    page = why(**{"from": "photo"})
    assert "Put in a photo" in page.info[0].value
    page.file_uploader(key="why_photo").upload("mine.png", stream.getvalue(), "image/png").run()
    fine(page)
    assert "no ground truth" in texts(page)
    assert pinned(page) == (32, 32), "nobody knows what is wrong: the middle"
    a, b = asked(page)
    assert a != b
    assert viewer_of(page).titles == ["BCE-CAM", "ReCAM"]
    page.number_input(key="why_column").set_value(10)
    page.number_input(key="why_row").set_value(20).run()
    fine(page)
    assert pinned(page) == (10, 20)
    assert page.query_params["from"] == "photo"

    # What Explore looks at goes along.
    page = why()
    page._page_hash = calc_hash("")
    page.query_params.clear()
    page.run()
    page.segmented_control(key="explore_source").set_value("Your photo").run()
    page.file_uploader(key="explore_photo").upload("ours.png", stream.getvalue(), "image/png").run()
    page.button(key="explore_why").click().run()
    fine(page)
    assert "which was put in on the page Explore" in texts(page)
    assert pinned(page) == (32, 32)
