"""Training: it learns, repeats itself, and goes on after a kill as if nothing had happened."""

import dataclasses
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.errors import UserError
from recam_core.progress import SCORED, Cancelled, Moment, on_bar
from recam_core.train.loop import lr_factor, train
from recam_core.train.recipe import check_recipe, from_json, preset
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe

SMALL = tiny_recipe(batch_size=4)
RECAM = dataclasses.replace(SMALL, method="recam", lr_fc2=1e-2, rule="product")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums depend on the number of threads in their last bits: what is compared to the bit uses one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bce_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "bce"
    info = train(SMALL, TinyDataset(), folder, val=TinyDataset(4, spec="val"))
    return folder, info


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_is_a_folder_that_says_everything(bce_run):
    folder, info = bce_run
    record = json.loads((folder / "run.json").read_text())
    assert record["method"] == "bce"
    assert from_json({**record["recipe"], "weights": "none"}) == SMALL
    assert record["classes"] == ["red", "green", "blue"]
    assert record["data"] == "tiny"
    assert torch.__version__.startswith(record["versions"]["torch"])
    assert len(record["weights_sha256"]) == 64
    history = json.loads((folder / "metrics.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    assert {"loss", "bce", "val_loss", "val_map", "val_seed_miou"} <= set(history[-1])
    assert 0 <= history[-1]["val_seed_miou"] <= 1
    assert list((folder / "tensorboard").iterdir())
    assert not (folder / "state").exists()
    run = load_run(folder)
    assert run.info == info
    assert not run.network.training


def test_training_learns():
    """Not a hollow loop: the loss after some epochs is far below the one before."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        train(dataclasses.replace(SMALL, backbone="timm:resnet10t", epochs=12), TinyDataset(12), Path(folder) / "run")
        history = json.loads((Path(folder) / "run" / "metrics.json").read_text())
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(bce_run, tmp_path):
    folder, _ = bce_run
    train(SMALL, TinyDataset(), tmp_path / "again")
    assert same(weights(folder), weights(tmp_path / "again"))
    train(dataclasses.replace(SMALL, seed=1), TinyDataset(), tmp_path / "other")
    assert not same(weights(folder), weights(tmp_path / "other"))


@pytest.mark.parametrize("method", ["sce", "recam"])
def test_sce_and_recam_train_and_change_the_backbone(bce_run, tmp_path, method):
    folder, _ = bce_run
    recipe = RECAM if method == "recam" else dataclasses.replace(SMALL, method="sce")
    info = train(recipe, TinyDataset(), tmp_path / method, init=load_run(folder))
    before, after = weights(folder), weights(tmp_path / method)
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("backbone"))
    assert ("fc2" in after) == (method == "recam")
    assert info.parent == "bce"
    assert load_run(tmp_path / method).network.spec.has_fc2 == (method == "recam")


def test_frozen_batch_norm_keeps_its_statistics(bce_run, tmp_path):
    folder, _ = bce_run
    train(SMALL, TinyDataset(), tmp_path / "frozen", init=load_run(folder))
    train(dataclasses.replace(SMALL, freeze_norm=False), TinyDataset(), tmp_path / "moving", init=load_run(folder))
    before = {name: value for name, value in weights(folder).items() if "running" in name}
    frozen, moving = weights(tmp_path / "frozen"), weights(tmp_path / "moving")
    assert all(torch.equal(before[name], frozen[name]) for name in before)
    assert any(not torch.equal(before[name], moving[name]) for name in before)


@pytest.mark.parametrize("mask", ["none", "hard:0.3", "power:2", "oracle"])
def test_every_mask_trains(bce_run, tmp_path, mask):
    folder, _ = bce_run
    recipe = dataclasses.replace(RECAM, mask=mask, epochs=1)
    train(recipe, TinyDataset(), tmp_path / "run", init=load_run(folder))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())[0]["sce"] > 0


def _train_slowly(folder: str) -> None:
    def slow(done: int, total: int, note: str) -> None:
        time.sleep(0.15)

    torch.set_num_threads(1)
    train(SMALL, TinyDataset(), folder, watch=on_bar(slow))


def test_a_killed_run_goes_on_to_the_same_weights(bce_run, tmp_path):
    folder, _ = bce_run
    process = multiprocessing.get_context("spawn").Process(target=_train_slowly, args=(str(tmp_path / "killed"),))
    process.start()
    deadline = time.time() + 120
    while not (tmp_path / "killed" / "state" / "last.pt").exists():
        assert time.time() < deadline, "the first epoch did not end"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "killed" / "run.json").exists(), "killed too late to show anything"
    steps = []
    train(SMALL, TinyDataset(), tmp_path / "killed", watch=lambda moment: steps.append(moment.done))
    assert steps[0] > 1, "the finished epoch was trained again"
    assert same(weights(folder), weights(tmp_path / "killed"))


def test_cancel_leaves_the_last_finished_epoch(tmp_path):
    def stop(done: int, total: int, note: str) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(SMALL, TinyDataset(), tmp_path / "run", watch=on_bar(stop))
    assert (tmp_path / "run" / "state" / "last.pt").exists()
    assert not (tmp_path / "run" / "run.json").exists()
    with pytest.raises(UserError, match="other settings"):
        train(dataclasses.replace(SMALL, lr_fc1=0.5), TinyDataset(), tmp_path / "run")


def test_what_is_cut_off_while_it_is_scored_is_scored_on_resuming(tmp_path):
    said: list[tuple[int, int]] = []

    def hear(moment: Moment) -> None:
        if moment.kind == SCORED:
            said.append((moment.done, moment.total))

    train(SMALL, TinyDataset(), tmp_path / "whole", val=TinyDataset(5), watch=hear)
    assert said == [(n, 5) for n in (1, 2, 3, 4, 5)] * SMALL.epochs

    steps: list[int] = []
    cut_at: list[int] = []

    def stop(moment: Moment) -> None:
        if moment.kind != SCORED:
            steps.append(moment.done)
        elif moment.done == 3 and steps[-1] not in cut_at:
            cut_at.append(steps[-1])
            raise Cancelled

    def go_on() -> None:
        train(SMALL, TinyDataset(), tmp_path / "cut", val=TinyDataset(5), watch=stop)

    for _ in range(SMALL.epochs):  # once an epoch, at last behind the last step
        with pytest.raises(Cancelled):
            go_on()
    go_on()
    assert steps == list(range(1, steps[-1] + 1)), "a trained epoch was trained again"
    assert len(cut_at) == SMALL.epochs
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    whole, cut = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("whole", "cut"))
    for entry in (*whole, *cut):
        del entry["seconds"]
    assert whole == cut


def test_a_finished_run_is_not_overwritten(bce_run):
    folder, _ = bce_run
    with pytest.raises(UserError, match="finished run"):
        train(SMALL, TinyDataset(), folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 10**30),
        ("epochs", "3"),
        ("epochs", None),
        ("batch_size", 1.5),
        ("lr_backbone", {}),
        ("resize_long", 5),
        ("jitter", (1.0,)),
        ("mask", 3),
        ("amp", 1),
    ],
)
def test_settings_out_of_range_or_of_another_kind_are_refused(name, value):
    with pytest.raises(UserError, match=name):
        check_recipe(dataclasses.replace(SMALL, **{name: value}))


@pytest.mark.parametrize("count", ["-1", "100000", "x"])
def test_a_number_of_loader_processes_that_cannot_be_is_refused(count, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "bce", "--data", "x", "--out", "y", "--workers", count])
    assert f"'{count}' is no number from 0 to" in capsys.readouterr().err


def test_bad_starts_are_refused_with_a_sentence(bce_run, tmp_path):
    with pytest.raises(UserError, match="converged BCE run"):
        train(RECAM, TinyDataset(), tmp_path / "run")
    with pytest.raises(UserError, match="learning rate"):
        check_recipe(dataclasses.replace(SMALL, lr_fc1=-1))
    with pytest.raises(UserError, match="no mask"):
        check_recipe(dataclasses.replace(RECAM, mask="fog"))
    with pytest.raises(UserError, match="no preset"):
        preset("bce", "huge")
    exploding = dataclasses.replace(SMALL, optimizer="sgd", lr_backbone=1e12, lr_fc1=1e12, warmup=0)
    with pytest.raises(UserError, match="lower the learning rates"):
        train(exploding, TinyDataset(), tmp_path / "nan")
    assert not (tmp_path / "nan" / "run.json").exists()


def test_the_paper_preset_is_the_published_schedule():
    bce, recam = preset("bce"), preset("recam")
    assert (bce.backbone, bce.epochs, bce.batch_size, bce.optimizer) == ("resnet50", 5, 16, "sgd")
    assert (bce.lr_backbone, bce.lr_fc1, bce.weight_decay, bce.poly_power) == (0.1, 1.0, 1e-4, 0.9)
    assert (bce.crop, bce.resize_long, bce.jitter, bce.freeze_norm) == (512, (320, 640), (0.3, 0.3, 0.3, 0.1), True)
    assert (recam.epochs, recam.lr_fc2, recam.lr_fc1, recam.lr_backbone, recam.weight) == (4, 5e-4, 5e-5, 5e-5, 1.0)
    assert (recam.mask, recam.rule) == ("soft", "product")


def test_the_schedule_rises_then_falls_to_zero():
    factors = [lr_factor(step, 100, 0.1, 0.9) for step in range(101)]
    assert factors[0] == pytest.approx(1 / 11)
    assert max(factors) == factors[10] == 1.0
    assert factors[100] == 0.0
    assert lr_factor(25, 100, 0.0, 0.9) == pytest.approx(0.75**0.9)


@pytest.mark.parametrize("command", [["train", "bce"], ["train", "--from", "x"], ["retrain", "x"]])
def test_a_place_where_no_folder_can_be_made_is_refused_before_anything_is_read(tmp_path, capsys, command):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert main([*command, "--data", "voc:/nowhere@train", "--out", str(out)]) == 2
        assert f"{tmp_path / 'file'} is no folder" in capsys.readouterr().err
