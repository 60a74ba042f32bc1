"""Retraining FC1 and FC2 on cached features, on a data set of coloured squares."""

import copy
import dataclasses
import errno
import math
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from recam_core.atomic_write import replacing_file, replacing_folder
from recam_core.cache import cache_folder, drop_oldest
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.sample import Sample
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.method.cam import cam
from recam_core.method.losses import bce_loss, sce_loss
from recam_core.method.masks import parse_mask
from recam_core.progress import Cancelled
from recam_core.retrain import named_run
from recam_core.retrain.features import FIRST_LOOK, SPARE_BYTES, build_feature_cache, cache_path
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.heads import HeadResult, retrain_heads, retrain_many, save_heads
from recam_core.retrain.named_run import keep_heads
from recam_core.retrain.pooled import SharedPools, pooled_pairs
from recam_core.train.loop import train
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe
from tiny_voc import tiny_voc


class TwoShapes(TinyDataset):
    """Every other picture is wider, so that the cache has blocks of two shapes."""

    def load(self, index: int) -> Sample:
        sample = super().load(index)
        if index % 2:
            return sample
        pad = ((0, 0), (0, 32))
        image = np.pad(sample.image, (*pad, (0, 0)), constant_values=128)
        return dataclasses.replace(sample, image=image, mask=np.pad(sample.mask, pad))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "bce"
    recipe = tiny_recipe(backbone="timm:resnet10t", epochs=2, batch_size=4)
    train(recipe, TwoShapes(), folder)
    return load_run(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def cache(run):
    return build_feature_cache(run, TwoShapes())


def test_the_cache_holds_the_features_of_every_picture(run, cache):
    assert len(cache) == 8
    assert len(cache.blocks) == 2
    for block in cache.blocks:
        for place, index in enumerate(block.index.tolist()):
            sample = TwoShapes().load(index)
            with torch.no_grad():
                expected = run.network.features(run.network.preprocess(sample.image))[0]
            assert torch.allclose(block.features[place].float(), expected, rtol=2e-3, atol=2e-3)
            assert block.labels[place].tolist() == sample.labels.tolist()


def test_the_second_time_nothing_is_computed(run, cache, monkeypatch):
    monkeypatch.setattr(run.network, "features", lambda x: pytest.fail("the backbone ran again"))
    again = build_feature_cache(run, TwoShapes())
    assert all(torch.equal(a.features, b.features) for a, b in zip(cache.blocks, again.blocks, strict=True))
    assert all(torch.equal(a.truth, b.truth) for a, b in zip(cache.blocks, again.blocks, strict=True))


def test_other_pictures_or_weights_have_another_cache(run):
    class Darker(TwoShapes):
        def load(self, index: int) -> Sample:
            sample = super().load(index)
            return dataclasses.replace(sample, image=sample.image // 2)

    other = Run(run.path, dataclasses.replace(run.info, weights_sha256="0" * 64), run.network)
    paths = {cache_path(run, TwoShapes()), cache_path(run, Darker()), cache_path(other, TwoShapes())}
    assert len(paths) == 3


def test_a_damaged_cache_is_computed_again(run, cache):
    for name in ("pictures.safetensors", "1.features.f16", "0.truth.f16"):
        file = cache_path(run, TwoShapes()) / name
        file.write_bytes(file.read_bytes()[:-100])
        again = build_feature_cache(run, TwoShapes())
        assert torch.equal(again.blocks[0].features, cache.blocks[0].features)
        assert torch.equal(again.blocks[0].truth, cache.blocks[0].truth)


def test_a_cache_that_changed_on_the_disk_is_computed_again(run, cache):
    path = cache_path(run, TwoShapes()) / "pictures.safetensors"
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    for name, spoilt in [
        ("0.labels", ~tensors["0.labels"]),
        ("1.index", tensors["0.index"]),
        ("0.index", tensors["0.index"][:-1].contiguous()),
    ]:
        save_file(tensors | {name: spoilt.clone()}, path, metadata=metadata)
        again = build_feature_cache(run, TwoShapes())
        assert torch.equal(again.blocks[0].labels, cache.blocks[0].labels)
        assert torch.equal(again.blocks[0].features, cache.blocks[0].features)


def test_a_cache_that_may_only_be_read_is_read(run, cache, monkeypatch):
    def refuse(*words, **more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(run.network, "features", lambda x: pytest.fail("the backbone ran again"))
    assert len(build_feature_cache(run, TwoShapes())) == len(cache)


def test_a_full_disk_is_a_sentence_and_leaves_no_cache(run, monkeypatch):
    def full(*words, **more):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("recam_core.checkpoint.tensor_file.save_file", full)
    with pytest.raises(UserError, match="disk may be full"):
        build_feature_cache(run, TwoShapes())
    assert files_but_locks() == []


def test_a_disk_without_room_is_told_by_its_numbers_before_it_is_full(run, monkeypatch):
    added = []
    usage = shutil.disk_usage(cache_folder().parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=SPARE_BYTES + 100_000))
    with pytest.raises(UserError, match=r"40 pictures of tiny take about 0\.\d GB.* has 0\.\d GB free.*RECAM_CACHE"):
        build_feature_cache(run, TinyDataset(40, size=96), lambda done, total, note: added.append(done))
    assert added[-1] == FIRST_LOOK - 1
    assert files_but_locks() == []


def test_a_disk_that_others_fill_meanwhile_is_told_in_time(run, monkeypatch):
    monkeypatch.setattr("recam_core.retrain.features.LOOK_EVERY", 4)
    usage, looks, added = shutil.disk_usage(cache_folder().parent), [], []

    def filling(folder: Path) -> object:
        looks.append(folder)
        return usage._replace(free=SPARE_BYTES + (1 << 40 if len(looks) < 3 else 0))

    monkeypatch.setattr(shutil, "disk_usage", filling)
    with pytest.raises(UserError, match=r"has 0\.\d GB free"):
        build_feature_cache(run, TinyDataset(20), lambda done, total, note: added.append(done))
    assert len(looks) == 3
    assert added[-1] < 19
    assert files_but_locks() == []


def test_features_stay_on_the_disk_and_are_as_they_were_computed(run, cache):
    for number, block in enumerate(cache.blocks):
        file = cache_path(run, TwoShapes()) / f"{number}.features.f16"
        assert str(file) in Path("/proc/self/maps").read_text()
        assert file.stat().st_size == block.features.nbytes
        for place, index in enumerate(block.index.tolist()):
            with torch.inference_mode():
                one = run.network.features(run.network.preprocess(TwoShapes().load(index).image))[0].half()
            assert torch.equal(block.features[place], one)


def test_a_picture_without_a_mask_leaves_its_shape_without_truth(run):
    class OneBlind(TwoShapes):
        def load(self, index: int) -> Sample:
            return dataclasses.replace(super().load(index), **({"mask": None} if index == 2 else {}))

    blind = build_feature_cache(run, OneBlind(spec="blind"))
    assert [block.truth is None for block in blind.blocks] == [True, False]
    assert not blind.has_truth


def test_one_other_picture_or_mask_among_many_is_another_cache(run, tmp_path):
    root = tiny_voc(tmp_path / "squares", train_pictures=40)
    found = []
    for folder in ("", "JPEGImages", "SegmentationClass"):
        if folder:
            file = sorted((root / folder).iterdir())[7]
            with Image.open(file) as picture:
                picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file, quality=80)
        for spec in (f"voc:{root}@train", f"voc:{root}@train.fit"):
            found.append(cache_path(run, open_dataset(spec)))
    assert len(set(found)) == len(found)


def test_cancelling_leaves_no_cache(run):
    def stop(done: int, total: int, note: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        build_feature_cache(run, TwoShapes(), stop)
    assert files_but_locks() == []


def files_but_locks() -> list[Path]:
    return [file for file in cache_folder().glob("*") if file.suffix != ".lock"]


def test_of_two_who_want_the_same_features_one_computes_them(run, monkeypatch):
    computed, waited = [], threading.Event()
    features = run.network.features

    def slow(x: torch.Tensor) -> torch.Tensor:
        assert waited.wait(60), "the other one did not wait"
        computed.append(len(x))
        return features(x)

    def other(done: int, total: int, note: str) -> None:
        if "waiting" in note:
            waited.set()

    monkeypatch.setattr(run.network, "features", slow)
    with ThreadPoolExecutor(2) as pool:
        one, two = (pool.submit(build_feature_cache, run, TwoShapes(), other) for _ in range(2))
        assert len(one.result()) == len(two.result()) == 8
    assert sum(computed) == 8


def test_who_waits_for_features_can_cancel(run, cache):
    def stop(done: int, total: int, note: str) -> None:
        assert "waiting" in note
        raise Cancelled

    shutil.rmtree(cache_path(run, TwoShapes()))
    (lock,) = cache_folder().glob("*.lock")
    with holding(try_lock(lock)), pytest.raises(Cancelled):
        build_feature_cache(run, TwoShapes(), stop)


def test_old_caches_make_room(tmp_path):
    files = [tmp_path / f"features-{number}.safetensors" for number in range(3)]
    folder = tmp_path / "maps"
    for age, entry in enumerate([folder, *files]):
        if entry is folder:
            folder.mkdir()
            (folder / "maps.bin").write_bytes(bytes(100))
        else:
            entry.write_bytes(bytes(100))
        os.utime(entry, (1000 + age, 1000 + age))
    drop_oldest(tmp_path.iterdir(), keep=files[2], most=250)
    assert [entry.exists() for entry in (folder, *files)] == [False, False, True, True]
    drop_oldest(tmp_path.iterdir(), keep=files[1], most=50)
    assert [file.exists() for file in files] == [False, True, False]


def test_what_is_being_written_takes_its_room_in_the_cache(tmp_path):
    files = [tmp_path / f"features-{number}" for number in range(3)]
    for age, entry in enumerate(files):
        entry.write_bytes(bytes(100))
        os.utime(entry, (1000 + age, 1000 + age))
    with replacing_folder(tmp_path / "features-3") as written, replacing_file(tmp_path / "maps-1") as other:
        (written / "0.features.f16").write_bytes(bytes(140))
        other.write_bytes(bytes(1000))  # another kind has room of its own
        drop_oldest(files, keep=files[2], most=250)
        assert [entry.exists() for entry in (*files, written)] == [False, False, True, True]


@pytest.mark.parametrize("text", ["soft", "none", "hard:0.3", "power:2", "oracle"])
def test_pooled_pairs_are_equations_3_and_4(run, cache, text):
    """One row a pair, GAP(M_k * f(x)), whatever the shape of the picture."""
    mask = parse_mask(text)
    (pooled,), category, image = pooled_pairs(cache, run.network.fc1.detach(), [mask])
    row = picture = 0
    for block in cache.blocks:
        row_of_truth = 0
        for place in range(len(block.index)):
            f = block.features[place].float()
            maps = cam(f[None], run.network.fc1.detach())[0]
            for k in torch.nonzero(block.labels[place]).flatten().tolist():
                m = mask(maps[k][None], block.truth[row_of_truth].float()[None])[0]
                assert torch.allclose(pooled[row], (m * f).mean(dim=(1, 2)), rtol=1e-4, atol=1e-5)
                assert (int(category[row]), int(image[row])) == (k, picture)
                row, row_of_truth = row + 1, row_of_truth + 1
            picture += 1
    assert row == len(pooled)


def test_fc2_alone_learns_and_leaves_fc1(run, cache):
    result = retrain_heads(cache, run, HeadRecipe(lr=0.1))
    assert torch.equal(result.fc1, run.network.fc1)
    assert result.history[0]["sce"] == pytest.approx(math.log(3), rel=1e-4)  # FC2 starts from zero: all classes alike
    assert result.history[-1]["sce"] < 0.3 * result.history[0]["sce"]
    again = retrain_heads(cache, run, HeadRecipe(lr=0.1))
    assert torch.equal(result.fc2, again.fc2)


def test_lambda_means_what_the_help_says(run, cache):
    """FC2 only: 0 trains nothing, other values do not matter. Both: it changes FC1."""
    assert retrain_heads(cache, run, HeadRecipe(weight=0)).fc2.abs().max() == 0
    one, ten = (retrain_heads(cache, run, HeadRecipe(weight=weight)).fc2 for weight in (1.0, 10.0))
    assert torch.equal(one, ten)
    low, high = (retrain_heads(cache, run, HeadRecipe(update="both", weight=weight)).fc1 for weight in (0.1, 10.0))
    assert not torch.allclose(low, high)
    assert not torch.equal(low, run.network.fc1.detach())


@pytest.mark.parametrize("loss", ["sce", "bce"])
def test_fc2_is_what_autograd_and_adamw_make_of_equation_5(run, cache, loss):
    recipe = HeadRecipe(epochs=25, lr=0.05, weight_decay=0.1, weight=0.3, loss=loss)
    result = retrain_heads(cache, run, recipe)
    (pooled,), category, image = pooled_pairs(cache, run.network.fc1.detach(), [parse_mask("soft")])
    fc2 = torch.zeros_like(run.network.fc1).requires_grad_()
    optimizer = torch.optim.AdamW([fc2], lr=0.05, weight_decay=0.1)
    for epoch in range(25):
        optimizer.param_groups[0]["lr"] = 0.05 * 0.5 * (1 + math.cos(math.pi * epoch / 25))
        logits = pooled @ fc2.T
        if loss == "sce":
            value = sce_loss(logits, category, image, len(cache))
        else:
            target = torch.nn.functional.one_hot(category, 3).float()
            each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
            value = sum(each[image == i].mean() for i in range(len(cache))) / len(cache)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        assert result.history[epoch][loss] == pytest.approx(value.item(), rel=1e-4)
    assert torch.allclose(result.fc2, fc2.detach(), rtol=1e-3, atol=1e-4)


def test_both_are_what_autograd_and_adamw_make_of_equation_6(run, cache):
    recipe = HeadRecipe(update="both", epochs=6, lr=0.01, weight_decay=0.1, weight=0.7, batch_size=len(cache))
    result = retrain_heads(cache, run, recipe)
    fc1 = run.network.fc1.detach().clone().requires_grad_()
    fc2 = torch.zeros_like(fc1).requires_grad_()
    optimizer = torch.optim.AdamW([fc1, fc2], lr=0.01, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    step = 0
    for epoch in range(6):
        seen = 0
        # Each block is one batch; their order, and that in them, is drawn like this.
        orders = [torch.randperm(len(block.index), generator=generator) for block in cache.blocks]
        for number in torch.randperm(len(orders), generator=generator).tolist():
            block, order = cache.blocks[number], orders[number]
            f, labels = block.features[order].float(), block.labels[order]
            image, category = torch.nonzero(labels, as_tuple=True)
            masks = cam(f, fc1)[image, category]
            pooled = (masks[:, None] * f[image]).mean(dim=(2, 3))
            value = bce_loss(f.mean(dim=(2, 3)) @ fc1.T, labels)
            value = value + 0.7 * sce_loss(pooled @ fc2.T, category, image, len(labels))
            share = (epoch + seen / len(cache)) / 6
            optimizer.param_groups[0]["lr"] = 0.01 * 0.5 * (1 + math.cos(math.pi * share))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            seen, step = seen + len(labels), step + 1
    assert step == 6 * len(cache.blocks)
    assert torch.allclose(result.fc1, fc1.detach(), rtol=1e-2, atol=1e-4)
    assert torch.allclose(result.fc2, fc2.detach(), rtol=1e-2, atol=1e-4)


def test_many_heads_are_those_that_each_recipe_makes_alone(run, cache):
    recipes = [
        HeadRecipe(epochs=5, lr=0.05),
        HeadRecipe(epochs=5, lr=0.01, weight=0.0),
        HeadRecipe(epochs=5, lr=0.02, loss="bce", rule="fc2"),
        HeadRecipe(epochs=5, mask="hard:0.4"),
        HeadRecipe(epochs=4, mask="power:2", rule="fc2", rounds=2),
        HeadRecipe(update="both", epochs=3, batch_size=3, weight=0.2),
        HeadRecipe(update="both", epochs=3, batch_size=3, weight=5.0, mask="none", lr=0.01),
        HeadRecipe(update="both", epochs=3, batch_size=3, mask="oracle", loss="bce", weight_decay=0.5),
        HeadRecipe(update="both", epochs=3, batch_size=3, mask="power:0.5", seed=7),
    ]
    ticks = []
    together = retrain_many(cache, run, recipes, lambda done, total, note: ticks.append((done, total)))
    assert ticks == [(done, 24) for done in range(1, 25)]
    for recipe, result in zip(recipes, together, strict=True):
        alone = retrain_heads(cache, run, recipe)
        assert result.recipe == alone.recipe
        assert torch.allclose(result.fc1, alone.fc1, rtol=1e-3, atol=1e-5)
        assert torch.allclose(result.fc2, alone.fc2, rtol=1e-3, atol=1e-5)
        for one, other in zip(result.history, alone.history, strict=True):
            assert one == pytest.approx(other, rel=1e-3)


def test_many_heads_are_the_same_in_little_memory(run, cache, monkeypatch):
    recipes = [HeadRecipe(epochs=4, lr=lr, mask=mask) for lr in (0.01, 0.05) for mask in ("soft", "none", "power:2")]
    plenty = retrain_many(cache, run, recipes)
    monkeypatch.setattr("recam_core.retrain.heads._ROOM", 1)
    ticks = []
    little = retrain_many(cache, run, recipes, lambda done, total, note: ticks.append((done, total)))
    assert ticks == [(done, 24) for done in range(1, 25)]  # each recipe by itself
    for one, other in zip(plenty, little, strict=True):
        assert torch.allclose(one.fc2, other.fc2, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("masks", [1, 2, 9])
def test_masks_share_passes_over_the_features(run, cache, masks, monkeypatch):
    """As many at a time as there is room for, the same as one by one; what was dropped is made again."""
    fc1 = run.network.fc1.detach()
    passes = []

    def counted(*asked):
        passes.append(asked)
        return pooled_pairs(*asked)

    monkeypatch.setattr("recam_core.retrain.pooled.pooled_pairs", counted)
    names = ["soft", "none", "hard:0.3", "power:2", "oracle"]
    pools = SharedPools(cache, fc1, [(name, None) for name in names], room=masks * cache.pairs * fc1.shape[1] * 4)
    for name in (*names, "soft"):
        alone, category, image = pooled_pairs(cache, fc1, [parse_mask(name)])
        shared = pools.take(name)
        assert torch.allclose(shared[0], alone[0], rtol=1e-4, atol=1e-6)
        assert torch.equal(shared[1], category)
        assert torch.equal(shared[2], image)
    assert len(passes) == {1: 6, 2: 4, 9: 1}[masks]


def test_a_second_round_takes_its_masks_from_the_first(run, cache):
    once = retrain_heads(cache, run, HeadRecipe(epochs=6, rule="fc2"))
    twice = retrain_heads(cache, run, HeadRecipe(epochs=6, rule="fc2", rounds=2))
    assert len(twice.history) == 12
    moved = dataclasses.replace(run, network=copy.deepcopy(run.network))
    with torch.no_grad():
        moved.network.fc1.copy_(once.fc2)
    assert torch.allclose(retrain_heads(cache, moved, HeadRecipe(epochs=6)).fc2, twice.fc2, rtol=1e-4, atol=1e-6)


def test_recipes_that_training_cannot_tell_apart_share_a_result(run, cache):
    epochs = []
    rules = ("fc1", "fc2", "sum", "product", "rectified_product")
    recipes = [HeadRecipe(epochs=3, rule=rule, weight=weight) for rule in rules for weight in (0.5, 2.0)]
    results = retrain_many(cache, run, recipes, lambda done, total, note: epochs.append(done))
    assert len(epochs) == 3
    assert [result.recipe.rule for result in results] == [rule for rule in rules for _ in range(2)]
    assert all(torch.equal(result.fc2, results[0].fc2) for result in results)


def test_both_learn_both_losses(run, cache):
    history = retrain_heads(cache, run, HeadRecipe(update="both", epochs=15, batch_size=4)).history
    assert history[-1]["bce"] < history[0]["bce"]
    assert history[-1]["sce"] < history[0]["sce"]


def test_a_kept_run_gives_the_same_heads_back(run, cache, tmp_path):
    result = retrain_heads(cache, run, HeadRecipe(epochs=20, rule="product"))
    save_heads(tmp_path / "mine", run, cache.spec, result, half=False)
    loaded = load_run(tmp_path / "mine")
    assert torch.equal(loaded.network.fc2, result.fc2)
    assert (loaded.info.method, loaded.info.rule, loaded.info.parent) == ("heads", "product", "bce")
    assert loaded.info.recipe["epochs"] == 20
    assert run.network.fc2 is None, "the shared network of the source run was changed"
    both = retrain_heads(cache, run, HeadRecipe(update="both", epochs=1))
    save_heads(tmp_path / "both", run, cache.spec, both, half=False)
    kept = load_run(tmp_path / "both").network
    assert torch.equal(kept.fc1, both.fc1)
    assert torch.equal(kept.fc2, both.fc2)
    assert not torch.equal(kept.fc1, run.network.fc1)


def test_of_two_sessions_that_keep_one_name_at_once_one_is_refused(run, cache, tmp_path, monkeypatch):
    first, second = (retrain_heads(cache, run, HeadRecipe(epochs=epochs)) for epochs in (2, 3))

    def keep(result: HeadResult) -> None:
        keep_heads(tmp_path, "mine", run, "tiny", result, None, "")

    def save_after_the_other(*words, **more):
        monkeypatch.setattr(named_run, "save_heads", save_heads)
        keep(first)
        return save_heads(*words, **more)

    monkeypatch.setattr(named_run, "save_heads", save_after_the_other)
    with pytest.raises(UserError, match="mine is there already"):
        keep(second)
    assert load_run(tmp_path / "mine").info.recipe["epochs"] == 2
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["mine"]


def test_settings_that_cannot_work_are_refused(run, cache):
    for change, words in [
        ({"update": "everything"}, "update"),
        ({"weight": -1.0}, "lambda"),
        ({"rule": "best"}, "rule"),
        ({"epochs": -3}, "epochs"),
        ({"lr": 100.0}, "learning rate"),
        ({"mask": "fog"}, "mask"),
        ({"seed": 10**30}, "seed"),
        ({"weight": "1"}, "'weight' cannot be '1'"),  # a record from elsewhere may hold anything
        ({"rounds": 1.5}, "'rounds' cannot be '1.5'"),
        ({"mask": 4}, "'mask' cannot be '4'"),
    ]:
        with pytest.raises(UserError, match=words):
            completed(dataclasses.replace(HeadRecipe(), **change))
    other = dataclasses.replace(cache, weights_sha256="0" * 64)
    with pytest.raises(UserError, match="other weights"):
        retrain_heads(other, run, HeadRecipe())
    blind = dataclasses.replace(cache, blocks=tuple(dataclasses.replace(b, truth=None) for b in cache.blocks))
    with pytest.raises(UserError, match="oracle"):
        retrain_heads(blind, run, HeadRecipe(mask="oracle"))
