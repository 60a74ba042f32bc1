"""Refinement of maps: PAMR against its equation written out, what it does to scores, and the masks that are written."""

import json

import numpy as np
import pytest
from PIL import Image

from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, full_size, grid_size, winner_and_level
from recam_core.refine import finishes
from recam_core.refine.finishes import finished_levels
from recam_core.refine.pamr import pamr
from run_folders import write_run
from tiny_voc import tiny_voc


def naive_pamr(image, planes, iterations, dilations):
    """Pixel by pixel."""
    height, width = image.shape[:2]
    x = image.astype(float)
    around = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)]

    def at(r, c):
        return min(max(r, 0), height - 1), min(max(c, 0), width - 1)

    weights = {}
    for r in range(height):
        for c in range(width):
            window = np.array([x[at(r + d * dr, c + d * dc)] for d in dilations for dr, dc in around])
            sigma = window.std(axis=0, ddof=1)
            places = [at(r + d * dr, c + d * dc) for d in dilations for dr, dc in around if (dr, dc) != (0, 0)]
            alike = np.array([(-np.abs(x[r, c] - x[place]) / (1e-8 + 0.1 * sigma)).mean() for place in places])
            chance = np.exp(alike - alike.max())
            weights[r, c] = places, chance / chance.sum()
    current = planes.astype(float)
    for _ in range(iterations):
        fresh = np.empty_like(current)
        for (r, c), (places, chance) in weights.items():
            fresh[:, r, c] = sum(w * current[:, pr, pc] for w, (pr, pc) in zip(chance, places, strict=True))
        current = fresh
    return current


def test_pamr_is_its_equation():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    planes = rng.random((2, 7, 9), dtype=np.float32)
    found = pamr(image, planes, iterations=3, dilations=(1, 2, 8))
    np.testing.assert_allclose(found, naive_pamr(image, planes, 3, (1, 2, 8)), atol=2e-6)
    assert found.dtype == np.float32


def test_pamr_keeps_within_a_region_of_one_colour_and_leaves_a_flat_plane_alone():
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    image[:, 20:] = 255
    planes = np.zeros((2, 40, 40), dtype=np.float32)
    planes[0, 18:22, 4:8] = 1  # spreads to the left half alone
    planes[1] = 0.25
    spread, flat = pamr(image, planes)
    assert (spread[:, :20] > 0).mean() > 0.9
    assert spread[:, 20:].max() < 1e-3
    np.testing.assert_allclose(flat, 0.25, atol=1e-5)


def maps_of(levels, classes=(0, 2), size=(40, 44)):
    grid = grid_size(size)
    rng = np.random.default_rng(levels)
    return ActivationMaps("a", size, np.array(classes), rng.integers(0, 256, (len(classes), *grid), dtype=np.uint8))


@pytest.mark.parametrize("rule", ["fc1", "softmax"])
def test_maps_without_a_finish_are_the_maps(rule):
    maps = maps_of(1)
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    for mine, theirs in zip(finished_levels(maps, image, "none", rule), winner_and_level(maps), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_log_odds_are_refined_as_probabilities(monkeypatch):
    """To the ends of their scale, where float32 knows no number between the probability and 1."""
    seen = []
    keep = finishes.Finish("k", "", lambda image, planes: seen.append(planes) or planes)
    monkeypatch.setitem(finishes.FINISHES, "keep", keep)
    maps = maps_of(2, classes=(1,))
    winner, level = finished_levels(maps, np.zeros((40, 44, 3), dtype=np.uint8), "keep", "softmax")
    before = full_size(maps)[0]
    assert before.max() > 250
    certain = before >= 80  # below one in ten million, what is left is nothing
    assert np.abs(level.astype(int) - before)[certain].max() <= 1
    assert level[~certain].max() <= 81
    odds = 64 * (before / 255 - 0.5)
    np.testing.assert_allclose(seen[0][0], 1 / (1 + np.exp(odds)), rtol=0.2, atol=1e-30)
    assert set(np.unique(winner)) == {2}
    finished_levels(maps, np.zeros((40, 44, 3), dtype=np.uint8), "keep", "fc1")
    np.testing.assert_allclose(seen[1][0], full_size(maps)[0] / 255, atol=0.003)


def test_a_large_picture_is_refined_at_a_smaller_size(monkeypatch):
    seen = []
    keep = finishes.Finish("k", "", lambda image, planes: seen.append((image.shape, planes.shape)) or planes)
    monkeypatch.setitem(finishes.FINISHES, "keep", keep)
    monkeypatch.setattr(finishes, "MOST_PIXELS", 400)
    maps = ActivationMaps("a", (40, 40), np.array([0]), np.full((1, 10, 10), 204, dtype=np.uint8))
    winner, level = finished_levels(maps, np.zeros((40, 40, 3), dtype=np.uint8), "keep", "fc1")
    assert seen == [((20, 20, 3), (1, 20, 20))]
    assert winner.shape == (40, 40)
    assert set(np.unique(level)) == {204}


def test_a_picture_of_no_class_and_a_map_without_activation_stay_what_they_are():
    image = np.zeros((40, 44, 3), dtype=np.uint8)
    none = ActivationMaps("a", (40, 44), np.zeros(0, dtype=np.int64), np.zeros((0, 10, 11), dtype=np.uint8))
    assert not any(part.any() for part in finished_levels(none, image, "pamr", "fc1"))
    silent = ActivationMaps("a", (40, 44), np.array([1]), np.zeros((1, 10, 11), dtype=np.uint8))
    assert not any(part.any() for part in finished_levels(silent, image, "pamr", "fc1"))
    with pytest.raises(UserError, match="no finish 'blur'; there are none, pamr"):
        finished_levels(silent, image, "blur", "fc1")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("refine")
    tiny_voc(place / "squares", train_pictures=4, val_pictures=3)
    write_run(place / "run", "bce")
    return place


def masks(place, *arguments):
    data = f"voc:{place / 'squares'}@train"
    options = ("--scales", "1", "--no-mirror", "--device", "cpu")
    return main(["masks", str(place / "run"), "--data", data, *options, *map(str, arguments)])


def test_masks_are_scored_and_written_as_a_set_that_opens(place, tmp_path, capsys):
    out, scores = tmp_path / "set", tmp_path / "scores.json"
    val = f"voc:{place / 'squares'}@val"
    assert masks(place, "--select", val, "--out", out, "--with-pictures", "--json", scores) == 0
    said = capsys.readouterr().out
    found = json.loads(scores.read_text())["evaluations"]
    assert list(found) == ["none", "pamr"]
    about = json.loads((out / "masks.json").read_text())
    assert about["finish"] == "pamr"
    assert about["threshold"] == found["pamr"]["fixed"]["threshold"]
    assert f"threshold of {about['threshold']:.2f}" in said
    made, truth = open_dataset(f"voc:{out}@train"), open_dataset(f"voc:{place / 'squares'}@train")
    assert made.classes == truth.classes
    assert made.ids == truth.ids
    # What was scored is what was written.
    right = pixels = 0
    for index in range(len(truth)):
        mine, theirs = made.load(index), truth.load(index)
        np.testing.assert_array_equal(mine.image, theirs.image)
        right += ((mine.mask == theirs.mask) & (theirs.mask > 0)).sum()
        pixels += (theirs.mask > 0).sum()
    fixed = found["pamr"]["fixed"]
    assert right / pixels == pytest.approx(1 - fixed["wrong_class"] - fixed["lost_to_background"], abs=1e-6)
    with Image.open(out / "SegmentationClass" / f"{truth.ids[0]}.png") as image:
        assert image.mode == "P"


def test_what_cannot_be_right_is_refused_before_anything_is_made(place, tmp_path, capsys):
    out = tmp_path / "set"
    for arguments, sentence in (
        (("--out", out), "choose it with --select SPEC"),
        (("--out", out, "--threshold", "1.5"), "between 0 and 1"),
        (("--rule", "fc1", "--rule", "fc2"), "FC2"),
        (("--out", out, "--select", "scenes:stuff=1@val"), "classes"),
    ):
        assert masks(place, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not out.exists()
    # The run's own threshold is that of its maps as they are.
    assert masks(place, "--out", out, "--finish", "none") == 0
    assert json.loads((out / "masks.json").read_text())["threshold"] == 0.3
