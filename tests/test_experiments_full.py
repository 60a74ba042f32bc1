"""Grids of full trainings: handed to processes (or Ray), resumed, and compared."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dispatch_tasks import die, double, meet, sleep
from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, full_axis
from recam_core.experiments.dispatch import dispatch, pick_way, ray_is_installed
from recam_core.experiments.full_cost import Speed, measure_speed, seconds_done, task_seconds
from recam_core.experiments.full_grid import FullGrid, full_grid
from recam_core.experiments.full_training import ProgressFile, carry_out, read_progress, read_scores, task_progress
from recam_core.experiments.kept_result import RESULT_FILE, read_result
from recam_core.experiments.part_score import picture_changes
from recam_core.experiments.protocol import protocol_for
from recam_core.progress import Cancelled
from recam_core.queue.status import process_start
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, preset
from tiny_voc import tiny_voc

SMALL = {"backbone": "timm:test_resnet", "weights": "none", "batch_size": 4, "crop": 48, "resize_long": (40, 56)}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A data set and a BCE run on it."""
    folder = tmp_path_factory.mktemp("full")
    spec = f"voc:{tiny_voc(folder / 'data')}@train"
    recipe = dataclasses.replace(preset("bce", "small"), epochs=1, lr_backbone=1e-3, lr_fc1=1e-2, **SMALL)
    train(recipe, open_dataset(spec), folder / "bce")
    return folder, spec


@pytest.fixture
def base():
    return dataclasses.replace(preset("recam", "small"), epochs=1, **SMALL)


WAYS = ["one", "local", *(["ray"] if ray_is_installed() else [])]


@pytest.mark.parametrize("way", WAYS)
def test_tasks_come_back_in_their_order(way):
    seen = []
    assert dispatch(double, [3, 1, 2], way, 2, lambda done, total, note: seen.append(done)) == [6, 2, 4]
    assert seen[-1] == 3
    with pytest.raises(UserError, match="negative"):
        dispatch(double, [1, -1], way, 2)


def test_a_killed_worker_is_a_sentence_and_ends_the_others():
    begun = time.monotonic()
    with pytest.raises(UserError, match="killed"):
        dispatch(die, [1, 2], "local", 2)
    assert time.monotonic() - begun < 300


def test_cancelling_ends_the_workers():
    def stop(done: int, total: int, note: str) -> None:
        raise Cancelled

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        dispatch(sleep, [600.0, 600.0], "local", 2, stop)
    assert time.monotonic() - begun < 300


@pytest.mark.parametrize("way", WAYS[1:])
def test_two_workers_work_at_a_time(way, tmp_path):
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    pids = dispatch(meet, [(one, other), (other, one)], way, 2)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids


def test_ways_are_checked(monkeypatch):
    with pytest.raises(UserError, match="one of"):
        pick_way("fax", 1)
    with pytest.raises(UserError, match="worker"):
        pick_way("local", 0)
    monkeypatch.setattr("recam_core.experiments.dispatch.ray_is_installed", lambda: False)
    with pytest.raises(UserError, match="not installed"):
        pick_way("ray", 2)
    assert pick_way("auto", 1) == "one"
    assert pick_way("auto", 2) == "local"


def grid_of(started: tuple[Path, str], x: Axis, y: Axis, base: Recipe, **more: int) -> FullGrid:
    folder, spec = started
    return FullGrid(folder / "bce", spec, protocol_for(spec), x, y, "small", base, **more)


def test_at_lambda_0_the_maps_are_those_of_fc1(started, base, tmp_path):
    x, y = full_axis("lambda", ["0", "1"]), full_axis("rule", ["fc1", "fc2", "product"])
    plan = grid_of(started, x, y, base).plan(tmp_path)
    assert {setting.label: rule for setting, (_, rule) in zip(plan.settings, plan.wanted, strict=True)} == {
        f"lambda {weight}, rule {rule}": rule if weight else "fc1"
        for rule in ("fc1", "fc2", "product")
        for weight in (0, 1)
    }
    assert all(recipe.rule == "fc1" for one in plan.settings for recipe in one.recipes if recipe.weight == 0)
    assert [(task.training.recipe.weight, task.rules) for task in plan.tasks[1:]] == [
        (0, ("fc1",)),
        (1, ("fc1", "fc2", "product")),
    ]


def test_a_grid_of_trainings_by_two_workers(started, base, tmp_path):
    x, y = full_axis("mask", ["none", "soft"]), full_axis("rule", ["fc2", "sum"])
    grid = grid_of(started, x, y, base, threads=1, workers=2)
    plan = grid.plan(tmp_path)
    assert len(plan.tasks) == 3, "points that differ in the rule alone share a training"
    found = full_grid(grid, tmp_path, "local")
    assert [heat.part for heat in found.chart.heats] == ["select", "report"]
    assert len(found.rows) == 2 * (1 + 4)
    assert found.exact
    for one in found.settings:
        info = read_info(one.runs[0])
        assert info.recipe["mask"] == one.setting.values["mask"]
        assert info.data.endswith(".fit")
    # The same by hand.
    chosen = found.setting("mask soft, rule sum")
    again = carry_out(plan.tasks[2])["sum"]
    assert np.array_equal(again[1].scores.confusion, chosen.report[0].scores.confusion)
    assert chosen.report[0].scores.threshold == chosen.select[0].scores.threshold

    # What is kept on disk shows the same, also after the folder was moved.
    (tmp_path / "moved").mkdir()
    shutil.copy(tmp_path / RESULT_FILE, tmp_path / "moved")
    kept, scored = read_result(tmp_path / "moved")
    assert json.dumps(kept.to_json()) == json.dumps(found.to_json())
    assert scored == tuple(open_dataset(found.protocol.report).ids)
    assert kept.setting(chosen.label).runs == (str(tmp_path / "moved" / Path(chosen.runs[0]).name),)
    assert picture_changes(kept.setting(chosen.label).report[0], kept.reference.report[0]) == pytest.approx(
        picture_changes(chosen.report[0], found.reference.report[0]), nan_ok=True
    )
    for name, damaged in (("classes", 3), ("settings", [{}]), ("pictures", {}), ("chart", {"heats": 1})):
        values = json.loads((tmp_path / RESULT_FILE).read_text()) | {name: damaged}
        (tmp_path / "moved" / RESULT_FILE).write_text(json.dumps(values))
        with pytest.raises(UserError, match="damaged"):
            read_result(tmp_path / "moved")
    with pytest.raises(UserError, match="no result"):
        read_result(tmp_path / "nowhere")
    # How far each is, is known from outside.
    assert [task_progress(task) for task in plan.tasks] == [("scoring", 1.0)] * 3


def test_scores_of_other_weights_or_parts_do_not_count(started, tmp_path):
    folder, spec = started
    protocol = protocol_for(spec)
    grid = grid_of(started, full_axis("lambda", ["1"]), full_axis("rule", ["sum"]), preset("recam", "small"))
    plan = grid.plan(tmp_path)
    own, info = plan.tasks[0], read_info(folder / "bce")
    found = carry_out(own)
    asked = (own.scores, info.weights_sha256, protocol, info.class_list)
    assert np.array_equal(read_scores(*asked)["fc1"][1].scores.confusion, found["fc1"][1].scores.confusion)
    assert read_scores(own.scores, "0" * 64, protocol, info.class_list) == {}
    other = dataclasses.replace(protocol, report=protocol.select)
    assert read_scores(own.scores, info.weights_sha256, other, info.class_list) == {}
    for wrong in ('"pictures": 1', '"pictures": "x"'):
        text = re.sub(r'"pictures": \d+', wrong, own.scores.read_text())
        own.scores.write_text(text)
        assert read_scores(*asked) == {}


def test_the_cost_is_that_of_all_steps_and_pictures(started, base, tmp_path):
    folder, spec = started
    x, y = full_axis("epochs", ["1", "3"]), full_axis("rule", ["fc2", "sum"])
    plan = grid_of(started, x, y, base).plan(tmp_path)
    pictures, speed = {"fit": 10, "select": 4, "report": 6}, Speed(2.0, 3.0)
    each = [task_seconds(task, pictures, speed) for task in plan.tasks]
    assert [seconds["training"] for seconds in each] == [0, 20, 60]
    assert {seconds["scoring"] for seconds in each} == {30}
    assert seconds_done(plan.tasks, each) == 0
    ProgressFile(plan.tasks[1].progress)("training", 1, 4)
    assert seconds_done(plan.tasks, each) == 5
    measured = measure_speed(str(folder / "bce"), open_dataset(spec), base)
    assert measured.train > 0
    assert measured.score > 0


def test_progress_is_written_at_once_and_then_now_and_then(tmp_path):
    file = tmp_path / "deep" / "one.json"
    assert read_progress(file) == ("", 0.0)
    tell = ProgressFile(file)
    tell("training", 1, 4)
    tell("training", 2, 4)
    assert read_progress(file) == ("training", 0.25)
    tell("scoring", 0, 0)
    assert read_progress(file) == ("scoring", 0.0)
    file.write_text("[]")
    assert read_progress(file) == ("", 0.0)


def test_a_worker_does_not_outlive_a_parent_that_is_killed(tmp_path, repo_root):
    code = (
        "import sys\n"
        "from dispatch_tasks import note\n"
        "from recam_core.experiments.dispatch import dispatch\n"
        "if __name__ == '__main__':\n"
        "    dispatch(note, [sys.argv[1]], 'local', 1)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    path = os.pathsep.join([str(repo_root), str(repo_root / "tests")])
    note = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), str(note)], env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        deadline = time.monotonic() + 120
        while not note.exists() or not note.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(parent.pid, signal.SIGKILL)
    worker = int(note.read_text())
    while process_start(worker) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_finished_trainings_are_not_made_again(started, base, tmp_path, monkeypatch):
    x, y = full_axis("lambda", ["0.1", "1"]), full_axis("rule", ["sum"])
    grid = grid_of(started, x, y, base)
    first = full_grid(grid, tmp_path, "one")
    made = {file.parent: file.stat().st_mtime_ns for file in tmp_path.glob(f"*/{INFO_FILE}")}
    assert len(made) == 2
    monkeypatch.setattr("recam_core.experiments.full_training.train", lambda *a, **k: pytest.fail("trained again"))
    monkeypatch.setattr("recam_core.experiments.full_training.count_exact", lambda *a, **k: pytest.fail("scored again"))
    second = full_grid(grid, tmp_path, "one")
    assert first.rows[1]["miou"] == second.rows[1]["miou"]
    # A result of before there were versions opens as it did.
    result = json.loads((tmp_path / RESULT_FILE).read_text())
    assert result.pop("version") == 1
    (tmp_path / RESULT_FILE).write_text(json.dumps(result))
    assert read_result(tmp_path)[0].sentence == first.sentence
    assert {path: (path / INFO_FILE).stat().st_mtime_ns for path in made} == made
    assert load_run(next(iter(made))).network.fc2 is not None


def test_settings_that_cannot_work_are_refused(started, base, tmp_path):
    with pytest.raises(UserError, match="cannot vary"):
        full_axis("colour")
    with pytest.raises(UserError, match="not a value"):
        full_axis("lambda", ["much"])
    with pytest.raises(UserError, match="twice"):
        full_axis("lambda", ["1", "1.0"])
    with pytest.raises(UserError, match="rule"):
        full_axis("rule", ["best"])
    axis = full_axis("lambda", ["1"])
    with pytest.raises(UserError, match="two different"):
        grid_of(started, axis, axis, base).plan(tmp_path)
    with pytest.raises(UserError, match="recam"):
        grid_of(started, axis, full_axis("rule"), preset("bce", "small")).plan(tmp_path)


def test_a_grid_of_trainings_from_the_command_line(started, tmp_path, capsys):
    folder, spec = started
    options = ["--x", "lambda", "1", "--y", "rule", "fc2", "sum", "--epochs", "1", "--folder", str(tmp_path / "runs")]
    assert main(["experiment", "full", str(folder / "bce"), "--data", spec, *options]) == 0
    printed = capsys.readouterr().out
    assert "1 trainings" not in printed
    assert "lambda 1, rule sum" in printed
    assert len(list((tmp_path / "runs").glob(f"*/{INFO_FILE}"))) == 1
    for wrong, words in [
        (["--workers", "0"], "worker"),
        (["--epochs", "0"], "epochs"),
        (["--x", "loss"], "cannot vary"),
    ]:
        assert main(["experiment", "full", str(folder / "bce"), "--data", spec, *options, *wrong]) == 2
        assert words in capsys.readouterr().err
