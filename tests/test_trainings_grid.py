"""Grids of full trainings in the queue: processes that may be killed, and go on with what is left to do."""

import dataclasses
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.axes import full_axis
from recam_core.experiments.full_grid import FullGrid
from recam_core.experiments.kept_result import RESULT_FILE, read_result
from recam_core.experiments.protocol import protocol_for
from recam_core.lock import holding, try_lock
from recam_core.queue.job import GridRequest
from recam_core.queue.listing import Training, find_training, grids_folder, list_trainings, trainings_folder
from recam_core.queue.start import resume_training
from recam_core.queue.start_grid import grid_cost, grid_of, start_grid
from recam_core.queue.status import write_status
from recam_core.queue.stop import cancel_training, remove_training
from recam_core.queue.waiting import device_lock
from recam_core.records import as_kind
from recam_core.train.loop import train
from recam_core.train.recipe import preset

DATA = "scenes:size=64,train=10,val=2@train"
SMALL = {"weights": "none", "batch_size": 4, "crop": 48, "resize_long": (40, 56)}


@pytest.fixture(scope="module")
def bce(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to start from."""
    out = tmp_path_factory.mktemp("start") / "bce"
    recipe = dataclasses.replace(
        preset("bce", "small"), backbone="timm:resnet10t", epochs=1, lr_backbone=1e-3, lr_fc1=1e-2, **SMALL
    )
    train(recipe, open_dataset(DATA), out)
    return out


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of runs; whatever still trains in it at the end is stopped."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("RECAM_RUNS", str(folder))
    yield folder
    for training in list_trainings():
        if training.is_live:
            cancel_training(training.id, grace=0)


@pytest.fixture
def question(bce: Path) -> FullGrid:
    base = dataclasses.replace(preset("recam", "small"), epochs=1, **SMALL)
    x, y = full_axis("lambda", ["0.1", "1"]), full_axis("rule", ["fc2", "sum"])
    return FullGrid(bce, DATA, protocol_for(DATA), x, y, "small", base)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}: {[t.status for t in list_trainings()]}"
        time.sleep(0.05)


def records(grid: Training) -> dict[str, int]:
    """The finished runs of a grid, with the time of each."""
    return {file.parent.name: file.stat().st_mtime_ns for file in grid.out.glob("*/run.json")}


@pytest.mark.slow
def test_a_killed_grid_goes_on_with_what_is_left(runs: Path, question: FullGrid) -> None:
    grid = start_grid(question)
    wait_for(lambda: len(records(find_training(grid.id))) == 1, "the first training")
    os.kill(find_training(grid.id).status.pid, signal.SIGKILL)
    wait_for(lambda: find_training(grid.id).state == "killed", "the kill to show")
    before = records(grid)
    assert find_training(grid.id).can_resume
    resume_training(grid.id)
    wait_for(lambda: not find_training(grid.id).is_live, "the end")
    done = find_training(grid.id)
    assert done.state == "done", done.status.message
    after = records(grid)
    assert len(after) == 2
    assert {name: after[name] for name in before} == before, "a finished training was made again"
    assert (done.status.epoch, done.status.epochs) == (2, 2)
    assert not list(grid.out.rglob(".*.tmp"))
    found, scored = read_result(grid.out)
    assert [one.label for one in found.settings] == [
        "lambda 0.1, rule fc2", "lambda 1, rule fc2", "lambda 0.1, rule sum", "lambda 1, rule sum"
    ]  # fmt: skip
    assert len(scored) == 2
    # Each run tells the command that makes it again.
    record = json.loads((Path(found.settings[0].runs[0]) / "run.json").read_text())
    assert record["command"].startswith("python -m recam_core train recam --preset small")
    # The finished grid stays when it is taken off the queue.
    remove_training(grid.id)
    assert (grid.out / RESULT_FILE).is_file()
    assert list_trainings() == []


def test_a_waiting_grid_is_cancelled_resumed_and_removed(runs: Path, question: FullGrid) -> None:
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        grid = start_grid(question)
        assert (grid.state, grid.job.method, grid.job.data) == ("waiting", "recam", DATA)
        assert grid.out.parent == grids_folder()
        assert grid_of(grid.job) == question
        assert cancel_training(grid.id).state == "cancelled"
        assert "finished trainings are kept" in find_training(grid.id).log_tail()
        # What was finished before stays finished, also if the next process is stopped before it has looked.
        write_status(grid.folder, dataclasses.replace(find_training(grid.id).status, epoch=1, epochs=2))
        assert resume_training(grid.id).state == "waiting"
        again = cancel_training(grid.id)
        assert (again.state, again.status.epoch, again.status.epochs) == ("cancelled", 1, 2)
        remove_training(grid.id)
    assert not grid.out.exists()
    assert list_trainings() == []


def test_what_cannot_work_is_refused_and_leaves_nothing(runs: Path, question: FullGrid) -> None:
    for changes, match in (
        ({"x": question.y}, "two different"),
        ({"device": "cuda:99"}, "offers no device"),
        ({"by": "fax"}, "one of"),
        ({"workers": 0}, "worker"),
        ({"init": Path("nowhere")}, "no run folder"),
        ({"protocol": dataclasses.replace(question.protocol, report="gallery")}, "different classes"),
    ):
        with pytest.raises(UserError, match=match):
            start_grid(dataclasses.replace(question, **changes))
    assert list_trainings() == []
    assert not grids_folder().exists()


def test_the_cost_counts_trainings_that_points_share(runs: Path, question: FullGrid) -> None:
    cost = grid_cost(question)
    assert cost.trainings == 2
    more = dataclasses.replace(question, seeds=(0, 1))
    assert grid_cost(more, cost.speed).trainings == 4
    assert grid_cost(more, cost.speed).seconds > cost.seconds


@pytest.mark.parametrize("values", [{}, {"x": []}, {"x": ["lambda"], "y": ["rule"], "seeds": "a"}, {"x": 3}])
def test_a_damaged_request_is_a_sentence(values: dict) -> None:
    with pytest.raises(ValueError, match=r"it lacks|of another kind"):
        as_kind(values, GridRequest)


def test_the_queue_from_the_command_line(runs: Path, bce: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["experiment", "full", str(bce), "--data", DATA, "--x", "lambda", "1", "--y", "rule", "sum"]
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        assert main([*words, "--queue", "--json", "x.json"]) == 2
        assert main([*words, "--queue", "--epochs", "1", "--device", "cpu"]) == 0
        assert "1 training, about" in capsys.readouterr().out
        (grid,) = list_trainings()
        assert f"--folder {grid.out}" in grid.job.command
        assert main(["trainings", "cancel", grid.job.name]) == 0
        assert main(["trainings", "remove", grid.job.name]) == 0
