"""What a step of a full training does, against loops and formulas written out: batches, rates, losses, weights."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, on_bar
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe
from recam_core.train.validate import validate
from recam_core.train.views import augment
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe

#: A network of timm's own tests.
SMALL = "timm:test_resnet"
#: Two epochs of two steps. With a rate of 0 the backbone stays, so that FC1 and FC2 are all that is trained.
HEADS = tiny_recipe(backbone=SMALL, epochs=2, batch_size=4, lr_backbone=0.0, lr_fc1=0.05, lr_fc2=0.02, seed=5)
#: With every setting another than its default, so that one that does not arrive is missed.
RECAM = dataclasses.replace(
    HEADS, method="recam", weight=0.3, mask="power:2", fc2_loss="bce", background=0.7, background_power=2.0, rule="sum"
)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Where trainings start: a BCE run, and ReCAM runs with and without a background row."""
    folder = tmp_path_factory.mktemp("start")
    one = tiny_recipe(backbone=SMALL, epochs=1, batch_size=8)
    train(one, TinyDataset(), folder / "bce")
    runs = {"bce": load_run(folder / "bce")}
    for name, background in (("plain", 0.0), ("row", 0.2)):
        recipe = dataclasses.replace(one, method="recam", lr_fc2=1e-3, background=background, rule="sum")
        train(recipe, TinyDataset(), folder / name, init=runs["bce"])
        runs[name] = load_run(folder / name)
    return runs


def factor(step: int, steps: int, warmup: float) -> float:
    """Of the rates: rising over the warm-up, then falling as (1 - progress)^0.9 over all steps of all epochs."""
    rising = int(steps * warmup)
    return (step + 1) / (rising + 1) if step < rising else (1 - (step - rising) / (steps - rising)) ** 0.9


def trained_by_hand(recipe: Recipe, run: Run) -> dict[str, torch.Tensor]:
    """FC1 and FC2 of a training whose backbone stays, with its losses written out as sums, and its optimizer, too."""
    data, network = TinyDataset(), run.network
    weights = {name: getattr(network, name).detach().clone().requires_grad_() for name in ("fc1", "fc2")}
    rates = {"fc1": recipe.lr_fc1, "fc2": recipe.lr_fc2}
    if recipe.method == "bce":
        del weights["fc2"]
    moments = {name: (torch.zeros_like(one), torch.zeros_like(one)) for name, one in weights.items()}
    fill = tuple(round(value * 255) for value in network.spec.mean)
    per_epoch = len(data) // recipe.batch_size
    steps = per_epoch * recipe.epochs
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        # What decides the order and the views of all runs that were ever trained.
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        order = torch.randperm(len(data), generator=generator).tolist()
        images, labels = [], []
        for index in order[place * recipe.batch_size : (place + 1) * recipe.batch_size]:
            rng = np.random.default_rng((recipe.seed, epoch, index))
            images.append(augment(data.load(index).image, None, recipe, fill, rng)[0])
            labels.append(data.load(index).labels)
        with torch.no_grad():
            f = network.features(network.preprocess(np.stack(images)))
        y = torch.from_numpy(np.stack(labels)).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(f.mean(dim=(2, 3)) @ weights["fc1"].T, y)
        if recipe.method == "recam":
            loss = loss + recipe.weight * loss_of_fc2(recipe, f, y, **weights)
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for (name, one), gradient in zip(weights.items(), gradients, strict=True):
            rate = rates[name] * factor(step, steps, recipe.warmup)
            with torch.no_grad():
                first, second = moments[name]
                if recipe.optimizer == "sgd":
                    first.mul_(0.9 if step else 0.0).add_(gradient + recipe.weight_decay * one)
                    one -= rate * first
                else:
                    one *= 1 - rate * recipe.weight_decay
                    first.lerp_(gradient, 0.1)
                    second.lerp_(gradient**2, 0.001)
                    size = (second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
                    one -= rate * first / (1 - 0.9 ** (step + 1)) / size
    return {name: one.detach() for name, one in weights.items()}


def loss_of_fc2(recipe: Recipe, f: torch.Tensor, y: torch.Tensor, fc1: torch.Tensor, fc2: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of FC2 on features masked by CAM^2, and beta times that of the background's features."""
    each = []
    for features, present in zip(f, y, strict=True):
        raw = torch.einsum("kc,chw->khw", fc1, features).relu()
        cams = (raw / raw.amax(dim=(1, 2), keepdim=True).clamp_min(1e-5))[present > 0]
        empty = 1 - cams.amax(dim=0)
        masks = torch.cat([cams.clamp_min(1e-6) ** 2, empty.clamp_min(1e-6)[None] ** recipe.background_power])
        z = torch.einsum("pc,kc->pk", torch.einsum("phw,chw->pc", masks, features) / empty.numel(), fc2)
        target = torch.zeros_like(z)
        for row, k in enumerate([*torch.nonzero(present).flatten().tolist(), len(fc1)]):
            target[row, k] = 1
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, target, reduction="none").mean(dim=1)
        each.append(loss[:-1].mean() + recipe.background * loss[-1])
    return torch.stack(each).mean()


@pytest.mark.parametrize(("method", "optimizer"), [("bce", "sgd"), ("bce", "adamw"), ("recam", "sgd")])
def test_a_training_is_its_steps_written_out(
    start: dict[str, Run], tmp_path: Path, method: str, optimizer: str
) -> None:
    recipe = RECAM if method == "recam" else HEADS
    recipe = dataclasses.replace(recipe, optimizer=optimizer, weight_decay=0.3, warmup=0.3)
    train(recipe, TinyDataset(), tmp_path / "run", init=start["row"])
    found = load_run(tmp_path / "run").network
    for name, expected in trained_by_hand(recipe, start["row"]).items():
        moved = (expected - getattr(start["row"].network, name)).abs().max()
        assert moved > 1e-3
        assert (getattr(found, name) - expected).abs().max() < 1e-3 * moved


@pytest.mark.parametrize("part", ["backbone", "fc1", "fc2"])
def test_each_rate_moves_its_own_weights_and_no_others(start: dict[str, Run], tmp_path: Path, part: str) -> None:
    rates = {f"lr_{name}": 1e-2 * (name == part) for name in ("backbone", "fc1", "fc2")}
    recipe = dataclasses.replace(HEADS, method="recam", epochs=1, batch_size=8, rule="sum", **rates)
    train(recipe, TinyDataset(), tmp_path / "run", init=start["plain"])
    before, after = (run.network.state_dict() for run in (start["plain"], load_run(tmp_path / "run")))
    moved = {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {part}


def test_losses_of_an_epoch_are_the_means_of_its_steps(start: dict[str, Run], tmp_path: Path) -> None:
    steps = []
    recipe = dataclasses.replace(RECAM, fc2_loss="sce", weight=3.0)
    train(recipe, TinyDataset(), tmp_path / "run", init=start["bce"], watch=lambda moment: steps.append(moment.losses))
    history = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for epoch, entry in enumerate(history):
        some = steps[2 * epoch : 2 * epoch + 2]
        for name in ("loss", "bce", "sce"):
            assert entry[name] == pytest.approx(sum(losses[name] for losses in some) / 2)
    assert all(losses["loss"] == pytest.approx(losses["bce"] + 3.0 * losses["sce"], rel=1e-5) for losses in steps)


@pytest.mark.parametrize("method", ["bce", "sce", "recam"])
def test_the_loss_that_is_watched_is_that_of_fc1_on_whole_pictures(start: dict[str, Run], method: str) -> None:
    """Equation 1, and for SCE-CAM the softmax; that of FC2 has no meaning for a whole picture."""
    network, data = start["row"].network, TinyDataset()
    found = validate(network, dataclasses.replace(HEADS, method=method), data)
    expected = []
    for index in range(len(data)):
        sample = data.load(index)
        with torch.no_grad():
            x = network.preprocess(sample.image)
            z = (network(x)[1][0] + network(x.flip(-1))[1][0]).tolist()
        z, y = [value / 2 for value in z], sample.labels.tolist()
        if method == "sce":
            total = math.log(sum(math.exp(value) for value in z))
            expected.append(sum(total - z[k] for k in range(3) if y[k]) / sum(y))
        else:
            expected.append(sum(math.log1p(math.exp(-z[k] if y[k] else z[k])) for k in range(3)) / 3)
    assert found["val_loss"] == pytest.approx(sum(expected) / len(data), rel=1e-4)


def test_a_training_that_was_cut_off_goes_on_from_the_same_start_and_data_only(
    start: dict[str, Run], tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise Cancelled

    recipe = dataclasses.replace(HEADS, batch_size=8)
    with pytest.raises(Cancelled):
        train(recipe, TinyDataset(), tmp_path / "run", init=start["bce"], watch=on_bar(stop))
    assert (tmp_path / "run" / "state" / "last.pt").exists()
    for data, init in ((TinyDataset(), start["plain"]), (TinyDataset(), None), (TinyDataset(9), start["bce"])):
        with pytest.raises(UserError, match="other settings, data or start"):
            train(recipe, data, tmp_path / "run", init=init)
    steps = []
    train(
        recipe, TinyDataset(), tmp_path / "run", init=start["bce"],
        watch=lambda moment: steps.append(moment.done),
    )  # fmt: skip
    assert steps == [2]


def test_a_start_of_other_classes_is_refused(start: dict[str, Run], tmp_path: Path) -> None:
    other = TinyDataset()
    other.classes = ClassList(("red", "blue", "green"))  # as many, and in another order
    with pytest.raises(UserError, match="classes of tiny are not those"):
        train(HEADS, other, tmp_path / "run", init=start["bce"])
    assert not (tmp_path / "run").exists()


def test_a_network_is_no_other_for_having_been_built_from_its_parts() -> None:
    """What pictures are normalised with: (x / 255 - mean) / std of each colour channel."""
    network = CamNetwork("timm:resnet10t", 3, 32)
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    found = network.preprocess(image)[0].permute(1, 2, 0).numpy()
    expected = (image / 255 - np.array(network.spec.mean)) / np.array(network.spec.std)
    assert np.abs(found - expected).max() < 1e-5
    assert len({*network.spec.mean}) == len({*network.spec.std}) == 3
