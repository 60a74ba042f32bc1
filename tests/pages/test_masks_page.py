"""The page Masks: what its panes hold is what the library makes, and no slider runs a network."""

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest
from viewer_content import viewer_of

from app.masks import climb_job, export_section
from app.pictures import OWN_PHOTO
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.guest import Guest, serving
from recam_core.maps.activation_maps import ActivationMaps, seed_mask
from recam_core.maps.inference import activation_maps
from recam_core.method.extraction import map_weights
from recam_core.refine import advcam
from recam_core.refine.boundaries import load_boundaries
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import finished_pixels
from recam_core.refine.random_walk import STAGES
from recam_core.refine.ways import walked_stages

SPEC = "scenes:size=64,train=6,val=2@val"


def fine(page: AppTest) -> None:
    assert not page.exception, page.exception
    assert not page.error, page.error[0].value


@pytest.fixture
def masks(opened: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """``masks(**address)`` opens the page by a link."""

    def run(**address: str) -> AppTest:
        page = opened(at="masks", **({"family": "scenes", "data": SPEC, "run": "scenes/bce"} | address))
        fine(page)
        return page

    return run


@pytest.fixture
def edges(assets: Path, runs: Path) -> Path:
    """Boundaries of BCE, untrained, among the user's runs; masks by them were scored."""
    folder = runs / "edges"
    folder.mkdir(parents=True)
    run = load_run(assets / "checkpoints" / "scenes" / "bce", "cpu")
    torch.manual_seed(0)
    save_file(BoundaryNetwork(run.network).state_dict(), folder / "boundaries.safetensors")
    record = {"format": "recam-boundaries", "format_version": 1, "run": "bce", "rule": "fc1", "data": SPEC}
    record["weights_sha256"] = run.info.weights_sha256
    (folder / "boundaries.json").write_text(json.dumps(record))
    one = {"has_background": True, "pictures": 7, "best": {"miou": 0.9, "threshold": 0.9}}
    evaluations = {
        "direct+none": one | {"fixed": {"miou": 0.401, "threshold": 0.3}},
        "irn+pamr": one | {"fixed": {"miou": 0.35, "threshold": 0.42}},
    }
    scores = {"data": "scenes@val", "run": "bce", "rule": "fc1", "evaluations": evaluations}
    (folder / "scores.json").write_text(json.dumps(scores))
    return folder


def seeds(assets: Path) -> tuple[ActivationMaps, np.ndarray]:
    """Those of BCE on the first picture, by the library; and the picture."""
    network = load_run(assets / "checkpoints" / "scenes" / "bce", "cpu").network
    sample = open_dataset(SPEC).load(0)
    weights = map_weights("fc1", network.fc1.detach(), None)
    return activation_maps(network, sample.image, weights, np.flatnonzero(sample.labels)), sample.image


def pane(page: AppTest, key: str) -> tuple[np.ndarray, np.ndarray, float | None]:
    shown = viewer_of(page)
    place = [one["key"] for one in shown.header["panes"]].index(key)
    return shown.arrays[f"winner{place}"], shown.arrays[f"level{place}"], shown.thresholds[place]


def exported(page: AppTest, tmp_path: Path, count: int) -> Dataset:
    """What the file of so many masks with their pictures holds, once it is there."""
    page.number_input(key="masks_export_count").set_value(count).run()
    page.toggle(key="masks_export_pictures").set_value(True).run()
    page.toggle(key="masks_export_coco").set_value(True).run()
    page.button(key="masks_export_start").click().run()
    end = time.monotonic() + 240
    while not page.success and time.monotonic() < end:
        time.sleep(0.1)
        page.run()
    fine(page)
    assert f"{count} mask" in page.success[0].value
    (file,) = (tmp_path / "cache").glob("maskset-*")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "set")
    return open_dataset(f"voc:{tmp_path / 'set'}@val")


def test_a_newcomer_sees_the_direct_way_and_learns_what_the_others_need(masks, assets) -> None:
    page = masks()
    assert viewer_of(page).titles == ["Seeds", "Mask by PAMR"]
    maps, image = seeds(assets)
    found = finished_pixels(maps, "fc1", image, "pamr", has_background=True)
    for mine, theirs in zip(pane(page, "mask"), found, strict=False):
        np.testing.assert_array_equal(mine, theirs)
    assert pane(page, "mask")[2] == pane(page, "seeds")[2] == 0.3
    assert viewer_of(page).message["view"]["overlay"] == "taken"
    assert any("Of all pixels, BCE-CAM has" in box.value for box in page.markdown)
    page.pills(key="masks_ways").set_value(["irn"]).run()
    fine(page)
    assert "recam_core boundaries" in page.info[0].value
    assert viewer_of(page).titles == ["Seeds", "Mask by PAMR"]
    assert page.query_params["ways"] == "irn"


def test_the_walk_is_turned_without_a_network(masks, assets, edges, monkeypatch) -> None:
    page = masks(ways="irn", steps="4")
    assert viewer_of(page).titles == ["Seeds", "Walk, 4 steps", "Mask by PAMR"]
    maps, image = seeds(assets)
    boundary = load_boundaries(edges, load_run(assets / "checkpoints" / "scenes" / "bce", "cpu")).boundary(image)
    (sheet,) = viewer_of(page).header["sheets"]
    assert sheet["after"] == "seeds"
    assert np.abs(viewer_of(page).arrays["sheet0"] / 255 - boundary).max() < 0.01

    def refused(*_: object) -> None:
        raise AssertionError("a network ran")

    monkeypatch.setattr(BoundaryNetwork, "boundary", refused)
    monkeypatch.setattr("recam_core.model.network.CamNetwork.features", refused)
    each = walked_stages(maps, boundary, "fc1")
    for steps in (4, 0, 256):
        page.select_slider(key="masks_steps").set_value(steps).run()
        fine(page)
        found = finished_pixels(each[STAGES.index(steps)], "fc1", image, "pamr", has_background=True)
        for mine, theirs in zip(pane(page, "mask"), found, strict=False):
            np.testing.assert_array_equal(mine, theirs)
    # Its own threshold is that which was chosen on other pictures, and the page says where the walk does not help.
    assert pane(page, "mask")[2] == 0.42
    assert pane(page, "walk")[2] == 0.28
    said = " ".join(box.value for box in page.caption)
    assert "does not help there: -5.1 points" in said
    assert "7 pictures of scenes@val" in said
    page.pills(key="masks_ways").set_value(["direct", "irn"]).run()
    fine(page)
    assert viewer_of(page).titles == ["Seeds", "PAMR", "IRN, PAMR"]


def test_advcam_is_made_by_a_job_after_its_cost_was_told(masks, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(advcam.Climb, "steps_at", lambda self, scale: 2)
    page = masks(ways="advcam")
    assert viewer_of(page).titles == ["Seeds", "Mask by PAMR"]  # meanwhile, the direct way
    classes = len(viewer_of(page).class_names)
    assert any(f"{4 * classes} passes" in box.value for box in page.markdown)
    page.button(key="masks_climb_start").click().run()
    end = time.monotonic() + 240
    while viewer_of(page).titles[1] != "AdvCAM" and time.monotonic() < end:
        time.sleep(0.1)
        page.run()
    fine(page)
    assert viewer_of(page).titles == ["Seeds", "AdvCAM", "Mask by PAMR"]
    made = pane(page, "advcam")[1]
    assert not [button for button in page.button if button.label == "Climb again"]
    # The app is started anew: the maps are on disk, and what was played of them is made by another press.
    climb_job._kept.clear()
    page.run()
    fine(page)
    assert viewer_of(page).titles == ["Seeds", "AdvCAM", "Mask by PAMR"]
    np.testing.assert_array_equal(pane(page, "advcam")[1], made)
    assert [button for button in page.button if button.label == "Climb again"]
    # What the viewer shows is what a file holds; what was climbed for it is taken for the first picture.
    made = exported(page, tmp_path, 1)
    np.testing.assert_array_equal(made.load(0).mask, seed_mask(*pane(page, "mask")))
    assert json.loads((tmp_path / "set" / "masks.json").read_text())["way"] == "advcam"
    assert any("About" in box.value and "Masks of 1 picture" in box.value for box in page.markdown)
    page.selectbox(key="masks_maps_scenes/bce").set_value("grad_cam").run()
    fine(page)
    assert "attribution methods have none" in page.info[0].value


def test_masks_of_a_set_are_a_file_that_opens_as_a_data_set(masks, assets, tmp_path) -> None:
    page = masks()
    made = exported(page, tmp_path, 2)
    assert "mIoU" in page.success[0].value
    maps, image = seeds(assets)
    argmax, activation = finished_pixels(maps, "fc1", image, "pamr", has_background=True)
    np.testing.assert_array_equal(made.load(0).mask, seed_mask(argmax, activation, 0.3))
    np.testing.assert_array_equal(made.load(0).image, image)
    assert open_dataset(f"coco:{tmp_path / 'set'}@val").ids
    assert not [box for box in page.markdown if "Made before by" in box.value]
    # After a reload other settings are chosen, and the file is offered all the same, with what it holds.
    again = masks(export=page.query_params["export"])
    assert "2 masks" in again.success[0].value
    assert any("Made before by BCE-CAM: Masks of 2 pictures" in box.value for box in again.markdown)
    assert not any("About" in box.value for box in again.markdown if "Masks of" in box.value)  # these are not slow


def test_masks_from_attributions_are_a_file_too(masks, tmp_path) -> None:
    page = masks(maps="grad_cam")
    made = exported(page, tmp_path, 1)
    np.testing.assert_array_equal(made.load(0).mask, seed_mask(*pane(page, "mask")))
    assert json.loads((tmp_path / "set" / "masks.json").read_text())["rule"] == "grad_cam-fc1"
    assert any("maps by Grad-CAM of weights of FC1" in box.value for box in page.markdown)


def test_a_visitor_waits_for_no_hours_of_another(tmp_path) -> None:
    with serving(Guest("0" * 16, tmp_path)), pytest.raises(UserError, match="and others wait meanwhile"):
        export_section._start(None, None, 7200.0)


def run_of_form(page: AppTest) -> str:
    """Which run the form of the queue names."""
    return next(one.value for one in page.selectbox if (one.key or "").startswith("masks_jobs_run"))


def test_what_cannot_be_looked_at_leaves_the_form_with_the_run_of_the_page(masks, opened) -> None:
    page = masks(run="scenes/recam")
    assert run_of_form(page) == "scenes/recam"
    page.segmented_control(key="masks_from").set_value(OWN_PHOTO).run()
    fine(page)
    assert run_of_form(page) == "scenes/recam"  # before there is a photo
    page.file_uploader(key="masks_photo").upload("x.png", b"these are words", "image/png").run()
    assert "not an image" in page.error[0].value
    assert not [box for box in page.info if "Put in a photo" in box.value]
    assert run_of_form(page) == "scenes/recam"
    other = opened(at="masks", family="scenes", data="voc:nowhere@val", run="scenes/recam")
    assert "nowhere" in other.error[0].value
    assert run_of_form(other) == "scenes/recam"
