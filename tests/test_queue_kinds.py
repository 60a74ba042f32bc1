"""What the queue carries besides trainings: commands in processes of their own, which say how far they are."""

import dataclasses
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from recam_core.checkpoint.run_folder import read_info
from recam_core.cli.options import check_out
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.guest import NO_TRAININGS, NOT_SHOWN, Guest, serving
from recam_core.lock import holding, try_lock
from recam_core.progress import PIPE, Cancelled, listener, silent
from recam_core.queue import kinds, trainer
from recam_core.queue.job import CANCEL_FILE, KindName, TrainingJob, new_id, read_job, write_job
from recam_core.queue.kept_runs import keep_runs_of_pipeline
from recam_core.queue.kinds import KINDS
from recam_core.queue.listing import find_training, list_trainings, trainings_folder
from recam_core.queue.reporter import Reporter
from recam_core.queue.reserved import is_finished, owner, reserve
from recam_core.queue.start_step import boundaries_step, masks_step, network_step, pipeline_step, start_step
from recam_core.queue.status import read_status
from recam_core.queue.stop import cancel_training, remove_training
from recam_core.queue.waiting import device_lock
from tiny_recipe import TRAIN, VAL


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of runs and of data; whatever still works at the end is stopped."""
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RECAM_DATA", str(tmp_path / "data"))
    yield tmp_path
    for training in list_trainings():
        if training.is_live:
            cancel_training(training.id, grace=0)


@pytest.fixture
def run(repo_root: Path) -> Path:
    return repo_root / "assets" / "checkpoints" / "scenes" / "bce"


# The process of a command ---------------------------------------------------------------------------------------------


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Instead of this program's commands: Python source, which finds ``out`` behind it."""
    head = "import json, pathlib, sys, time\nfrom recam_core.progress import *\nfrom recam_core.errors import *\n"
    head += "out = pathlib.Path(sys.argv[2])\n"
    monkeypatch.setattr(kinds, "PROGRAM", (sys.executable, "-c", f"{head}exec(sys.argv[1])"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def queued(folder: Path, kind: KindName, source: str) -> Path:
    """A job in the queue that nothing works on yet."""
    out = folder / kind
    job = TrainingJob(
        new_id(), {}, TRAIN, "", "", str(out), "cpu", str(folder), "x", kind=kind, words=(source, str(out))
    )
    place = folder / ".trainings" / job.id
    reserve(out, job.id)
    write_job(place, job)
    return place


def heard(monkeypatch: pytest.MonkeyPatch, cancel_at: str = "") -> list[dict]:
    """What reaches the status; the job is cancelled when it does what ``cancel_at`` says."""
    told, update = [], Reporter.update

    def listen(self: Reporter, **changes: object) -> None:
        told.append(changes)
        if cancel_at and changes.get("doing") == cancel_at:
            (self.folder / CANCEL_FILE).touch()
        update(self, **changes)

    monkeypatch.setattr(Reporter, "update", listen)
    return told


TWO_PARTS = """
with terminal("reading scenes@train") as bar: bar(5, 5, "")
with terminal("labels") as bar:
    for done in (1, 2): bar(done, 2, "note")
with terminal("boundaries") as bar, terminal("labels") as another:
    bar(1, 9, ""), another(1, 7, "")
(out / "boundaries.json").write_text("{}")
sys.exit(LEFT_OUT)
"""


def test_a_command_says_how_far_it_is_by_its_bars(tmp_path: Path, program: None, monkeypatch) -> None:
    place, told = queued(tmp_path, "boundaries", TWO_PARTS), heard(monkeypatch)
    assert trainer.main(place) == 0
    steps = [(one["doing"], one["step"], one["steps"]) for one in told if "step" in one]
    labels, learning = "Labels from the seeds, picture", "Learning boundaries, batch"
    assert steps.pop(0) == ("Looking for pictures that cannot be read, picture", 5, 5)
    assert steps == [(labels, 1, 2), (labels, 2, 2), (learning, 1, 9)]
    assert read_status(place).state == "done"
    assert not owner(tmp_path / "boundaries")
    assert is_finished(tmp_path / "boundaries")
    told.clear()
    assert trainer.main(place) == 0  # it is there
    assert not [one for one in told if "step" in one]


FOR_EVER = """
if (out / "half").exists():
    (out / "segment.json").write_text("{}"), sys.exit()
(out / "half").touch()
try:
    with terminal("segment") as bar:
        while True: bar(1, 2), time.sleep(0.02)
except Cancelled:
    (out / "stopped").touch()
"""


def test_a_command_is_cancelled_at_its_next_step_and_goes_on_when_resumed(tmp_path, program, monkeypatch) -> None:
    place, told = queued(tmp_path, "network", FOR_EVER), heard(monkeypatch, "Training the network, batch")
    assert trainer.main(place) == 1
    assert read_status(place).state == "cancelled"
    assert (tmp_path / "network" / "stopped").exists(), "it was left to itself"
    assert told
    assert owner(tmp_path / "network"), "its folder is still taken"
    (place / CANCEL_FILE).unlink()
    assert trainer.main(place) == 0


DEAF = """
end_with_listener(0.2)
with terminal("segment") as bar: bar(1, 2)
time.sleep(240)
"""


def test_a_command_in_the_middle_of_a_long_step_ends_soon_when_nobody_hears_it(tmp_path, program, monkeypatch) -> None:
    place, began = queued(tmp_path, "network", DEAF), time.monotonic()
    heard(monkeypatch, "Training the network, batch")
    assert trainer.main(place) == 1
    assert read_status(place).state == "cancelled"
    assert time.monotonic() - began < 200


def test_a_command_of_the_queue_may_write_to_the_folder_that_the_queue_keeps_for_it(places, monkeypatch) -> None:
    out = places / "runs" / "mine"
    queued(places / "runs", "masks", "")
    os.rename(places / "runs" / "masks", out)
    job = read_job(next((places / "runs" / ".trainings").iterdir()))
    write_job(places / "runs" / ".trainings" / job.id, dataclasses.replace(job, out=str(out)))
    with pytest.raises(UserError, match="belongs to a training in the queue"):
        check_out(out)
    monkeypatch.setenv(PIPE, "pipe")
    check_out(out)


STEPS = """
tell = listener("steps")
for done, name in enumerate(("train-bce", "masks-bce")):
    tell(done, 2, name)
    with terminal("bce") as bar: bar(1, 3)
(out / "found.json").write_text('{"rows": []}')
"""


def test_a_pipeline_tells_its_steps_and_keeps_its_runs(places: Path, run: Path, program: None, monkeypatch) -> None:
    place, told = queued(places, "pipeline", STEPS), heard(monkeypatch)
    out = places / "pipeline"
    shutil.copytree(run, out / "bce")
    assert trainer.main(place) == 0
    done = [(one["doing"], one["epoch"], one["epochs"]) for one in told if "epochs" in one]
    assert done == [("Step 1 of 2, train-bce: Starting", 0, 2), ("Step 2 of 2, masks-bce: Starting", 1, 2)]
    assert "Step 2 of 2, masks-bce: batch" in [one["doing"] for one in told if "doing" in one]
    assert read_info(places / "runs" / "pipeline-bce").weights_sha256 == read_info(run).weights_sha256
    assert read_info(places / "runs" / "pipeline-bce").name == "pipeline-bce"
    assert (out / KINDS["pipeline"].result).is_file()
    assert list(keep_runs_of_pipeline(out)) == [], "kept once"
    (places / "runs" / "pipeline-bce" / "run.json").unlink()  # the name of something else
    (words,) = keep_runs_of_pipeline(out)
    assert "stays in" in words


def test_who_works_for_nobody_tells_nobody_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener("x") is silent
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv(PIPE, str(pipe))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    tell = listener("\U0001f600" * 999)
    for done in range(200):  # more than the pipe holds: what nobody reads in time is lost, and nothing waits for it
        tell(done, 200, "\U0001f600" * 999)
    lines = [json.loads(line) for line in os.read(reader, 1 << 16).splitlines()]
    assert [line[1] for line in lines] == list(range(len(lines)))
    assert 10 < len(lines) < 200
    os.close(reader)
    with pytest.raises(Cancelled):
        tell(1, 2)


def test_the_names_in_records_are_those_of_the_table() -> None:
    assert set(get_args(KindName)) == set(KINDS)


# Starting -------------------------------------------------------------------------------------------------------------


def until_over(number: str) -> None:
    deadline = time.monotonic() + 240
    while find_training(number).is_live:
        assert time.monotonic() < deadline, find_training(number)
        time.sleep(0.05)


@pytest.mark.slow
def test_masks_of_the_queue_open_as_a_data_set(places: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places)  # the program is found from anywhere
    step = masks_step(run, TRAIN, way="direct", finish="none", threshold=0.4)
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        made = start_step(step, "mine", device="cpu")
        assert (made.state, made.out) == ("waiting", places / "data" / "mine")
        network = network_step(
            f"voc:{places}/data/mine@train", masks=made.out, preset="small", network="lite0", steps=1
        )
        with pytest.raises(UserError, match="mine"):
            start_step(network, "network", device="cpu")  # its pictures are not there yet
    until_over(made.id)
    made = find_training(made.id)
    assert made.state == "done", made.log_tail()
    found = open_dataset(f"voc:{made.out}@train")
    assert len(found) == 6
    assert all(found.mask(index) is not None for index in range(6))
    remove_training(made.id)
    assert is_finished(made.out), "what was made stays"


@pytest.mark.slow
def test_a_command_that_fails_says_why(places: Path, run: Path) -> None:
    (places / "runs").mkdir()
    shutil.copytree(run, places / "runs" / "mine")
    step = boundaries_step(
        places / "runs" / "mine", TRAIN, foreground=0.4, background=0.3, finish="none", preset="small", epochs=1
    )
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        failed = start_step(step, "edges", device="cpu")
        # Others wait for what it is to make, and may be asked for before it is there.
        masks = masks_step(step.run, TRAIN, way="irn", finish="none", threshold=0.4, boundaries=failed.out)
        behind = start_step(masks, "masks", device="cpu")
        assert behind.status.awaits == "edges"
        (places / "runs" / "mine" / "model.safetensors").write_bytes(b"no weights")
    until_over(failed.id)
    failed = find_training(failed.id)
    assert failed.state == "failed"
    assert "model.safetensors" in failed.status.message
    assert "error:" not in failed.status.message
    until_over(behind.id)
    assert "edges" in find_training(behind.id).status.message
    remove_training(failed.id)
    assert not failed.out.exists()


def test_a_command_line_says_the_same(places: Path, run: Path) -> None:
    from recam_core.cli.main import build_parser

    parser = build_parser()
    edges = places / "runs" / "edges"
    learn = boundaries_step(run, TRAIN, foreground=0.42, background=0.2, finish="pamr", preset="small", epochs=2)
    asked = parser.parse_args([*learn.words, "--out=x"])
    assert (asked.foreground, asked.background, asked.epochs, asked.run_folder) == (0.42, 0.2, 2, run)
    masks = masks_step(run, TRAIN, way="irn", finish="pamr", boundaries=edges, select=VAL, beside_seeds=True)
    asked = parser.parse_args([*masks.words, "--out=x"])
    assert (asked.way, asked.finish, asked.select) == (["direct", "irn"], ["none", "pamr"], VAL)
    assert (asked.boundaries, asked.with_pictures) == (edges, True)
    network = network_step(TRAIN, masks=edges, preset="small", network="lite0", steps=7)
    assert parser.parse_args([*network.words, "--out=x"]).steps == 7
    whole = pipeline_step(TRAIN, preset="small", select="", val=VAL)
    asked = parser.parse_args([*whole.words, "--out=x"])
    assert (asked.select, asked.val, asked.preset) == (None, VAL, "small")
    assert (asked.rule, asked.way, asked.finish) == (None, "irn", "pamr")
    other = pipeline_step(TRAIN, preset="small", select="", val="", rule="softmax", way="direct", finish="none")
    asked = parser.parse_args([*other.words, "--out=x"])
    assert (asked.rule, asked.way, asked.finish) == ("softmax", "direct", "none")
    assert "--out data/mine" in masks.command("mine") or f"--out {places}/data/mine" in masks.command("mine")
    # What somebody types as the name of a data set cannot become an option.
    hostile = pipeline_step("--out=/elsewhere", preset="small", select="", val="")
    assert parser.parse_args([*hostile.words, "--out=x"]).out == Path("x")


def refuse(data: Dataset) -> None:
    raise UserError("not with these data")


def test_what_cannot_work_is_refused_and_leaves_nothing(places: Path, run: Path) -> None:
    direct = masks_step(run, TRAIN, way="direct", finish="none", threshold=0.4)
    (places / "data" / "taken").mkdir(parents=True)
    (places / "runs" / "name-bce").mkdir(parents=True)
    for step, name, match in (
        (direct, "../x", "cannot be the name"),
        (direct, "taken", "already"),
        (dataclasses.replace(direct, data="voc:/nowhere@train"), "new", "no folder"),
        (dataclasses.replace(direct, data="gallery"), "new", "are not those of the run bce"),
        (dataclasses.replace(direct, run=places / "nowhere"), "new", "no run folder"),
        (dataclasses.replace(direct, scored=("gallery",)), "new", "The classes of gallery are not"),
        (dataclasses.replace(direct, needs=(places / "runs" / "edges",)), "new", "nothing in the queue makes it"),
        (pipeline_step(TRAIN, preset="small", select=VAL, val=""), "name", "name-bce"),
        (dataclasses.replace(direct, check=refuse), "new", "not with these data"),
    ):
        with pytest.raises(UserError, match=match):
            start_step(step, name, device="cpu")
    assert [path.name for path in (places / "data").iterdir()] == ["taken"]
    assert list_trainings() == []


def test_visitors_start_none_unless_they_may_and_read_nobody_elses(places: Path, run: Path) -> None:
    step = masks_step(run, TRAIN, way="direct", finish="none", threshold=0.4)
    ann = Guest("a" * 16, places / "ann")
    with serving(ann), pytest.raises(UserError) as error:
        start_step(step, "mine")
    assert str(error.value) == NO_TRAININGS
    may = dataclasses.replace(ann, may_train=True)
    elsewhere = dataclasses.replace(step, needs=(places / "runs" / "edges",))
    with serving(may), pytest.raises(UserError) as error:
        start_step(elsewhere, "mine")
    assert str(error.value) == NOT_SHOWN
    assert not ann.folder.exists()


def test_the_command_line_puts_a_step_into_the_queue(places: Path, run: Path, capsys: pytest.CaptureFixture) -> None:
    from recam_core.cli.main import main

    start = ["trainings", "start"]
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        words = ["masks", str(run), "--data", TRAIN, "--threshold", "0.4", "--out", "mine", "--device", "cpu"]
        assert main([*start, *words]) == 0
        (made,) = list_trainings()
        job = read_job(made.folder)
        assert (job.kind, job.needs, made.out) == ("masks", (), places / "data" / "mine")
        kept = (*words[:6], "--with-pictures", f"--out={made.out}", "--device=cpu")
        assert job.words == kept
        assert main(["trainings", "list"]) == 0
        assert f"masks {made.out}" in capsys.readouterr().out
        for more, match in (
            (["segment", "eval", "x", "--data", TRAIN], "segment train"),
            ([*words[:4], "--json", "x", "--out", "b"], "--json"),
            ([*words[:4]], "--out NAME"),
            ([*words[:4], "--out", str(places / "elsewhere" / "b")], "The queue writes these to"),
            (["pipeline", "--data", "scenes:stuff=1@val", "--rule", "no_cam-fc1", "--out", "b"], "no extraction rule"),
            (["pipeline", "--data", "scenes:stuff=1@val", "--seed", "-1", "--out", "b"], "The seed is 0 or more"),
        ):
            assert main([*start, *more]) == 2
            assert match in capsys.readouterr().err
        # What is asked for may hold the sign between an option and its value, or be a number.
        whole = ["pipeline", "--preset", "small", "--data", "scenes:stuff=1@val", "--seed=3", "--out", "whole"]
        assert main([*start, *whole, "--device", "cpu"]) == 0
        (whole_one,) = [one for one in list_trainings() if one.job.kind == "pipeline"]
        assert "--seed=3" in whole_one.job.words or "3" in whole_one.job.words
        cancel_training(whole_one.id)
        cancel_training(made.id)
