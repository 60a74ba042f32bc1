"""The band along contours of the ground truth, and methods with its pixels counted alone, against loops over pixels."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import recam_core as recam
from recam_core.analysis import analysed
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.banded import analyse_band, kept_band
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.joint_counts import joint_at, kept_joint_counts
from recam_core.analysis.picture_table import picture_table
from recam_core.analysis.taken_back import taken_back
from recam_core.cache import cache_folder
from recam_core.cli.main import main
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.folders import shipped_folder
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size, seed_mask
from recam_core.maps.store import MapStore, StoreInfo, writing_store
from recam_core.progress import Cancelled
from recam_core.scores.band import contour_band, within_band
from recam_core.scores.evaluate import count_maps
from recam_core.scores.pixel_counts import join

CLASSES = ClassList(("cat", "dog"))
THRESHOLD = 0.4


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


def near_contours(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Pixel by pixel: less than so far from a pixel that has a neighbour of another value."""
    at = [
        (y, x)
        for y, x in np.ndindex(mask.shape)
        for r, c in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1))
        if 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[y, x] != mask[r, c]
    ]
    found = np.zeros(mask.shape, dtype=bool)
    for y, x in np.ndindex(mask.shape):
        found[y, x] = any((y - r) ** 2 + (x - c) ** 2 < pixels**2 for r, c in at)
    return found


class Pictures:
    """Masks alone: an object with a rim of void, two that meet, a picture without any contour."""

    spec, classes, has_masks = "made up", CLASSES, True

    def __init__(self) -> None:
        rimmed = np.zeros((18, 22), dtype=np.uint8)
        rimmed[4:13, 5:16] = VOID
        rimmed[6:11, 7:14] = 1
        meeting = np.full((20, 16), 1, dtype=np.uint8)
        meeting[:, 9:] = 2
        meeting[15:] = 0
        self.masks = [rimmed, meeting, np.full((9, 9), 2, dtype=np.uint8)]
        self.ids = ["rimmed", "meeting", "alone"]

    def __len__(self) -> int:
        return len(self.ids)

    def mask(self, index: int) -> np.ndarray:
        return self.masks[index]


def method(folder: Path, name: str, pictures: Pictures, seed: int) -> Analysed:
    """Random maps."""
    rng, counts = np.random.default_rng(seed), []
    info = StoreInfo(name, name, "fc1", "made up", CLASSES.names, True, (1.0,), False, "truth")
    with writing_store(folder / f"maps-{name}" / "maps", info) as writer:
        for id, mask in zip(pictures.ids, pictures.masks, strict=True):
            grids = rng.integers(0, 256, (2, *grid_size(mask.shape)), dtype=np.uint8)
            maps = ActivationMaps(id, mask.shape, np.arange(2), grids)
            writer.add(maps)
            counts.append(count_maps(maps, mask, CLASSES))
    counts = join(pictures.ids, counts, CLASSES)
    return Analysed(name, name.upper(), None, "fc1", None, MapStore(folder / f"maps-{name}" / "maps"), counts)


def naive(pictures: Pictures, methods: list[Analysed], band: int) -> Counter:
    """Pixels of the band by (picture, truth, what each method gives them to)."""
    found: Counter = Counter()
    for id, mask in zip(pictures.ids, pictures.masks, strict=True):
        seeds = [seed_mask(*argmax_and_activation(one.store[id]), THRESHOLD) for one in methods]
        for y, x in np.argwhere(near_contours(mask, band) & (mask != VOID)).tolist():
            found[(id, int(mask[y, x]), *(int(seed[y, x]) for seed in seeds))] += 1
    return found


@pytest.mark.parametrize("band", [1, 2, 4])
def test_the_band_is_what_lies_near_a_contour(band: int) -> None:
    rng = np.random.default_rng(0)
    for mask in (*Pictures().masks, rng.choice(np.array([0, 0, 0, 0, 0, 3, VOID], dtype=np.uint8), (11, 13))):
        assert np.array_equal(contour_band(mask, band), near_contours(mask, band))
        scored = within_band(mask, band)
        assert np.array_equal(scored != VOID, near_contours(mask, band) & (mask != VOID))
        assert within_band(mask, None) is mask
    # VOC draws a rim of void around each object: the object's own edge is in the band.
    rimmed = within_band(Pictures().masks[0], band)
    assert {0, 1} <= set(rimmed.ravel().tolist())
    with pytest.raises(UserError, match="1 pixel wide or more"):
        contour_band(Pictures().masks[0], 0)


def test_only_the_pixels_of_the_band_are_counted_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures()
    whole = method(tmp_path, "one", pictures, 1)
    assert kept_band(whole, 2) is None
    made = analyse_band(whole, pictures, 2)
    assert (made.band, made.whole, made.title, made.key) == (2, whole, "ONE, within 2 px", "one")
    assert made.identity != whole.identity

    def gone(index: int) -> None:
        raise AssertionError("counted again")

    index = CellIndex.of(made.counts)
    expected = naive(pictures, [whole], 2)
    for truth, predicted in np.ndindex(3, 3):
        positions, pixels = index.pictures(truth, predicted, THRESHOLD)
        cell = {id: count for (id, *values), count in expected.items() if values == [truth, predicted]}
        assert dict(zip([made.counts.ids[place] for place in positions], pixels.tolist(), strict=True)) == cell
    # What pictures show, and how large it is, is told of all their pixels.
    table = picture_table({"one": made.counts}, {"one": THRESHOLD}, whole=whole.counts)
    assert table.present.tolist() == [[True, False], [True, True], [False, True]]
    assert table.largest[1] == pytest.approx(9 * 15 / 320)
    assert np.isnan(table.miou["one"]).tolist() == [False, False, True]

    monkeypatch.setattr(pictures, "mask", gone)
    kept = kept_band(whole, 2)
    assert kept is not None
    for one in (kept, analyse_band(whole, pictures, 2)):
        assert np.array_equal(one.counts.total(), made.counts.total())
    assert kept_band(whole, 3) is None
    assert kept_band(method(tmp_path, "other", pictures, 2), 2) is None


def test_of_many_pictures_an_index_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures()
    whole = method(tmp_path, "one", pictures, 1)
    few = analyse_band(whole, pictures, 3)
    for folder in cache_folder().glob("band-*"):
        folder.rename(folder.with_name("away"))
    monkeypatch.setattr(analysed, "MANY", 2)
    many = analyse_band(whole, pictures, 3)
    assert isinstance(many.counts, CellIndex)
    assert np.array_equal(many.counts.total(), few.counts.total())


def test_what_is_taken_back_within_the_band(tmp_path: Path) -> None:
    pictures = Pictures()
    both = [method(tmp_path, name, pictures, seed) for seed, name in enumerate(("one", "two"))]
    within = [analyse_band(one, pictures, 2) for one in both]
    found = taken_back(joint_at(*within, THRESHOLD, THRESHOLD, pictures))
    expected: Counter = Counter()
    for (id, truth, before, after), count in naive(pictures, both, 2).items():
        expected[id] += count * (before != truth and after == truth)
    assert dict(zip(found.ids, found.all_taken_back.tolist(), strict=True)) == {id: expected[id] for id in pictures.ids}
    # Kept apart from what all pixels have, and from other bands.
    assert kept_joint_counts(*within) is not None
    assert kept_joint_counts(*both) is None
    with pytest.raises(UserError, match="other pixels"):
        joint_at(within[0], replace(both[1], key="two"), THRESHOLD, THRESHOLD, pictures)


def test_what_cannot_be_counted_leaves_nothing(tmp_path: Path) -> None:
    pictures = Pictures()
    whole = method(tmp_path, "one", pictures, 1)

    def stop(done: int, total: int, note: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        analyse_band(whole, pictures, 2, stop)
    pictures.masks = [np.ones_like(mask) for mask in pictures.masks]
    with pytest.raises(UserError, match="No picture of made up has a contour"):
        analyse_band(whole, pictures, 2)
    assert not list(cache_folder().glob("*band*"))


def test_commands_and_notebooks_score_the_band(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = str(shipped_folder() / "scenes" / "bce"), "scenes:val=3,size=64@val"
    scores = tmp_path / "scores.json"

    def evaluated(*more: str) -> dict:
        assert main(["evaluate", run, "--data", data, "--device", "cpu", "--json", str(scores), *more]) == 0
        return json.loads(scores.read_text())

    made = evaluated("--band", "3")  # by the network, before any maps are kept
    assert "Only pixels within 3 pixels of a contour of the ground truth are scored" in capsys.readouterr().out
    assert main(["analyse", run, "--data", data, "--device", "cpu", "--band", "3"]) == 0
    assert "within 3 pixels of a contour counted" in capsys.readouterr().out
    assert len(list(cache_folder().glob("band-*"))) == 1
    assert evaluated("--band", "3") == made
    assert made["band"] == 3
    pictures = recam.open_dataset(data)
    pixels = sum(int((within_band(pictures.mask(index), 3) != VOID).sum()) for index in range(3))
    assert made["evaluations"][0]["pixels"] == pixels < evaluated()["evaluations"][0]["pixels"]
    found = recam.evaluate(run, data, band=3, progress=False)
    assert next(iter(found.values())).best.miou == made["evaluations"][0]["best"]["miou"]
    report = tmp_path / "report.html"
    listed = ["pictures", data, "--runs", run, "--taken-for", "background", "--band", "3", "--device", "cpu"]
    assert main(listed) == 0
    assert "within 3 px" in capsys.readouterr().out
    command = ["report", data, "--runs", run, "--out", str(report), "--pictures", "1", "--band", "3", "--device", "cpu"]
    assert main([*command, "--bootstrap", "2"]) == 0
    page = report.read_text()
    assert "Only pixels within 3 pixels of a contour count." in page
    assert f"{pixels:,}, within 3 pixels of a contour" in page
    for refused in (["--band", "0"], ["--band", "3", "--keep-threshold"]):
        assert main(["evaluate", run, "--data", data, *refused]) == 2
    with pytest.raises(UserError, match="whole number"):
        recam.evaluate(run, data, band=2.5, progress=False)
