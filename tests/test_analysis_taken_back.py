"""What the second of two methods takes back and loses, against loops over pixels."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recam_core.analysis import joint_counts as joint_module
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.joint_counts import joint_at, joint_counts, kept_joint_counts
from recam_core.analysis.taken_back import KINDS, moved_pixels, taken_back
from recam_core.cache import cache_folder
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size, seed_mask
from recam_core.maps.store import MapStore, StoreInfo, writing_store
from recam_core.progress import Cancelled
from recam_core.scores.evaluate import count_maps
from recam_core.scores.pixel_counts import join

NAMES = ("cat", "dog", "cow")
PICTURES = 7
THRESHOLDS = [(0.3, 0.3), (0.2, 0.7), (None, 0.5), (None, None), (0.0, 1.0)]


class Pictures:
    """A data set of masks alone."""

    def __init__(self, has_background: bool):
        rng = np.random.default_rng(4)
        self.spec, self.classes, self.has_masks = "made up", ClassList(NAMES, has_background), True
        self.ids = [f"p{number}" for number in range(PICTURES)]
        self.masks = []
        for _ in range(PICTURES):
            size = (int(rng.integers(5, 30)), int(rng.integers(5, 30)))
            self.masks.append(rng.choice(np.array([0, 1, 2, 3, VOID], dtype=np.uint8), size))
        self.masks[2][:] = VOID

    def __len__(self) -> int:
        return len(self.ids)

    def mask(self, index: int) -> np.ndarray:
        return self.masks[index]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


def method(folder: Path, name: str, pictures: Pictures, seed: int) -> Analysed:
    """Random maps, some of a picture without a class."""
    rng = np.random.default_rng(seed)
    info = StoreInfo(name, name, "fc1", "made up", NAMES, pictures.classes.has_background, (1.0,), False, "truth")
    counts = []
    with writing_store(folder / f"maps-{name}" / "maps", info) as writer:
        for id, mask in zip(pictures.ids, pictures.masks, strict=True):
            shown = np.flatnonzero(rng.random(len(NAMES)) < 0.7) if id != "p1" else np.zeros(0, dtype=np.int64)
            grids = rng.integers(0, 256, (len(shown), *grid_size(mask.shape)), dtype=np.uint8)
            maps = ActivationMaps(id, mask.shape, shown, grids)
            writer.add(maps)
            counts.append(count_maps(maps, mask, pictures.classes))
    counts = join(pictures.ids, counts, pictures.classes)
    return Analysed(name, name.upper(), None, "fc1", None, MapStore(folder / f"maps-{name}" / "maps"), counts)


@pytest.fixture(params=[True, False], ids=["background", "no background"])
def compared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Pictures, Analysed, Analysed]:
    pictures = Pictures(request.param)
    return pictures, method(tmp_path, "one", pictures, 1), method(tmp_path, "two", pictures, 2)


def naive(pictures: Pictures, methods: tuple[Analysed, Analysed], thresholds: tuple) -> Counter:
    """Pixels by (picture, truth, before, after), one after another."""
    found: Counter = Counter()
    for number, (id, mask) in enumerate(zip(pictures.ids, pictures.masks, strict=True)):
        seeds = [
            seed_mask(*argmax_and_activation(each.store[id]), threshold)
            for each, threshold in zip(methods, thresholds, strict=True)
        ]
        for y, x in np.ndindex(mask.shape):
            truth = int(mask[y, x])
            if truth != VOID and (truth or pictures.classes.has_background):
                found[number, truth, int(seeds[0][y, x]), int(seeds[1][y, x])] += 1
    return found


def kind_of(truth: int, answer: int) -> str:
    return "false_positive" if truth == 0 else "wrong_class" if answer else "false_negative"


@pytest.mark.parametrize("thresholds", THRESHOLDS)
def test_as_many_as_a_loop_over_pixels_finds(compared, thresholds: tuple) -> None:
    pictures, *methods = compared
    wanted = naive(pictures, methods, thresholds)
    found = taken_back(joint_at(*methods, *thresholds, pictures))
    joint = found.joint
    entries = zip(joint.image, joint.truth, joint.before, joint.after, strict=True)
    assert dict(zip([tuple(map(int, entry)) for entry in entries], joint.pixels.tolist(), strict=True)) == wanted
    assert found.scored.tolist() == [sum(n for key, n in wanted.items() if key[0] == p) for p in range(PICTURES)]
    for lost, by_kind in ((False, found.taken_back), (True, found.lost)):
        sums: Counter = Counter()
        cells: Counter = Counter()
        for (picture, truth, before, after), pixels in wanted.items():
            right, wrong = (before, after) if lost else (after, before)
            if right == truth != wrong:
                sums[picture, kind_of(truth, wrong)] += pixels
                cells[picture, truth, wrong] += pixels
        assert sum(cells.values()) > 0 or thresholds == (0.0, 1.0)
        for kind in KINDS:
            assert by_kind[kind].tolist() == [sums[picture, kind] for picture in range(PICTURES)]
        positions, pixels = found.pictures(lost=lost)
        assert sorted(pixels.tolist(), reverse=True) == pixels.tolist()
        assert dict(zip(positions.tolist(), pixels.tolist(), strict=True)) == {
            p: n for p in range(PICTURES) if (n := sum(sums[p, kind] for kind in KINDS))
        }
        chosen = np.arange(PICTURES) != 3
        for truth in range(4):
            for wrong in range(4):
                positions, pixels = found.pictures(truth, wrong, lost=lost, chosen=chosen)
                assert dict(zip(positions.tolist(), pixels.tolist(), strict=True)) == {
                    p: cells[p, truth, wrong] for p in range(PICTURES) if cells[p, truth, wrong] and chosen[p]
                }
        moved = found.moved_cell(lost)
        for picture in range(PICTURES):
            own = {cell[1:]: n for cell, n in cells.items() if cell[0] == picture}
            if not own:
                assert (moved.truth[picture], moved.taken_for[picture], moved.pixels[picture]) == (-1, -1, 0)
                assert np.isnan(moved.before[picture])
                continue
            truth, wrong = int(moved.truth[picture]), int(moved.taken_for[picture])
            assert moved.pixels[picture] == max(own.values()) == own[truth, wrong]
            of_truth = {cell: n for cell, n in wanted.items() if cell[:2] == (picture, truth)}
            for side, share in ((2, moved.before), (3, moved.after)):
                part = sum(n for cell, n in of_truth.items() if cell[side] == wrong)
                assert share[picture] == pytest.approx(part / sum(of_truth.values()))


def test_pixels_that_are_marked_are_those_that_are_counted(compared) -> None:
    pictures, *methods = compared
    found = taken_back(joint_at(*methods, 0.3, 0.4, pictures))
    for number, (id, mask) in enumerate(zip(pictures.ids, pictures.masks, strict=True)):
        seeds = [
            seed_mask(*argmax_and_activation(each.store[id]), cut)
            for each, cut in zip(methods, (0.3, 0.4), strict=True)
        ]
        for asked in ((None, None, None), (2, None, None), (None, 1, None), (3, 0, None), (None, None, "wrong_class")):
            for lost in (False, True):
                truth, wrong, kind = asked
                positions, pixels = found.pictures(truth, wrong, kind=kind, lost=lost)
                counted = dict(zip(positions.tolist(), pixels.tolist(), strict=True)).get(number, 0)
                has_background = pictures.classes.has_background
                marked = moved_pixels(*seeds, mask, truth, wrong, has_background, kind=kind, lost=lost)
                assert marked.sum() == counted


def test_counts_are_kept_and_give_the_same_as_one_pass(compared, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, *methods = compared
    assert kept_joint_counts(*methods) is None
    joint_counts(*methods, pictures)
    kept = kept_joint_counts(*methods)
    assert kept is not None
    assert kept_joint_counts(*reversed(methods)) is None
    monkeypatch.setattr(joint_module, "MANY", 1)
    # Blocks of few rows end in the middle of a picture.
    monkeypatch.setattr(joint_module, "ROWS_AT_ONCE", 50)
    for thresholds in THRESHOLDS:
        one, other = kept.at(*thresholds), joint_at(*methods, *thresholds, pictures)
        for name in ("image", "truth", "before", "after", "pixels"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
            assert getattr(one, name).dtype == getattr(other, name).dtype


@pytest.mark.parametrize("file", ["joint.json", "levels.bin", "count.bin", "start.npy", "truth.npy"])
def test_damaged_counts_are_made_again(compared, file: str) -> None:
    pictures, *methods = compared
    whole = joint_counts(*methods, pictures).at(0.3, 0.3)
    (folder,) = cache_folder().glob("joint-*")
    (folder / file).write_bytes((folder / file).read_bytes()[:-3])
    assert kept_joint_counts(*methods) is None
    assert np.array_equal(joint_counts(*methods, pictures).at(0.3, 0.3).pixels, whole.pixels)


def test_cancelling_leaves_nothing_and_says_how_far_it_is(compared) -> None:
    pictures, *methods = compared
    seen = []

    def stop(done: int, total: int, note: str) -> None:
        seen.append((done, total))
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        joint_counts(*methods, pictures, stop)
    assert seen == [(1, PICTURES), (2, PICTURES), (3, PICTURES)]
    assert not list(cache_folder().iterdir())


def test_what_cannot_be_counted_is_refused(compared, tmp_path: Path) -> None:
    pictures, one, two = compared
    found = taken_back(joint_at(one, two, 0.3, 0.3, pictures))
    with pytest.raises(UserError, match="no class number 4"):
        found.pictures(4, 1)
    with pytest.raises(UserError, match="no kind of error"):
        found.pictures(kind="odd")
    with pytest.raises(UserError, match="between 0 and 1"):
        joint_at(one, two, 0.3, 1.5, pictures)
    three = method(tmp_path, "three", pictures, 5)
    pictures.ids[3] = "gone"
    with pytest.raises(UserError, match="no picture 'p3'"):
        joint_counts(one, three, pictures)
