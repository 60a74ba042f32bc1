"""The background row of FC2: its mask, its loss, its gradient and its maps against naive loops and autograd."""

import argparse
import dataclasses
import json
import math
import shlex

import numpy as np
import pytest
import torch
from PIL import Image

from recam_core.checkpoint.run_folder import INFO_FILE, Run, check_run_rule, load_run, read_info, rules_of_run
from recam_core.cli import train as cli_train
from recam_core.cli.main import build_parser
from recam_core.cli.train import recipe_of
from recam_core.data.sample import ClassList, Sample
from recam_core.errors import UserError
from recam_core.experiments.axes import axis, full_axis
from recam_core.experiments.full_grid import FullGrid
from recam_core.experiments.head_scores import count_exact, count_sampled, read_sampled_truth
from recam_core.experiments.protocol import Protocol
from recam_core.experiments.questions import ask, round_rules
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.maps.inference import PictureFeatures, activation_maps, maps_from_features
from recam_core.method.background import background_masks, check_background
from recam_core.method.extraction import (
    LOG_ODDS,
    MapWeights,
    class_weights,
    map_weights,
    rules_of,
)
from recam_core.method.masks import parse_mask
from recam_core.method.step import batch_pairs, recam_batch, single_label_logits
from recam_core.model.network import CamNetwork
from recam_core.queue.start import check_training
from recam_core.retrain.features import FeatureBlock, FeatureCache, build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe, completed, usual_heads
from recam_core.retrain.head_runs import _masks, _sce, train_fc2
from recam_core.retrain.heads import retrain_heads, retrain_many, save_heads
from recam_core.retrain.pooled import chunks, pooled_pairs
from recam_core.scores.evaluate import Tally
from recam_core.scores.thresholds import choose_threshold, shown_threshold
from recam_core.train.loop import _identity, train
from recam_core.train.recipe import preset, train_command
from recam_core.train.validate import validate
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe

B, C, K, H, W = 3, 5, 4, 3, 4
LABELS = torch.tensor([[1.0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
RULES_OF_THE_ROW = ("difference", "difference_sum", "difference_product", "softmax", "softmax_product")


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(3)
    features = torch.rand((B, C, H, W), generator=generator, dtype=torch.float64)
    fc1 = torch.randn((K, C), generator=generator, dtype=torch.float64)
    fc2 = torch.randn((K + 1, C), generator=generator, dtype=torch.float64)
    return features, fc1, fc2


def naive_cam(features, fc1, b, k):
    raw = [
        [max(sum(float(fc1[k, c] * features[b, c, i, j]) for c in range(C)), 0.0) for j in range(W)] for i in range(H)
    ]
    top = max(max(row) for row in raw)
    return [[value / max(top, 1e-5) for value in row] for row in raw]


def naive_background_mask(features, fc1, b, power):
    cams = [naive_cam(features, fc1, b, k) for k in range(K) if LABELS[b, k]]
    return [[(1 - max((cam[i][j] for cam in cams), default=0.0)) ** power for j in range(W)] for i in range(H)]


def naive_loss_of(features, mask, fc2, b, label):
    pooled = [
        sum(mask[i][j] * float(features[b, c, i, j]) for i in range(H) for j in range(W)) / (H * W) for c in range(C)
    ]
    z = [sum(float(fc2[q, c]) * pooled[c] for c in range(C)) for q in range(K + 1)]
    return math.log(sum(math.exp(value) for value in z)) - z[label]


@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_the_mask_is_what_no_present_class_responds_to(tensors, power):
    features, fc1, _ = tensors
    pairs = [(b, k) for b in range(B) for k in range(K) if LABELS[b, k]]
    cams = torch.tensor([naive_cam(features, fc1, b, k) for b, k in pairs], dtype=torch.float64)
    found = background_masks(cams, torch.tensor([b for b, _ in pairs]), B, power)
    for b in range(B):
        expected = torch.tensor(naive_background_mask(features, fc1, b, power), dtype=torch.float64)
        assert torch.allclose(found[b], expected, atol=2e-3 if power < 1 else 1e-9)


def test_an_exponent_below_1_has_a_gradient_where_a_class_covers_all():
    cams = torch.tensor([[[0.0, 0.75, 1.0]]], dtype=torch.float64, requires_grad=True)
    mask = background_masks(cams, torch.tensor([0]), 1, 0.5)
    assert mask.flatten().tolist() == pytest.approx([1, 0.5, 0], abs=2e-3)
    mask.sum().backward()
    assert torch.isfinite(cams.grad).all()
    assert float(cams.grad[0, 0, 1]) == pytest.approx(-1)


@pytest.mark.parametrize(("beta", "power"), [(0.2, 1.0), (1.5, 2.0)])
def test_the_loss_is_that_of_naive_loops(tensors, beta, power):
    features, fc1, fc2 = tensors
    per_image = []
    for b in range(B):
        present = [k for k in range(K) if LABELS[b, k]]
        if not present:
            continue  # equation 5 averages over the images that have a class
        own = sum(naive_loss_of(features, naive_cam(features, fc1, b, k), fc2, b, k) for k in present) / len(present)
        mask = naive_background_mask(features, fc1, b, power)
        per_image.append(own + beta * naive_loss_of(features, mask, fc2, b, K))
    logits = features.mean(dim=(2, 3)) @ fc1.T
    found = recam_batch(
        features, logits, LABELS, fc1, fc2, parse_mask("soft"), 0.7, background=beta, background_power=power
    )
    assert float(found.parts["sce"]) == pytest.approx(sum(per_image) / len(per_image), rel=1e-9)


@pytest.mark.parametrize(("beta", "power", "loss"), [(0.2, 1.0, "sce"), (1.5, 2.0, "bce")])
def test_heads_with_fc1_have_the_loss_of_full_trainings(tensors, beta, power, loss):
    features, fc1, fc2 = tensors
    recipe = HeadRecipe(update="both", background=beta, background_power=power, loss=loss)
    other = dataclasses.replace(recipe, background=2 * beta, background_power=power + 1)
    pairs = batch_pairs(LABELS, with_row=True)
    shown = _masks(features, fc1.expand(2, -1, -1), [parse_mask("soft")] * 2, [recipe, other], pairs, None)
    found = _sce(features, shown, fc2.expand(2, -1, -1), [recipe, other], pairs)
    logits = features.mean(dim=(2, 3)) @ fc1.T
    for each, one in zip((recipe, other), found, strict=True):
        batch = recam_batch(
            features,
            logits,
            LABELS,
            fc1,
            fc2,
            parse_mask("soft"),
            1.0,
            fc2_loss=loss,
            background=each.background,
            background_power=each.background_power,
        )
        assert float(one) == pytest.approx(float(batch.parts["sce" if loss == "sce" else "fc2_bce"]), rel=1e-9)


def test_without_the_row_the_loss_is_the_papers(tensors):
    features, fc1, fc2 = tensors
    logits = features.mean(dim=(2, 3)) @ fc1.T
    plain = recam_batch(features, logits, LABELS, fc1, fc2[:K], parse_mask("soft"), 1.0)
    zero = recam_batch(features, logits, LABELS, fc1, fc2[:K], parse_mask("soft"), 1.0, background=0.0)
    assert torch.equal(plain.total, zero.total)


@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_the_gradient_goes_through_the_mask(tensors, power):
    features, fc1, fc2 = (one.clone().requires_grad_() for one in tensors)

    def loss(features, fc1, fc2):
        return recam_batch(
            features,
            features.mean(dim=(2, 3)) @ fc1.T,
            LABELS,
            fc1,
            fc2,
            parse_mask("soft"),
            1.0,
            background=0.3,
            background_power=power,
        ).total

    if power >= 1:  # below, the floor under x^G makes a corner at 0, where the maximum of each CAM lies
        assert torch.autograd.gradcheck(loss, (features, fc1, fc2), eps=1e-6, atol=1e-5)
    gradients = torch.autograd.grad(loss(features, fc1, fc2), (features, fc1, fc2))
    assert all(torch.isfinite(one).all() for one in gradients)


# Heads ---------------------------------------------------------------------------------------------------------------


class Padded(TinyDataset):
    """Two shapes of features, and a picture without a class."""

    def load(self, index: int) -> Sample:
        sample = super().load(index)
        if index == 3:
            sample = dataclasses.replace(sample, labels=np.zeros_like(sample.labels), mask=np.zeros_like(sample.mask))
        if index % 2:
            return sample
        pad = ((0, 0), (0, 32))
        image = np.pad(sample.image, (*pad, (0, 0)), constant_values=128)
        return dataclasses.replace(sample, image=image, mask=np.pad(sample.mask, pad))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "bce"
    train(tiny_recipe(epochs=2, batch_size=4), TinyDataset(), folder)
    return load_run(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cache(run):
    return build_feature_cache(run, Padded())


def test_pooled_backgrounds_stand_behind_the_classes_of_their_picture(run, cache):
    fc1 = run.network.fc1.detach()
    plain, category, image = pooled_pairs(cache, fc1, [parse_mask("soft")])
    rows, categories, images = pooled_pairs(cache, fc1, [parse_mask("soft")], 2.0)
    theirs = categories == len(fc1)
    assert torch.allclose(rows[0][~theirs], plain[0], atol=1e-6)
    assert torch.equal(categories[~theirs], category)
    assert torch.equal(images[~theirs], image)
    assert images[theirs].tolist() == sorted(set(image.tolist()))  # one a picture with a class
    assert (images.diff() >= 0).all()
    assert all(
        int(theirs[images == number].nonzero()[-1]) == (images == number).sum() - 1 for number in set(images.tolist())
    )


def test_pooled_backgrounds_are_those_of_full_trainings(run, cache):
    fc1 = run.network.fc1.detach()
    see = torch.eye(fc1.shape[1])
    rows, *_ = pooled_pairs(cache, fc1, [parse_mask("soft")], 2.0)
    expected = [
        single_label_logits(features, labels, fc1, see, parse_mask("soft"), None, 2.0)[0]
        for features, labels, *_ in chunks(cache, fc1.device)
    ]
    assert torch.allclose(rows[0], torch.cat(expected), atol=1e-5)


@pytest.mark.parametrize("loss", ["sce", "bce"])
def test_the_closed_form_gradient_is_autograds(run, cache, loss):
    """Two recipes of different weights side by side, each against AdamW on the loss written out.

    Each epoch takes an eighth of the backgrounds, in turn.
    """
    fc1 = run.network.fc1.detach()
    recipes = [HeadRecipe(background=beta, loss=loss, epochs=7, lr=0.05, rule="difference") for beta in (0.2, 1.0)]
    rows, category, image = pooled_pairs(cache, fc1, [parse_mask("soft")], 1.0)
    found, histories = train_fc2((rows[0], category, image), len(cache), len(fc1), recipes, lambda note: None)
    owners = image.unique().tolist()
    backgrounds = torch.nonzero(category == len(fc1)).flatten().tolist()
    for recipe, ours, history in zip(recipes, found, histories, strict=True):
        fc2 = torch.zeros((len(fc1) + 1, fc1.shape[1]), requires_grad=True)
        optimizer = torch.optim.AdamW([fc2], lr=recipe.lr, weight_decay=0.0)
        for epoch in range(recipe.epochs):
            z = rows[0] @ fc2.T
            turn = backgrounds[epoch % min(8, len(backgrounds)) :: 8]
            if loss == "sce":
                each = torch.nn.functional.cross_entropy(z, category, reduction="none")
            else:
                target = torch.nn.functional.one_hot(category, len(fc2)).float()
                each = torch.nn.functional.binary_cross_entropy_with_logits(z, target, reduction="none").mean(dim=1)
            total = sum(each[(image == owner) & (category < len(fc1))].mean() for owner in owners) / len(owners)
            total = total + recipe.background * sum(each[row] for row in turn) / len(turn)
            assert history[epoch][loss] == pytest.approx(float(total.detach()), rel=1e-4)
            optimizer.zero_grad()
            total.backward()
            optimizer.param_groups[0]["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
            optimizer.step()
        # Adam divides by the gradient's own size, so channels whose gradient is rounding alone may go either way.
        close = (ours - fc2.detach()).abs() < 2e-3
        assert close.float().mean() > 0.98


def test_heads_with_the_row_come_out_alone_as_among_others(run, cache):
    recipes = [
        HeadRecipe(),
        HeadRecipe(background=0.2, rule="difference"),
        HeadRecipe(background=0.3, background_power=2.0, rule="softmax", mask="power:2"),
        HeadRecipe(update="both", epochs=3, background=0.2, rule="difference"),
        HeadRecipe(update="both", epochs=3, background=0.4, rule="softmax_product", mask="none"),
        HeadRecipe(update="both", epochs=3),
    ]
    together = retrain_many(cache, run, recipes)
    for recipe, found in zip(recipes, together, strict=True):
        alone = retrain_heads(cache, run, recipe)
        assert len(found.fc2) == 3 + (recipe.background > 0)
        assert torch.allclose(found.fc2, alone.fc2, atol=1e-3)
        assert torch.allclose(found.fc1, alone.fc1, atol=1e-3)


def test_the_row_learns_the_background(run):
    """Features whose channel says what a cell shows: class 0, 1, 2, or the ground that each picture has (channel 3)."""
    generator = torch.Generator().manual_seed(0)
    shown = torch.full((6, 6, 6), 3)
    labels = torch.zeros((6, 3), dtype=torch.bool)
    for number in range(6):
        for k in {number % 3, (number + 1) % 3 if number % 2 else number % 3}:
            shown[number, 2 * k : 2 * k + 2, :4] = k
            labels[number, k] = True
    cells = torch.nn.functional.one_hot(shown, 4).permute(0, 3, 1, 2).float()
    features = (cells + 0.1 * torch.rand(cells.shape, generator=generator)).half()
    cache = FeatureCache((FeatureBlock(torch.arange(6), features, labels, None),), "made", run.info.weights_sha256)
    network = CamNetwork("timm:resnet10t", 3, 32)
    network.fc1 = torch.nn.Parameter(torch.eye(3, 4))
    made = Run(run.path, run.info, network)
    result = retrain_heads(cache, made, HeadRecipe(background=0.2, rule="difference"))
    preferred = torch.einsum("kc,bchw->bkhw", result.fc2, features.float()).argmax(dim=1)
    assert (preferred == shown).float().mean() > 0.99
    plain = retrain_heads(cache, made, HeadRecipe(rule="fc2"))
    assert len(plain.fc2) == 3  # and has nothing to say of the ground


# Maps ----------------------------------------------------------------------------------------------------------------


def test_rules_of_the_row(tensors):
    _, fc1, fc2 = tensors
    assert set(rules_of(True, True)) - set(rules_of(True, False)) == set(RULES_OF_THE_ROW)
    for k in range(K):
        for c in range(C):
            a, b, g = float(fc1[k, c]), float(fc2[k, c]), float(fc2[K, c])
            assert float(class_weights("difference", fc1, fc2)[k, c]) == pytest.approx(b - g)
            assert float(class_weights("difference_sum", fc1, fc2)[k, c]) == pytest.approx(a + b - g)
            assert float(class_weights("difference_product", fc1, fc2)[k, c]) == pytest.approx(a * max(b - g, 0.0))
            assert float(class_weights("fc2", fc1, fc2)[k, c]) == b
            assert float(class_weights("sum", fc1, fc2)[k, c]) == pytest.approx(a + b)
    with pytest.raises(UserError, match="needs the background row"):
        map_weights("difference", fc1, fc2[:K])
    with pytest.raises(UserError, match="makes no class weights but probabilities"):
        class_weights("softmax", fc1, fc2)


@pytest.mark.parametrize("classes", [[0], [0, 1, 3]])
def test_maps_of_probabilities_against_loops(tensors, classes):
    """One view, the grid of the features: the softmax of each pixel written out."""
    features, fc1, fc2 = (one.float() for one in tensors)
    size = (H * 4, W * 4)
    picture = PictureFeatures(size, (features[:1],), torch.zeros(K))
    maps = maps_from_features(picture, map_weights("softmax", fc1, fc2), classes)
    product = maps_from_features(picture, map_weights("softmax_product", fc1, fc2), classes)
    expected = np.zeros((len(classes), H, W))
    for i in range(H):
        for j in range(W):
            z = [float(fc2[k] @ features[0, :, i, j]) for k in [*classes, K]]
            powers = [math.exp(value) for value in z]
            for place in range(len(classes)):
                p = powers[place] / sum(powers)
                expected[place, i, j] = p
                activation = min(max(math.log(p / (1 - p)) / (2 * LOG_ODDS) + 0.5, 0), 1)
                assert maps.activations[place, i, j] == pytest.approx(255 * activation, abs=0.51)
    for place, k in enumerate(classes):
        cam = np.array(naive_cam(features, fc1, 0, k)) * expected[place]
        assert product.activations[place] == pytest.approx(255 * cam / cam.max(), abs=0.51)


def test_the_mean_of_the_logits_is_taken_over_the_views(tensors):
    features, fc1, fc2 = (one.float() for one in tensors)
    both = torch.cat([features[:1], features[:1].flip(-1)])
    weights = map_weights("softmax", fc1, fc2)
    once = maps_from_features(PictureFeatures((12, 16), (features[:1],), torch.zeros(K)), weights, [0, 2])
    twice = maps_from_features(PictureFeatures((12, 16), (both, both), torch.zeros(K)), weights, [0, 2])
    assert np.array_equal(once.activations, twice.activations)


def test_the_finer_scale_tells_apart_what_probabilities_would_not():
    fc2 = torch.tensor([[1.0], [0.0]])
    picture = PictureFeatures((4, 8), (torch.tensor([[[[8.0, 12.0]]]]),), torch.zeros(1))
    maps = maps_from_features(picture, map_weights("softmax", torch.ones((1, 1)), fc2), [0])
    low, high = maps.activations.ravel().tolist()
    assert high - low >= 15  # p = 0.99966 and 0.999994: the same step of 255
    assert round(255 * 0.99966) == round(255 * 0.999994)


def test_many_heads_are_counted_as_their_maps(run, cache):
    generator = torch.Generator().manual_seed(0)
    fc1 = run.network.fc1.detach()
    weights = []
    for rule in (*RULES_OF_THE_ROW, "fc1", "softmax"):
        fc2 = fc1.std() * torch.randn((4, fc1.shape[1]), generator=generator)
        weights.append(map_weights(rule, fc1, fc2))
    exact = count_exact(run.network, Padded(), weights)
    sampled = count_sampled(cache, read_sampled_truth(Padded()), weights)
    for number, one in enumerate(weights):
        tally = Tally(Padded().classes)
        for index in range(len(Padded())):
            sample = Padded().load(index)
            maps = activation_maps(run.network, sample.image, one, np.flatnonzero(sample.labels), id=sample.id)
            tally.add(maps, sample.mask)
        (alone,) = count_sampled(cache, read_sampled_truth(Padded()), [one])
        # With other heads beside them, products of matrices may round a level the other way.
        moved = np.abs(alone.total().astype(int) - sampled[number].total().astype(int)).sum() / 2
        assert moved <= 0.01 * alone.total().sum()
        assert np.array_equal(tally.evaluation().counts.total(), exact[number].total())
    assert not np.array_equal(exact[2].total(), exact[3].total())


# Runs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES_OF_THE_ROW)
def test_a_run_with_the_row_is_written_read_and_makes_maps(run, cache, tmp_path, rule):
    result = retrain_heads(cache, run, HeadRecipe(background=0.2, rule=rule, epochs=20))
    save_heads(tmp_path / "heads", run, "tiny", result, half=False)
    loaded = load_run(tmp_path / "heads")
    assert loaded.info.format_version == 2
    assert loaded.network.spec.background_row
    assert torch.equal(loaded.network.fc2, result.fc2)
    assert check_run_rule(loaded.info, rule) == rule
    assert set(rules_of_run(loaded.info)) == set(rules_of(True, True))
    _, maps = next(iter(maps_of_dataset(loaded.network, Padded(), [rule, "fc1"], MapSettings())))
    weights = map_weights(rule, result.fc1, result.fc2)
    assert maps[rule].activations.max() > 0
    assert choose_threshold(loaded.network, weights, Padded()) is not None


def test_heads_without_the_row_from_a_run_with_it_have_none(run, cache, tmp_path):
    save_heads(tmp_path / "row", run, "tiny", retrain_heads(cache, run, HeadRecipe(background=0.2, epochs=2)), False)
    with_row = load_run(tmp_path / "row")
    plain = retrain_heads(build_feature_cache(with_row, Padded()), with_row, HeadRecipe(epochs=2))
    save_heads(tmp_path / "plain", with_row, "tiny", plain, False)
    loaded = load_run(tmp_path / "plain")
    assert not loaded.network.spec.background_row
    assert torch.equal(loaded.network.fc2, plain.fc2)


def test_a_run_of_the_version_before_opens(run, tmp_path):
    path = tmp_path / "old"
    path.mkdir()
    for file in run.path.iterdir():
        if file.is_file():
            (path / file.name).write_bytes(file.read_bytes())
    record = json.loads((path / INFO_FILE).read_text())
    record["format_version"] = 1
    del record["network"]["background_row"], record["recipe"]["background"], record["recipe"]["background_power"]
    (path / INFO_FILE).write_text(json.dumps(record))
    assert not load_run(path).network.spec.background_row
    assert rules_of_run(read_info(path)) == ("fc1",)
    # Its command makes the same run today, though the small preset has the row for such data by now.
    trained = {"method": "recam", "command": "python -m recam_core train recam --preset small --data d --out o"}
    (path / INFO_FILE).write_text(json.dumps(record | trained))
    words = shlex.split(read_info(path).command)[3:]
    parser = argparse.ArgumentParser()
    cli_train.add_parser(parser.add_subparsers())
    again = cli_train.recipe_of(parser.parse_args(words), has_background=True)
    assert again == preset("recam", "small")
    record["network"]["background_row"] = "yes"
    (path / INFO_FILE).write_text(json.dumps(record))
    with pytest.raises(UserError, match="'background_row' is of another kind"):
        read_info(path)


def test_a_full_training_with_the_row(run, tmp_path):
    recipe = tiny_recipe("recam", epochs=2, batch_size=4, background=0.3, background_power=2.0, rule="softmax")
    train(recipe, TinyDataset(), tmp_path / "recam", init=run)
    loaded = load_run(tmp_path / "recam")
    assert loaded.network.fc2.shape[0] == 4
    assert loaded.info.recipe["background"] == 0.3
    assert "val_seed_miou" in validate(loaded.network, recipe, TinyDataset(2))
    # A ReCAM with the row that starts from one without, and the other way round: FC2 begins anew.
    plain = dataclasses.replace(recipe, background=0.0, rule="sum")
    train(plain, TinyDataset(), tmp_path / "plain", init=loaded)
    assert load_run(tmp_path / "plain").network.fc2.shape[0] == 3


class NoBackground(TinyDataset):
    def __init__(self) -> None:
        super().__init__()
        self.classes = ClassList(self.classes.names, has_background=False)


def test_data_without_a_background_refuse_the_row_before_anything_is_computed(run, tmp_path):
    recipe = tiny_recipe("recam", background=0.2, rule="difference")
    with pytest.raises(UserError, match="no background class"):
        train(recipe, NoBackground(), tmp_path / "recam", init=run)
    assert not (tmp_path / "recam").exists()
    other = Run(run.path, dataclasses.replace(run.info, has_background=False), run.network)
    with pytest.raises(UserError, match="no background class"):
        retrain_many(build_feature_cache(run, Padded()), other, [HeadRecipe(background=0.2)])
    with pytest.raises(UserError, match="no background class"):
        check_background(HeadRecipe(background=0.2), False, "some data")
    with pytest.raises(UserError, match="no background class"):
        ask("masks", base=HeadRecipe(background=0.2)).check(NoBackground().classes, "d")


def test_a_grid_of_full_trainings_refuses_the_row_where_there_is_no_background(run, tmp_path):
    (tmp_path / "bce").mkdir()
    record = json.loads((run.path / INFO_FILE).read_text()) | {"has_background": False}
    (tmp_path / "bce" / INFO_FILE).write_text(json.dumps(record))
    axes = full_axis("background", ["0", "0.2"]), full_axis("lambda", ["1"])
    with pytest.raises(UserError, match="no background class"):
        FullGrid(tmp_path / "bce", "a", Protocol("a", "b", "c"), *axes, "small", preset("recam", "small")).plan(
            tmp_path / "grid"
        )


def test_trainings_that_were_cut_off_before_there_was_a_row_go_on():
    recipe = tiny_recipe("recam")
    before = _identity(recipe, TinyDataset(), None, before_row=True)
    assert before != _identity(recipe, TinyDataset(), None)
    assert before == _identity(dataclasses.replace(recipe, background_power=2.0), TinyDataset(), None, before_row=True)
    row = dataclasses.replace(recipe, background=0.2)
    assert _identity(row, TinyDataset(), None, before_row=True) == _identity(row, TinyDataset(), None)


def test_no_threshold_is_borrowed_across_the_kinds_of_maps():
    classes = TinyDataset().classes
    assert shown_threshold("softmax", [(0.3, "sum"), (None, "softmax")], classes) == 0.5
    assert shown_threshold("softmax", [(0.3, "sum"), (0.6, "softmax")], classes) == 0.6
    assert shown_threshold("sum", [(0.6, "softmax"), (0.3, "fc1")], classes) == 0.3
    assert shown_threshold("sum", [(0.6, "softmax")], classes) == 0.25
    assert shown_threshold("a rule of another version", [(0.3, "sum")], classes) == 0.3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rule": "difference"}, "needs the background row"),
        ({"background": -0.1}, "must be 0"),
        ({"background": 0.2, "background_power": 9.0}, "exponent"),
        ({"background": 0.2, "rule": "softmax", "rounds": 2}, "without softmax"),
    ],
)
def test_settings_that_cannot_work(settings, words):
    with pytest.raises(UserError, match=words):
        completed(HeadRecipe(**settings))


def test_presets_have_the_row_where_there_is_a_background():
    assert preset("recam", "small", True).background == usual_heads(True).background == 0.2
    assert preset("recam", "small", True).rule == usual_heads(True).rule == "sum"
    for recipe in (preset("recam", "paper", True), preset("recam", "small"), usual_heads(False)):
        assert recipe.background == 0
    with_row = train_command(preset("recam", "small", True), data="d", out="o")
    without = train_command(preset("recam", "small"), data="d", out="o")
    assert "--background 0.2 --rule sum" in with_row
    assert "--background 0 " in without
    assert "--rule rectified_product" in without


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("name", ["small", "paper"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"background": 0.2, "rule": "rectified_product"},
        {"background": 0.2, "rule": "difference"},
        {"background": 0.25, "background_power": 2.5, "rule": "softmax"},
        {"background": 0.0, "rule": "product"},
    ],
)
def test_the_command_of_a_training_makes_the_same_settings(has_background, name, settings):
    """Whatever the preset would take for data with a background class, or without one."""
    recipe = dataclasses.replace(preset("recam", name, has_background), **settings)
    words = shlex.split(train_command(recipe, data="d", out="o", init="i"))
    assert recipe_of(build_parser().parse_args(words[3:]), has_background) == recipe


def test_the_queue_refuses_the_row_where_there_is_no_background(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "one.png")
    Image.fromarray(np.ones((30, 40), np.uint8)).save(tmp_path / "masks" / "one.png")
    (tmp_path / "classes.txt").write_text("quark\nlepton\n")
    with pytest.raises(UserError, match="no background class"):
        check_training(preset("recam", "small", True), data=f"folder:{tmp_path}", val="", init="x")


@pytest.mark.parametrize(("stuff", "beta", "rule"), [(0, 0.2, "sum"), (1, 0.0, "rectified_product")])
def test_the_queue_takes_the_settings_that_train_takes(monkeypatch, stuff, beta, rule):
    asked = {}

    def start(recipe, **_):
        asked["recipe"] = recipe
        raise UserError("enough")

    monkeypatch.setattr("recam_core.queue.start.start_training", start)
    data = f"scenes:stuff={stuff},train=4,val=2,size=64@train"
    words = ["trainings", "start", "recam", "--preset", "small", "--init", "bce", "--data", data, "--out", "new"]
    arguments = build_parser().parse_args(words)
    with pytest.raises(UserError, match="enough"):
        arguments.run(arguments)
    assert (asked["recipe"].background, asked["recipe"].rule) == (beta, rule)


def test_a_grid_of_the_exponent_needs_the_row():
    x, y = axis("background-power", ["1", "2"]), axis("mask", ["soft"])
    with pytest.raises(UserError, match="give the row a weight above 0"):
        ask("grid", x=x, y=y)
    assert len(ask("grid", base=HeadRecipe(background=0.2), x=x, y=y).settings) == 2
    assert len(ask("grid", x=x, y=axis("background", ["0.1", "0.2"])).settings) == 4


def test_rounds_are_offered_the_rules_that_make_masks():
    plain, row = HeadRecipe(), HeadRecipe(background=0.2)
    assert set(round_rules(row)) - set(round_rules(plain)) == {
        "difference",
        "difference_sum",
        "difference_product",
    }
    for rule in round_rules(row):
        completed(dataclasses.replace(row, rule=rule, rounds=2))


def test_equal_weights_have_one_digest():
    one = MapWeights(torch.ones((2, 3)), torch.zeros(3))
    assert one.digest == MapWeights(torch.ones((2, 3)), torch.zeros(3)).digest
    assert one.digest != MapWeights(torch.ones((2, 3))).digest
    assert one.digest != MapWeights(torch.ones((2, 3)), torch.zeros(3), torch.ones((2, 3))).digest
