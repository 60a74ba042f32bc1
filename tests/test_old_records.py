"""Records as earlier versions of the program wrote them: they open, and say what they said."""

import json
from pathlib import Path

import pytest

from recam_core.checkpoint.run_folder import read_info
from recam_core.queue.job import GridRequest, read_job
from recam_core.queue.kept_grids import list_grids
from recam_core.queue.listing import grids_folder
from recam_core.queue.status import Losses, read_status
from recam_core.records import RecordError
from recam_core.runs.repeat import recorded_recipe

RUN = {
    "name": "mine", "method": "bce", "rule": "fc1",
    "network": {"backbone": "timm:resnet18", "output_stride": 16, "num_classes": 2, "channels": 512,
                "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "has_fc2": False, "background_row": False},
    "classes": ["cat", "dog"], "has_background": True, "data": "folder:pets@train",
    "recipe": {"backbone": "timm:resnet18", "output_stride": 16, "weights": "none", "epochs": 1, "batch_size": 2,
               "optimizer": "sgd", "crop": 64, "resize_long": [64, 96], "jitter": [0.3, 0.3, 0.3], "seed": 0},
    "seed": 0, "threshold": 0.3, "parent": None, "parent_sha256": None,
    "command": "python -m recam_core train bce --data folder:pets@train --val folder:pets@val --out runs/mine",
    "scores": {}, "versions": {"torch": "2.14.1"}, "created": "2026-11-01T00:00:00+00:00", "weights_sha256": "0" * 64,
    "format_version": 2,
}  # fmt: skip
NUMBER = "20261101-120000-abcdef"
JOB = {
    "id": NUMBER, "recipe": {"method": "recam", "epochs": 2}, "data": "scenes@train", "val": "", "init": "/r/bce",
    "out": "/r/.grids/x", "device": "cpu", "folder": "/r", "command": "python -m recam_core experiment full",
    "half": False, "workers": None, "created": 1761998400.5, "visitor": "", "address": "",
    "grid": {"x": ["lambda", "0.1", "1.0"], "y": ["rule", "fc2"], "preset": "small", "report": "scenes@val",
             "seeds": [0], "workers": 1, "by": "auto", "train": 0.25, "score": 1},
}  # fmt: skip
STATUS = {
    "state": "done", "doing": "", "pid": 12, "process_start": "x-1", "host": "here", "queued": 1761998400.5, "began": 0,
    "updated": 1761998401.0, "ended": 1761998402, "step": 2, "steps": 2, "epoch": 1, "epochs": 1, "seconds_left": None,
    "losses": {"names": ["loss"], "points": [[1, 0.5], [2, 0.25]], "stride": 1}, "message": "", "awaits": "",
}  # fmt: skip
GRID = {
    "init": "/r/bce",
    "weights_sha256": "1" * 64,
    "data": "scenes@train",
    "x": "lambda",
    "y": "rule",
    "command": "c",
}


def write(file: Path, values: dict) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))
    return file.parent


@pytest.mark.parametrize(
    ("command", "weights", "val", "init", "imagenet"),
    [
        (RUN["command"], "none", "folder:pets@val", "", "none"),
        ("python -m recam_core train sce --val=a --init runs/bce --out o", "run bce", "a", "runs/bce", ""),
        (
            "python -m recam_core retrain 'my runs/bce' --update fc2",
            "package x",
            "",
            "my runs/bce",
            "packaged",
        ),
        ("python -m recam_core train --weights w.pth --out o", "file w.pth", "", "", "w.pth"),
        ("recam train --out 'o", "timm x", "", "", "download"),
    ],
)
def test_a_run_says_by_its_command_what_it_watched_and_started_from(
    tmp_path: Path, command: str, weights: str, val: str, init: str, imagenet: str
) -> None:
    recipe = {**RUN["recipe"], "weights": weights}
    info = read_info(write(tmp_path / "run.json", {**RUN, "command": command, "recipe": recipe}))
    assert (info.val, info.init, info.imagenet) == (val, init, imagenet)


def test_what_a_record_says_itself_counts_more_than_its_command(tmp_path: Path) -> None:
    said = {"val": "folder:other@val", "init": "runs/other", "imagenet": "packaged"}
    info = read_info(write(tmp_path / "run.json", {**RUN, **said}))
    assert (info.val, info.init, info.imagenet) == tuple(said.values())
    assert recorded_recipe(info).weights == "packaged"


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_the_queue_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: dict) -> None:
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path))
    job = read_job(write(tmp_path / NUMBER / "job.json", {**JOB, **version}))
    assert job.grid == GridRequest(
        ("lambda", "0.1", "1.0"), ("rule", "fc2"), "small", "scenes@val", (0,), 1, "auto", 0.25, 1
    )
    assert (job.workers, job.created, job.kind) == (None, 1761998400.5, "grid")
    single = {name: value for name, value in JOB.items() if name != "grid"}
    assert read_job(write(tmp_path / "1" / NUMBER / "job.json", {**single, **version})).kind == "training"
    status = read_status(write(tmp_path / "status.json", {**STATUS, **version}))
    assert status is not None
    assert (status.ended, status.losses) == (1761998402, Losses(["loss"], [[1, 0.5], [2, 0.25]], 1))
    waiting = {**STATUS, **version, "losses": {}}
    assert read_status(write(tmp_path / "status.json", waiting)).losses == Losses()
    write(grids_folder() / "x" / "result.json", {})
    write(grids_folder() / "x" / "grid.json", {**GRID, **version})
    (grid,) = list_grids()
    assert (grid.asked.x, grid.asked.y, grid.asked.data) == ("lambda", "rule", "scenes@train")


def test_one_that_a_newer_version_wrote_is_not_taken_for_damaged(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"is of format version 9; this program reads 0 to 2\.$"):
        read_job(write(tmp_path / NUMBER / "job.json", {**JOB, "version": 9}))
    with pytest.raises(RecordError, match=r"is of format version 9; this program reads 1 to 2\.$"):
        read_info(write(tmp_path / "run.json", {**RUN, "format_version": 9}))
    assert read_status(write(tmp_path / "status.json", {**STATUS, "version": 9})) is None
