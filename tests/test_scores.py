"""One-pass scores against naive scoring: a seed mask for every threshold, counted pixel by pixel."""

import math

import numpy as np
import pytest

from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, full_size, grid_size
from recam_core.scores.evaluate import Tally, check_classes, evaluate_counts, evaluate_maps
from recam_core.scores.pixel_counts import count_pixels, load_counts
from recam_core.scores.scores import bootstrap_miou, score, sweep
from recam_core.scores.table import summary_table

NAMES = ("cat", "dog", "cow", "boat")
K = len(NAMES)


def pictures(seed, has_background=True, count=6):
    """Random tiny maps and masks: void, classes without maps, pictures without classes, exact ties of levels."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        size = (int(rng.integers(1, 14)), int(rng.integers(1, 14)))
        classes = np.flatnonzero(rng.random(K) < (0 if number == 0 else 0.6))
        shape = (len(classes), *grid_size(size))
        activations = (rng.integers(0, 6, shape) * 51).astype(np.uint8)
        values = [*range(0 if has_background else 1, K + 1), VOID]
        mask = rng.choice(values, size).astype(np.uint8)
        made.append((ActivationMaps(f"p{number}", size, classes, activations), mask))
    return made


def naive_confusion(made, threshold):
    """Arg-max over [threshold, CAM of each present class] for every pixel, by loops. None: no background entry."""
    confusion = [[0] * (K + 1) for _ in range(K + 1)]
    for maps, mask in made:
        planes = full_size(maps)
        winners = exact_winner(maps)
        for y in range(maps.size[0]):
            for x in range(maps.size[1]):
                truth = int(mask[y, x])
                if truth == VOID:
                    continue
                predicted = 0
                if len(maps.classes):
                    order = winners[y][x]
                    limit = -1 if threshold is None else round(threshold * 255)
                    if int(planes[order, y, x]) > limit:
                        predicted = int(maps.classes[order]) + 1
                confusion[truth][predicted] += 1
    return confusion


def exact_winner(maps):
    """Position of the arg-max map at each pixel, from bilinear weights written out; ties go to the first."""
    height, width = maps.size
    n, grid_height, grid_width = maps.activations.shape
    winners = [[0] * width for _ in range(height)]
    for y in range(height):
        v = min(max((y + 0.5) * grid_height / height - 0.5, 0), grid_height - 1)
        top, b = int(v), v - int(v)
        bottom = min(top + 1, grid_height - 1)
        for x in range(width):
            u = min(max((x + 0.5) * grid_width / width - 0.5, 0), grid_width - 1)
            left, a = int(u), u - int(u)
            right = min(left + 1, grid_width - 1)
            values = []
            for plane in maps.activations.astype(float):
                upper = plane[top, left] + (plane[top, right] - plane[top, left]) * a
                lower = plane[bottom, left] + (plane[bottom, right] - plane[bottom, left]) * a
                values.append(upper + (lower - upper) * b)
            # Sums that are equal on paper differ in the last bits; what is equal to 1e-3 may go to either class.
            winners[y][x] = next(order for order in range(n) if values[order] >= max(values) - 1e-3) if n else 0
    return winners


def naive_scores(confusion, has_background):
    """Per class (iou, precision, recall, false positive rate, false negative rate) by loops; nan where undefined."""
    everything = sum(map(sum, confusion))
    rows = []
    for k in range(0 if has_background else 1, K + 1):
        tp = confusion[k][k]
        fn = sum(confusion[k]) - tp
        fp = sum(confusion[t][k] for t in range(K + 1)) - tp
        tn = everything - tp - fp - fn
        rows.append(
            [
                part / whole if whole else math.nan
                for part, whole in ((tp, tp + fp + fn), (tp, tp + fp), (tp, tp + fn), (fp, fp + tn), (fn, fn + tp))
            ]
        )
    return np.array(rows)


def scored(made, has_background=True, **options):
    classes = ClassList(NAMES, has_background)
    return evaluate_maps([maps for maps, _ in made], [mask for _, mask in made], classes, "ours", **options)


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_one_pass_equals_scoring_every_threshold(seed, has_background):
    made = pictures(seed, has_background)
    result = scored(made, has_background, thresholds=101)
    assert len(result.sweep) == 101
    histogram = result.counts.total()
    best = -1.0
    for index, threshold in enumerate(np.linspace(0, 1, 101).tolist()):
        expected = naive_confusion(made, threshold)
        from_sweep, single = result.sweep[index], score(histogram, threshold, has_background)
        assert from_sweep.confusion.tolist() == single.confusion.tolist() == expected
        iou = naive_scores(expected, has_background)[:, 0]
        assert result.sweep.miou[index] == pytest.approx(np.nanmean(iou), abs=1e-12)
        best = max(best, float(np.nanmean(iou)))
    if has_background:
        assert result.best.miou == pytest.approx(best, abs=1e-12)
    else:
        assert result.best.threshold is None
        assert result.best.confusion.tolist() == naive_confusion(made, None)


@pytest.mark.parametrize("has_background", [True, False])
def test_per_class_scores_equal_naive_ones(has_background):
    made = pictures(7, has_background, count=9)
    result = scored(made, has_background, threshold=0.35)
    confusion = naive_confusion(made, 0.35)
    expected = naive_scores(confusion, has_background)
    ours = result.fixed
    columns = (ours.iou, ours.precision, ours.recall, ours.false_positive_rate, ours.false_negative_rate)
    assert np.allclose(np.stack(columns, axis=1), expected, rtol=0, atol=1e-12, equal_nan=True)
    foreground = sum(map(sum, confusion[1:]))
    wrong = sum(confusion[t][p] for t in range(1, K + 1) for p in range(1, K + 1) if t != p)
    assert ours.wrong_class == pytest.approx(wrong / foreground)
    assert ours.lost_to_background == pytest.approx(sum(row[0] for row in confusion[1:]) / foreground)
    background = sum(confusion[0])
    claimed = sum(confusion[0][1:]) / background if has_background else math.nan
    assert ours.background_claimed == pytest.approx(claimed, nan_ok=True)
    first = 1 if has_background else 0
    assert ours.mean_false_positive_rate == pytest.approx(np.nanmean(expected[first:, 3]))
    assert ours.mean_false_negative_rate == pytest.approx(np.nanmean(expected[first:, 4]))


def test_of_equal_thresholds_the_lowest_is_the_best():
    maps = ActivationMaps("weak", (4, 12), np.array([0]), np.array([[[200, 100, 100]]], dtype=np.uint8))
    _, level = argmax_and_activation(maps)
    result = scored([(maps, (level > 100).astype(np.uint8))], thresholds=256)
    alike = np.flatnonzero(result.sweep.miou == 1)
    assert len(alike) > 1, "no pixel's level lies just above 100"
    assert result.best.threshold == result.sweep.thresholds[alike[0]] == 100 / 255


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    mask = np.array([[1, 1, 0, 0]], dtype=np.uint8)
    maps = ActivationMaps("a", (1, 4), np.array([0]), np.full((1, 1, 1), 255, dtype=np.uint8))
    result = scored([(maps, mask)], threshold=0.5)
    assert np.isnan(result.fixed.iou[2:]).all()
    assert result.fixed.miou == pytest.approx((0.0 + 0.5) / 2)
    assert result.to_json()["fixed"]["per_class"]["iou"] == [0.0, 0.5, None, None, None]


def test_without_background_unlabelled_pixels_are_false_negatives_only():
    maps = ActivationMaps("a", (4, 8), np.array([0, 1]), np.array([[[255, 40]], [[0, 60]]], dtype=np.uint8))
    mask = np.full((4, 8), 1, dtype=np.uint8)
    mask[:, 4:] = 2
    mask[0] = 0  # no such class here: not scored
    all_pixels = scored([(maps, mask)], has_background=False)
    assert all_pixels.best.pixels == 24
    assert all_pixels.best.threshold is None
    assert all_pixels.best.lost_to_background == 0
    strict = scored([(maps, mask)], has_background=False, threshold=0.9).fixed
    assert strict.confusion[0].sum() == 0
    assert strict.false_positive_rate[:2].tolist() == [0, 0]
    assert strict.false_negative_rate[1] == 1
    assert strict.lost_to_background > 0.5
    assert len(strict.iou) == K


def test_counts_saved_and_loaded_give_the_same_scores(tmp_path):
    counts = scored(pictures(3)).counts
    counts.save(tmp_path / "parts.npz")
    loaded = load_counts(tmp_path / "parts.npz")
    assert loaded.ids == counts.ids
    assert loaded.classes == counts.classes
    assert np.array_equal(loaded.total(), counts.total())
    assert evaluate_counts(loaded).best.miou == evaluate_counts(counts).best.miou


@pytest.mark.parametrize("harm", ["truncated", "empty", "foreign", "missing", "columns", "range", "object"])
def test_a_damaged_parts_file_is_refused(tmp_path, harm):
    path = tmp_path / "parts.npz"
    scored(pictures(3)).counts.save(path)
    content = path.read_bytes()
    if harm in ("columns", "range", "object"):
        with np.load(path) as arrays:
            changed = dict(arrays)
        change = {
            "columns": {"count": changed["count"][:-1]},
            "range": {"truth": changed["truth"] + np.uint8(50)},
            "object": {"ids": changed["ids"].astype(object)},
        }
        np.savez(path, **{**changed, **change[harm]})
    elif harm == "missing":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "foreign": b"PNG"}[harm])
    with pytest.raises(UserError, match=r"parts\.npz"):
        load_counts(path)


def test_bootstrap_holds_the_score_and_is_repeatable():
    result = scored(pictures(5, count=30), threshold=0.3)
    low, high = bootstrap_miou(result.counts, 0.3, resamples=300)
    assert (low, high) == bootstrap_miou(result.counts, 0.3, resamples=300)
    assert low < result.fixed.miou < high
    assert (low, high) != bootstrap_miou(result.counts, 0.3, resamples=300, seed=1)
    same = evaluate_counts(result.counts, threshold=0.3, resamples=300)
    assert same.interval == (low, high)


def test_one_picture_does_not_tell_how_pictures_differ():
    result = scored(pictures(5)[1:2], threshold=0.3)
    assert np.isnan(bootstrap_miou(result.counts, 0.3, resamples=5)).all()
    shown = evaluate_counts(result.counts, threshold=0.3, resamples=5)
    assert "none: no class is seen in two pictures" in summary_table([shown])
    assert shown.to_json()["miou_interval"] is None


def test_more_classes_than_a_byte_of_background_fit():
    classes = ClassList(tuple(f"c{k}" for k in range(254)))
    winner = np.array([[254, 1]], dtype=np.uint8)
    rows = count_pixels(winner, np.array([[255, 0]], dtype=np.uint8), np.array([[254, VOID]], dtype=np.uint8), classes)
    assert (rows.truth.tolist(), rows.argmax.tolist(), rows.activation.tolist()) == ([254], [254], [255])


def test_what_does_not_belong_together_is_refused():
    maps, mask = pictures(1)[2]
    classes = ClassList(NAMES)
    tally = Tally(classes)
    with pytest.raises(UserError, match=r"p2: the activation maps are of a picture of .* but the ground"):
        tally.add(maps, np.zeros((99, 3), dtype=np.uint8))
    with pytest.raises(UserError, match="class id 9"):
        tally.add(maps, np.full_like(mask, 9))
    tally.add(maps, None)
    with pytest.raises(UserError, match="none of the pictures has a ground-truth mask"):
        tally.evaluation()
    with pytest.raises(UserError, match="at least 2 thresholds"):
        sweep(np.zeros((2, 2, 256), dtype=np.int64), 1)
    with pytest.raises(UserError, match="between 0 and 1"):
        score(np.zeros((2, 2, 256), dtype=np.int64), 1.5)


def test_pictures_without_masks_are_counted_and_not_scored():
    made = pictures(1)
    result = scored([*made, (made[1][0], None)])
    assert result.without_mask == 1
    assert len(result.counts) == len(made)


def test_different_class_lists_are_named():
    with pytest.raises(UserError, match="only the former has 'cow'; only the latter has 'horse'"):
        check_classes(ClassList(("cat", "cow")), ClassList(("cat", "horse")), "A", "B")
    with pytest.raises(UserError, match=r"another order \(class 1 is 'cat' and 'dog'\)"):
        check_classes(ClassList(("cat", "dog")), ClassList(("dog", "cat")), "A", "B")
    with pytest.raises(UserError, match="A has a background class and B has none"):
        check_classes(ClassList(("cat",)), ClassList(("cat",), False), "A", "B")
    check_classes(ClassList(("cat",)), ClassList(("cat",)), "A", "B")


@pytest.mark.parametrize("has_background", [True, False])
def test_few_and_many_classes_are_counted_alike(has_background):
    """The histogram of a picture is laid out otherwise for long class lists; the counts are the same."""
    rng = np.random.default_rng(4)
    winner, level = rng.integers(0, K + 1, (2, 30, 40)).astype(np.uint8)
    level *= 50
    mask = rng.choice([0, 1, 2, K, VOID], (30, 40)).astype(np.uint8)
    few = count_pixels(winner, level, mask, ClassList(NAMES, has_background))
    many = count_pixels(winner, level, mask, ClassList(tuple(f"c{k}" for k in range(80)), has_background))
    for name in ("truth", "argmax", "activation", "count"):
        assert np.array_equal(getattr(few, name), getattr(many, name))
    counted = mask != VOID if has_background else (mask != VOID) & (mask != 0)
    assert few.count.sum() == counted.sum()


def test_a_class_with_maps_that_no_mask_shows_is_named():
    maps = ActivationMaps("a", (4, 8), np.array([0, 1]), np.array([[[255, 0]], [[0, 200]]], dtype=np.uint8))
    classes = ClassList(("red", "green", "blue"))
    mask = np.zeros((4, 8), dtype=np.uint8)
    mask[:, :4], mask[:, 4:] = 1, 2
    assert "No mask of" not in summary_table([evaluate_maps([maps], [mask], classes)])
    mask[:, 4:] = 1
    words = summary_table([evaluate_maps([maps], [mask], classes)])
    assert "No mask of these pictures shows green: what a method gives to it" in words
