"""The paper's figure 1: single-label vectors, the hard group, and classifiers by both losses."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recam_core.checkpoint.run_folder import load_run, read_info
from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments import figure1_full as full
from recam_core.experiments import figure1_heads as module
from recam_core.experiments.figure1 import HeadSettings, figure1_from_json, text_figure1
from recam_core.experiments.figure1_full import figure1_full, single_class_pictures
from recam_core.experiments.figure1_heads import FOLDS, figure1_heads, gain_of, hardest_group, train_linear
from recam_core.experiments.pooled_vectors import (
    LabelledVectors,
    pooled_vectors,
    single_label_features,
    single_label_pictures,
)
from recam_core.method.cam import cam
from recam_core.progress import Cancelled
from run_folders import write_run
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe

CLASSES = ClassList(("a", "b", "c", "d", "e", "rare"))
QUICK = HeadSettings(epochs=4, batch_size=16, rates=(0.01, 0.05), seeds=(0, 1), group=2)


def vectors(count: int, seed: int) -> LabelledVectors:
    """Five classes on axes of their own, of which d and e nearly share one; class 5 has a single vector."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(count) % 5, [5]])
    centres = np.eye(6, 8) * 4
    centres[4] = centres[3]
    centres[4, 7] = 0.6
    x = centres[y] + rng.normal(size=(count + 1, 8)) * 0.7
    return LabelledVectors(torch.tensor(x, dtype=torch.float32), torch.tensor(y), torch.arange(count + 1))


def figure(settings: HeadSettings = QUICK, **kwargs):
    named = {"source": "run", "what": "pictures", "specs": ("fit", "report"), **kwargs}
    return figure1_heads(vectors(120, 0), vectors(60, 1), CLASSES, settings, **named)


def test_the_hard_group_is_what_is_confused_and_rare_classes_are_left_out() -> None:
    found = figure()
    assert found.classes == {"all": ("a", "b", "c", "d", "e"), "group": ("d", "e")}
    assert found.left_out == ("rare",)
    assert found.report_count == {"all": 60, "group": 24}
    assert found.confusion.sum() == 2 * 120  # each vector once a loss
    accuracy = {(row.scope, row.loss): row.mean for row in found.rows}
    assert len(accuracy) == 4
    assert accuracy["all", "sce"] > 0.7
    assert accuracy["group", "sce"] < accuracy["all", "sce"]
    assert f"{100 * accuracy['group', 'sce']:.2f}" in text_figure1(found)
    assert "d and e" in found.sentence
    assert "rare" in " ".join(found.notes)


def test_a_result_survives_a_file_and_is_the_same_again() -> None:
    found = figure()
    again = figure1_from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert again.to_csv() == found.to_csv()
    assert figure().to_json() == found.to_json()
    with pytest.raises((ValueError, KeyError)):
        figure1_from_json({"kind": "grid"})


@pytest.mark.parametrize("loss", ["bce", "sce"])
def test_classifiers_follow_the_gradient_of_autograd(loss: str) -> None:
    some = vectors(40, 2).of(range(5))
    settings = HeadSettings(epochs=3, batch_size=64, weight_decay=0.1)
    got = train_linear(some, 5, loss, [(0.05, 3)], settings)[0]
    generator = torch.Generator().manual_seed(3)
    weight = ((torch.rand(5, 8, generator=generator) * 2 - 1) * 8**-0.5).requires_grad_()
    adam = torch.optim.AdamW([weight], lr=0.05, weight_decay=0.1)
    for epoch in range(3):
        adam.param_groups[0]["lr"] = 0.05 * 0.5 * (1 + np.cos(np.pi * epoch / 3))
        adam.zero_grad()
        z = some.x @ weight.T
        if loss == "sce":
            torch.nn.functional.cross_entropy(z, some.y).backward()
        else:
            target = torch.nn.functional.one_hot(some.y, 5).float()
            torch.nn.functional.binary_cross_entropy_with_logits(z, target).backward()
        adam.step()
    torch.testing.assert_close(got, weight.detach(), atol=1e-5, rtol=1e-4)


def test_side_by_side_is_as_alone() -> None:
    some = vectors(50, 4).of(range(5))
    both = train_linear(some, 5, "sce", [(0.05, 0), (0.01, 1)], QUICK)
    alone = train_linear(some, 5, "sce", [(0.01, 1)], QUICK)
    torch.testing.assert_close(both[1], alone[0], atol=1e-5, rtol=1e-4)


def test_a_fold_never_sees_its_own_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spied(some, classes, loss, runs, settings, progress, without=None):
        if without is not None:
            seen.append([set(some.picture[part].tolist()) for part in without[:FOLDS]])
        return train_linear(some, classes, loss, runs, settings, progress, without)

    monkeypatch.setattr(module, "train_linear", spied)
    fit = vectors(60, 0)
    twice = LabelledVectors(fit.x.repeat(2, 1), fit.y.repeat(2), fit.picture.repeat(2))
    figure1_heads(twice, vectors(60, 1), CLASSES, QUICK, source="", what="features", specs=("", ""))
    assert seen
    for parts in seen:
        assert all(not one & other for one, other in itertools.combinations(parts, 2))


@pytest.mark.parametrize("seed", range(3))
def test_the_hardest_group_equals_a_naive_search(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    confusion = rng.integers(0, 30, size=(7, 7)) + np.diag(np.full(7, 60))

    def score(group: tuple[int, ...]) -> float:
        return sum(confusion[i, j] / confusion[i].sum() for i in group for j in group if i != j)

    best = max(itertools.combinations(range(7), 3), key=score)
    assert hardest_group(confusion, 3) == best
    pair = max(itertools.combinations(range(7), 2), key=score)
    monkeypatch.setattr(module, "_EXHAUSTIVE", 0)
    grown = hardest_group(confusion, 3)
    assert set(pair) <= set(grown)
    assert len(grown) == 3


def test_gains_have_intervals_over_pictures() -> None:
    rng = np.random.default_rng(0)
    picture = np.arange(200) // 2
    better = rng.random((3, 200)) < 0.9
    worse = rng.random((3, 200)) < 0.6
    gain = gain_of(better, worse, picture)
    assert gain.low < gain.value < gain.high
    assert not gain.within_noise
    assert gain_of(better, better, picture).within_noise
    assert np.isnan(gain_of(better, worse, np.zeros(200)).low)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (HeadSettings(group=1), "2 classes"),
        (HeadSettings(group=6), "Only 5 classes"),
        (HeadSettings(seeds=()), "seeds"),
        (HeadSettings(seeds=(1, 1)), "once"),
        (HeadSettings(rates=(0.0,)), "rates"),
        (HeadSettings(epochs=0), "epochs"),
    ],
)
def test_what_cannot_be_made_is_refused(settings: HeadSettings, words: str) -> None:
    with pytest.raises(UserError, match=words):
        figure(settings)


def test_a_group_larger_than_the_data_is_refused_before_features_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = TinyDataset(4)
    monkeypatch.setattr(module, "data_and_report", lambda *_: (data, data))
    monkeypatch.setattr(module, "load_run", lambda *_: pytest.fail("loaded"))
    with pytest.raises(UserError, match=f"99 of {len(data.classes)} classes"):
        module.figure1("run", "data", settings=HeadSettings(group=99))
    with pytest.raises(UserError, match="99 of"):
        figure1_full(data, data, tiny_recipe(), HeadSettings(group=99), Path("runs"))
    # The labels of four pictures tell that no class has five of its own.
    monkeypatch.setattr(module, "load_run", lambda *_: None)
    monkeypatch.setattr(module, "pooled_vectors", lambda *_: pytest.fail("computed"))
    with pytest.raises(UserError, match="Only 0 classes have 5 single-label examples"):
        module.figure1("run", "data", settings=HeadSettings(group=2))
    with pytest.raises(UserError, match="Only 0 classes"):
        figure1_full(data, data, tiny_recipe(), HeadSettings(group=2), Path("runs"))


def test_it_can_be_cancelled() -> None:
    def progress(done: int, total: int, note: str) -> None:
        assert done <= total
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        figure(progress=progress)


# The vectors ----------------------------------------------------------------------------------------------------------


def test_vectors_are_those_of_the_equations_and_are_kept(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    write_run(tmp_path / "run")
    run, dataset = load_run(tmp_path / "run"), TinyDataset(6)
    found = pooled_vectors(run, dataset)
    row = 0
    for index in range(6):
        sample = dataset.load(index)
        with torch.no_grad():
            features, _ = run.network(run.network.preprocess(sample.image))
            maps = cam(features, run.network.fc1)[0]
        torch.testing.assert_close(found.pictures[index], features[0].mean(dim=(1, 2)))
        for k in np.flatnonzero(sample.labels):
            torch.testing.assert_close(found.pairs[row], (features[0] * maps[k]).mean(dim=(1, 2)))
            assert (int(found.image[row]), int(found.category[row])) == (index, k)
            row += 1
    assert len(found.pairs) == row
    assert single_label_pictures(found).picture.tolist() == [0, 2, 4]  # the tiny set's odd pictures have two classes
    assert len(single_label_features(found).y) == row
    monkeypatch.setattr(TinyDataset, "load", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr("recam_core.retrain.features.dataset_digest", lambda _: "same")
    with pytest.raises(pytest.fail.Exception):
        pooled_vectors(run, dataset)  # under another digest nothing is kept


def test_kept_vectors_are_read_again_and_damaged_ones_are_not(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    write_run(tmp_path / "run")
    run, dataset = load_run(tmp_path / "run"), TinyDataset(4)
    first = pooled_vectors(run, dataset)
    calls = []
    monkeypatch.setattr("recam_core.experiments.pooled_vectors._compute", lambda *_: calls.append(1) or first)
    torch.testing.assert_close(pooled_vectors(run, dataset).pairs, first.pairs)
    assert not calls
    (file,) = (tmp_path / "cache").glob("pooled-*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    pooled_vectors(run, dataset)
    assert calls


def test_other_classes_are_refused(tmp_path) -> None:
    write_run(tmp_path / "run", classes=["one", "two", "three"])
    with pytest.raises(UserError, match="not those of the run"):
        pooled_vectors(load_run(tmp_path / "run"), TinyDataset(4))


# Whole networks, and the command line ---------------------------------------------------------------------------------


def test_whole_networks_are_trained_once(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    write_run(tmp_path / "start")
    start = load_run(tmp_path / "start")
    monkeypatch.setattr(full, "imagenet_run", lambda *_: start)
    recipe = tiny_recipe(epochs=1)
    fit, report = TinyDataset(60, spec="tiny-fit"), TinyDataset(12, spec="tiny-report")
    settings = HeadSettings(epochs=2, rates=(0.01,), seeds=(0,), group=2)
    found = figure1_full(fit, report, recipe, settings, tmp_path / "runs")
    assert len(found.rows) == 4
    assert found.report_count["all"] == 6
    assert len(found.classes["group"]) == 2
    assert all(0 <= row.mean <= 1 for row in found.rows)
    assert "whole" not in found.sentence
    record = read_info(tmp_path / "runs" / "group-sce-seed0")
    assert (record.method, tuple(record.classes)) == ("sce", found.classes["group"])
    monkeypatch.setattr(full, "train", lambda *_, **__: pytest.fail("trained again"))
    assert figure1_full(fit, report, recipe, settings, tmp_path / "runs").to_json() == found.to_json()
    with pytest.raises(UserError, match="other settings"):
        figure1_full(fit, report, replace(recipe, epochs=9), settings, tmp_path / "runs")


def test_single_class_pictures_are_renumbered() -> None:
    some = single_class_pictures(TinyDataset(20), (2, 0))
    assert some.classes.names == ("blue", "red")
    for index in range(len(some)):
        whole = some.whole.labels(some.places[index])
        assert whole.sum() == 1
        assert some.labels(index).tolist() == [whole[2], whole[0]]
        np.testing.assert_array_equal(some.load(index).labels, some.labels(index))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["imagenet", "--data", "scenes@train", "--what", "features"], "has none"),
        (["imagenet", "--data", "scenes@train", "--report", "@train"], "must not share"),
        (["imagenet", "--data", "scenes@train", "--group", "1"], "2 classes"),
        (["nowhere", "--data", "scenes@train"], "no run folder"),
        (["nowhere", "--data", "scenes@train", "--depth", "full"], "start from ImageNet"),
    ],
)
def test_the_command_refuses(arguments: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["experiment", "figure1", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_command_prints_and_writes(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    classes = open_dataset("scenes:size=64,train=6,val=2@train").classes
    write_run(tmp_path / "run", classes=list(classes.names))
    spec = "scenes:size=64,train=60,val=30@train"
    command = ["experiment", "figure1", str(tmp_path / "run"), "--data", spec, "--what", "features", "--group", "2"]
    options = ["--epochs", "1", "--rates", "0.01", "--seeds", "0", "--json", str(tmp_path / "found.json")]
    assert main([*command, *options, "--csv", str(tmp_path / "found.csv")]) == 0
    out = capsys.readouterr().out
    found = figure1_from_json(json.loads((tmp_path / "found.json").read_text()))
    assert found.sentence in out
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 5
