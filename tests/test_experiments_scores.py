"""Scores of many heads at once, from a sample of the pixels: equal to the maps and scores of the rest."""

import dataclasses

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.sample import ClassList, Sample
from recam_core.errors import UserError
from recam_core.experiments import figures
from recam_core.experiments.head_scores import (
    HEADS_AT_ONCE,
    _sampled_argmax,
    count_exact,
    count_sampled,
    read_sampled_truth,
    sampled_places,
)
from recam_core.experiments.noise import Difference, Draws
from recam_core.experiments.part_score import score_part, select_threshold
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import MapWeights
from recam_core.retrain.features import build_feature_cache
from recam_core.scores.bootstrap import picture_weights
from recam_core.scores.evaluate import Tally
from recam_core.scores.pixel_counts import count_pixels, join
from recam_core.scores.scores import Scores, image_parts, score, sweep
from recam_core.train.loop import train
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe


class Awkward(TinyDataset):
    """Sizes that no stride divides, void pixels, a picture without a mask and one without a class."""

    def load(self, index: int) -> Sample:
        sample = super().load(index)
        pad = ((0, index % 3), (0, 2 + index % 5))
        image = np.pad(sample.image, (*pad, (0, 0)), constant_values=128)
        mask = np.pad(sample.mask, pad, constant_values=255)
        labels = sample.labels
        if index == 3:
            labels = np.zeros_like(labels)
        return dataclasses.replace(sample, image=image, mask=None if index == 5 else mask, labels=labels)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "bce"
    recipe = tiny_recipe(epochs=1, batch_size=4)
    train(recipe, TinyDataset(), folder)
    return load_run(folder)


@pytest.fixture
def cache(run, tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    return build_feature_cache(run, Awkward())


@pytest.fixture
def weights(run):
    generator = torch.Generator().manual_seed(1)
    fc1 = run.network.fc1.detach()
    many = fc1 + fc1.std() * torch.randn((HEADS_AT_ONCE + 3, *fc1.shape), generator=generator)
    return [MapWeights(one) for one in many]


@pytest.mark.parametrize("size", [(48, 50), (49, 53), (7, 3), (1, 1), (2, 90), (64, 64)])
def test_winners_at_sampled_pixels_are_those_of_the_whole_picture(size):
    rng = np.random.default_rng(0)
    for classes in ([], [1], [0, 2], [0, 1, 2]):
        grids = rng.integers(0, 256, (2, len(classes), *grid_size(size)), dtype=np.uint8)
        grids[1] = grids[1] // 128 * 255  # plateaus and ties
        winner, level = _sampled_argmax(grids.astype(np.float32), np.array(classes, dtype=np.int64), size)
        rows, columns = sampled_places(size[0]), sampled_places(size[1])
        for head in range(2):
            maps = ActivationMaps("x", size, np.array(classes, dtype=np.int64), grids[head])
            whole_winner, whole_level = argmax_and_activation(maps)
            names = np.array([0, *(k + 1 for k in classes)])[winner[head]]
            assert np.array_equal(names, whole_winner[np.ix_(rows, columns)].ravel())
            assert np.array_equal(level[head], whole_level[np.ix_(rows, columns)].ravel())


def test_sampled_counts_are_those_of_the_maps_at_scale_1(cache, weights):
    """Against the slow way: the maps of each head from the cached features, all pixels, and then a slice."""
    dataset = Awkward()
    truth = read_sampled_truth(dataset)
    assert truth.pictures == 7
    found = count_sampled(cache, truth, weights)
    assert len(found) == len(weights)
    for number in (0, 1, HEADS_AT_ONCE, len(weights) - 1):
        ids, pictures = [], {}
        for block in cache.blocks:
            for row, index in enumerate(block.index.tolist()):
                sample = dataset.load(index)
                if sample.mask is None:
                    continue
                features = PictureFeatures(sample.mask.shape, (block.features[row][None].float(),), torch.zeros(3))
                maps = maps_from_features(features, weights[number], np.flatnonzero(sample.labels), sample.id)
                places = np.ix_(*(sampled_places(length) for length in sample.mask.shape))
                winner, level = (whole[places] for whole in argmax_and_activation(maps))
                pictures[index] = count_pixels(winner, level, sample.mask[places], dataset.classes)
        ids = [dataset.ids[index] for index in sorted(pictures)]
        expected = join(ids, [pictures[index] for index in sorted(pictures)], dataset.classes)
        assert found[number].ids == expected.ids
        # The features meet the weights in another order of additions, so that a cell may be rounded otherwise.
        for threshold in (0.1, 0.3, 0.6):
            ours, theirs = (score(counts.total(), threshold) for counts in (found[number], expected))
            assert ours.pixels == theirs.pixels
            assert np.abs(ours.confusion - theirs.confusion).sum() <= 0.005 * theirs.pixels


def test_one_head_is_counted_as_among_many(cache, weights):
    truth = read_sampled_truth(Awkward())
    many = count_sampled(cache, truth, weights)
    (alone,) = count_sampled(cache, truth, weights[5:6])
    assert np.array_equal(alone.total().sum(axis=2), many[5].total().sum(axis=2))


def test_exact_counts_are_those_of_evaluate(run, weights):
    dataset = Awkward()
    network = run.network
    counts = count_exact(network, dataset, [MapWeights(network.fc1.detach()), weights[0]])
    tally = Tally(dataset.classes)
    for sample, maps in maps_of_dataset(network, dataset, ["fc1"], MapSettings()):
        tally.add(maps["fc1"], sample.mask)
    assert np.array_equal(tally.evaluation().counts.total(), counts[0].total())
    assert not np.array_equal(counts[0].total(), counts[1].total())


def test_data_without_a_background_leaves_its_pixels_out(run, tmp_path, monkeypatch):
    class NoBackground(Awkward):
        def __init__(self) -> None:
            super().__init__()
            self.classes = ClassList(self.classes.names, has_background=False)

    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    cache = build_feature_cache(run, NoBackground())
    (counts,) = count_sampled(cache, read_sampled_truth(NoBackground()), [MapWeights(run.network.fc1.detach())])
    assert counts.truth.min() > 0
    assert select_threshold(counts, "select") is None
    part = score_part(counts, None, "report", exact=False)
    assert part.scores.miou == pytest.approx(score(counts.total(), None, has_background=False).miou)


def test_a_part_is_scored_as_the_scores_say(cache, weights):
    (counts,) = count_sampled(cache, read_sampled_truth(Awkward()), weights[:1])
    threshold = select_threshold(counts, "select")
    assert threshold == sweep(counts.total()).best().threshold
    part = score_part(counts, threshold, "select", exact=False)
    expected = score(counts.total(), threshold)
    assert np.array_equal(part.scores.confusion, expected.confusion)
    right, truth, predicted = image_parts(counts, threshold)
    outcomes = part.outcomes
    for image in range(len(counts)):
        mine = outcomes.where(np.arange(len(counts)) == image).confusion()
        assert np.array_equal(np.diagonal(mine), right[image])
        assert np.array_equal(mine.sum(axis=1), truth[image])
        assert np.array_equal(mine.sum(axis=0), predicted[image])
    with pytest.raises(UserError, match="select"):
        select_threshold(counts, "report")


@pytest.mark.parametrize("has_background", [True, False])
def test_figures_of_many_matrices_are_the_scores_of_each(cache, weights, has_background):
    truth = read_sampled_truth(Awkward())
    parts = [score_part(counts, 0.3, "select", False) for counts in count_sampled(cache, truth, weights[:4])]
    stack = np.stack([part.scores.confusion for part in parts])
    names = {
        "miou": "miou",
        "false_positive_rate": "mean_false_positive_rate",
        "false_negative_rate": "mean_false_negative_rate",
        "wrong_class": "wrong_class",
    }
    assert set(names) == set(figures.FIGURES)
    for name, attribute in names.items():
        function = figures.FIGURES[name][0]
        each = [getattr(dataclasses.replace(part.scores, has_background=has_background), attribute) for part in parts]
        assert function(stack, has_background) == pytest.approx(each, nan_ok=True)


def test_a_difference_is_over_the_classes_of_all_pictures_in_every_draw():
    """By loops: a class that a draw misses makes no difference, and one that no picture shows stays an IoU of 0."""
    rng = np.random.default_rng(1)
    classes, parts = ClassList(("red", "green", "blue", "grey")), []
    masks = rng.integers(0, 3, (9, 6, 7)).astype(np.uint8)
    masks[:2, 0] = 3  # blue is in two pictures, grey in none
    for wrong in (0.3, 0.5):
        winners = np.where(rng.random(masks.shape) < wrong, rng.integers(0, 4, masks.shape), masks).astype(np.uint8)
        winners[0, 1, :3] = 4 if wrong == 0.5 else winners[0, 1, :3]
        counts = [
            count_pixels(w, np.full(w.shape, 200, np.uint8), m, classes) for w, m in zip(winners, masks, strict=True)
        ]
        parts.append(score_part(join([str(n) for n in range(9)], counts, classes), None, "report", True))
    one, other = parts
    weights = picture_weights(np.random.default_rng(0), 9, 200)
    changes = []
    for times in weights.T:
        means = []
        for part in parts:
            matrix = np.zeros((5, 5))
            outcomes = part.outcomes
            np.add.at(matrix, (outcomes.truth, outcomes.predicted), outcomes.pixels * times[outcomes.image])
            iou = np.array(Scores(None, matrix).iou)
            missed = matrix.sum(axis=1) == 0
            iou[missed] = np.where(np.isnan(part.scores.iou), np.nan, np.nan_to_num(other.scores.iou))[missed]
            means.append(np.nanmean(iou))
        changes.append(means[0] - means[1])
    assert 0 < (weights[:2].sum(axis=0) == 0).sum() < 100
    assert np.isnan(one.scores.iou[4])
    assert other.scores.iou[4] == 0
    found = Draws(9, resamples=200).difference([one], [other], figures.miou)
    assert found.value == pytest.approx(one.scores.miou - other.scores.miou)
    ends = np.quantile(changes, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((min(ends[0], found.value), max(ends[1], found.value)))
    assert found.low < found.value < found.high


def test_a_setting_does_not_differ_from_itself(cache, weights):
    all_counts = count_sampled(cache, read_sampled_truth(Awkward()), weights[:3])
    parts = [score_part(counts, 0.3, "select", False) for counts in all_counts]
    draws = Draws(parts[0].outcomes.pictures, seeds=3)
    same = draws.difference(parts, parts, figures.miou)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert same.within_noise
    one = draws.difference(parts, parts[:1], figures.miou)
    assert one.value == pytest.approx(np.mean([p.scores.miou for p in parts]) - parts[0].scores.miou)
    assert one.low <= one.value <= one.high
    other = draws.difference(parts[:1], parts, figures.miou)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
    assert not Difference(0.1, 0.05, 0.2).within_noise
    assert Difference(float("nan"), float("nan"), float("nan")).within_noise


def test_data_without_masks_is_refused():
    class Blind(TinyDataset):
        def mask(self, index: int) -> None:
            return None

    with pytest.raises(UserError, match="nothing to score"):
        read_sampled_truth(Blind())

    class Void(TinyDataset):
        def mask(self, index: int) -> np.ndarray:
            return np.full((48, 48), 255, dtype=np.uint8)

    with pytest.raises(UserError, match="No pixel of tiny is labelled"):
        read_sampled_truth(Void())


def test_a_mask_with_an_unknown_class_is_refused():
    class Odd(TinyDataset):
        def mask(self, index: int) -> np.ndarray:
            return np.full((48, 48), 9, dtype=np.uint8)

    with pytest.raises(UserError, match="beyond"):
        read_sampled_truth(Odd())
