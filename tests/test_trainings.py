"""The queue of full trainings: processes that outlive who started them, and may be killed at any moment."""

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kill_trainer import make_job
from recam_core.checkpoint.run_folder import load_run
from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.queue import listing, status, trainer
from recam_core.queue.job import CANCEL_FILE, check_id, new_id, read_job
from recam_core.queue.listing import Training, find_training, list_trainings, trainings_folder, writer_of
from recam_core.queue.reporter import MOST_POINTS, LossCurve, Reporter
from recam_core.queue.start import resume_training, start_training, training_command
from recam_core.queue.status import Losses, Status, read_status, true_state, write_status
from recam_core.queue.stop import cancel_training, remove_training
from recam_core.queue.waiting import ahead, device_lock
from recam_core.retrain.named_run import check_run_name
from recam_core.setting import settings
from recam_core.train.recipe import Recipe, preset, train_command
from tiny_recipe import RECIPE, TRAIN, VAL

LONG = dataclasses.replace(RECIPE, epochs=2000)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of runs; whatever still trains in it at the end is stopped."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("RECAM_RUNS", str(folder))
    yield folder
    for training in list_trainings():
        if training.is_live:
            cancel_training(training.id, grace=0)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}: {[t.status for t in list_trainings()]}"
        time.sleep(0.05)


def ended(training: Training) -> Training:
    """The training once it is over."""
    wait_for(lambda: not find_training(training.id).is_live, f"the end of {training.job.name}")
    return find_training(training.id)


def digest(run: Path) -> str:
    state = load_run(run).network.state_dict()
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()


# Killed at any moment -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_kills_leave_no_broken_run_and_change_no_weight(tmp_path: Path, repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tests/kill_trainer.py", str(tmp_path), "20"],
        cwd=repo_root,
        env={**os.environ, "PYTHONPATH": str(repo_root), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 20
    assert len({words.partition(" picture")[0] for words in found["doing"]}) >= 2, "the kills met one moment only"
    assert len(set(found["digests"])) == 1, "a killed training went on to other weights"
    assert len(found["digests"]) >= 2
    whole, *others = found["scores"]
    assert len(whole) == RECIPE.epochs
    assert None not in whole
    assert all(scores == pytest.approx(whole) for scores in others), "a killed training was scored in another way"
    assert found["left"] == []


def test_a_training_says_which_picture_it_scores_and_is_cancelled_there(tmp_path, monkeypatch) -> None:
    place, told, update = make_job(tmp_path, 0), [], Reporter.update
    scoring = "Scoring picture 2 of 2"

    def listen(self: Reporter, **changes: object) -> None:
        told.append(changes.get("doing"))
        if told[-1] == scoring and told.count(scoring) == 1:  # in the first epoch of the first try
            (place / CANCEL_FILE).touch()
        update(self, **changes)

    def curve() -> list[dict]:
        return json.loads((tmp_path / "run0" / "metrics.json").read_text())

    monkeypatch.setattr(Reporter, "update", listen)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert trainer.main(place) == 1
        assert read_status(place).state == "cancelled"
        assert len(curve()) == 1, "the trained epoch is kept"
        assert "val_loss" not in curve()[0]
        (place / CANCEL_FILE).unlink()
        assert trainer.main(place) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert read_status(place).state == "done"
    assert [("val_loss" in entry) for entry in curve()] == [True] * RECIPE.epochs
    assert told.count(scoring) == RECIPE.epochs + 1


@pytest.mark.slow
def test_two_sessions_at_once_a_killed_server_and_a_killed_trainer(runs: Path, repo_root: Path) -> None:
    """One journey, since each process takes seconds to load torch."""
    # A server starts a training and is killed, with all processes of its session.
    code = (
        "import os, dataclasses, time\n"
        "from test_trainings import LONG, TRAIN\n"
        "from recam_core.queue.start import start_training\n"
        "print(start_training(LONG, data=TRAIN, name='long', device='cpu').id, flush=True)\n"
        "time.sleep(600)\n"
    )
    path = os.pathsep.join([str(repo_root), str(repo_root / "tests")])
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=repo_root,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with server:
        training_id = server.stdout.readline().strip()
        os.killpg(server.pid, signal.SIGKILL)
    first = find_training(training_id)
    assert first.is_live

    # Two sessions at once: different names wait in turn, of one name only one session gets it.
    outcomes: list[Training | UserError] = []

    def session(name: str) -> None:
        try:
            outcomes.append(start_training(RECIPE, data=TRAIN, val=VAL, name=name, device="cpu"))
        except UserError as error:
            outcomes.append(error)

    sessions = [threading.Thread(target=session, args=(name,)) for name in ("same", "same", "other")]
    for thread in sessions:
        thread.start()
    for thread in sessions:
        thread.join()
    assert [str(error) for error in outcomes if isinstance(error, UserError)] == [
        "There is a run named 'same' already; choose another name."
    ]
    waiting = sorted((t for t in outcomes if isinstance(t, Training)), key=lambda t: t.status.queued)
    assert [t.id for t in list_trainings()] == [first.id, *(t.id for t in waiting)]
    with pytest.raises(UserError, match="already"):
        check_run_name("other", runs)  # neither can a head run take it meanwhile
    assert writer_of(runs / "other").job.name == "other"

    # The trainer is killed: it shows as that, its epochs stay, and the next one begins.
    wait_for(lambda: find_training(first.id).epochs(), "the first epoch")
    assert [t.state for t in list_trainings()] == ["running", "waiting", "waiting"]
    os.kill(find_training(first.id).status.pid, signal.SIGKILL)
    wait_for(lambda: find_training(first.id).state == "killed", "the kill to show")
    assert find_training(first.id).can_resume
    wait_for(lambda: find_training(waiting[0].id).state == "running", "the next one")

    # Resumed by two people at once, it lines up once, at the end.
    threads = [threading.Thread(target=_resume_quietly, args=(first.id,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert find_training(first.id).state == "waiting"
    for training in waiting:
        done = ended(training)
        assert (done.state, len(done.epochs())) == ("done", RECIPE.epochs)
        assert not (done.out / ".training").exists()
    assert digest(runs / "same") == digest(runs / "other")
    wait_for(lambda: find_training(first.id).state == "running", "its turn")
    before = len(find_training(first.id).epochs())
    wait_for(lambda: len(find_training(first.id).epochs()) > before, "an epoch more")

    # Cancelled, then removed: an unfinished run goes with it, a finished one stays.
    assert cancel_training(first.id).state == "cancelled"
    assert find_training(first.id).epochs()
    remove_training(first.id)
    assert not first.out.exists()
    remove_training(waiting[0].id)
    assert load_run(waiting[0].out).info.command.endswith(f"--out {waiting[0].out}")
    assert [t.id for t in list_trainings()] == [waiting[1].id]


def _resume_quietly(training_id: str) -> None:
    with contextlib.suppress(UserError):  # the other one was quicker
        resume_training(training_id)


def test_a_waiting_training_is_cancelled_resumed_and_removed(runs: Path) -> None:
    lock = try_lock(device_lock(trainings_folder(), "cpu"))
    with holding(lock):  # somebody trains on the CPU
        training = start_training(RECIPE, data=TRAIN, name="patient", device="cpu")
        assert training.state == "waiting"
        with pytest.raises(UserError, match="cancel it before"):
            remove_training(training.id)
        with pytest.raises(UserError, match="waits for its turn already"):
            resume_training(training.id)
        assert cancel_training(training.id).state == "cancelled"
        with pytest.raises(UserError, match="nothing to cancel"):
            cancel_training(training.id)
        assert resume_training(training.id).state == "waiting"
        cancel_training(training.id, grace=0)  # killed at once, and still cancelled
        assert find_training(training.id).state == "cancelled"
        remove_training(training.id)
    assert list_trainings() == []
    assert not (runs / "patient").exists()


# One that starts from another ----------------------------------------------------------------------------------------

RECAM = dataclasses.replace(RECIPE, method="recam", rule="sum", lr_fc2=1e-2, epochs=1)


@pytest.mark.slow
def test_a_recam_waits_for_the_bce_that_it_starts_from(runs: Path) -> None:
    first = start_training(RECIPE, data=TRAIN, name="bce", device="cpu")
    second = start_training(RECAM, data=TRAIN, name="recam", init=runs / "bce", device="cpu")
    assert second.status.awaits == "bce"
    done = ended(second)
    assert done.state == "done", done.status.message
    assert ended(first).state == "done"
    assert done.status.awaits == ""
    assert load_run(done.out).info.parent_sha256 == load_run(runs / "bce").info.weights_sha256


def test_one_that_waits_for_a_run_stands_in_nobodys_way(runs: Path) -> None:
    lock = try_lock(device_lock(trainings_folder(), "cpu"))
    with holding(lock):
        first = start_training(RECIPE, data=TRAIN, name="bce", device="cpu")
        second = start_training(RECAM, data=TRAIN, name="recam", init=runs / "bce", device="cpu")
        third = start_training(RECIPE, data=TRAIN, name="other", device="cpu")
        assert "Waiting for bce, which another" in find_training(second.id).log_tail()
        assert ahead(third.folder, "cpu", third.status.queued) == [first.id]
        # Its start is not made: it ends with a sentence, each time that it is tried.
        cancel_training(first.id)
        failed = ended(second)
        assert failed.state == "failed"
        assert "The training of bce, which this one starts from, was cancelled" in failed.status.message
        with pytest.raises(UserError, match="has ended without the run"):
            start_training(RECAM, data=TRAIN, name="recam2", init=runs / "bce", device="cpu")
        remove_training(first.id)
        resume_training(second.id)
        assert "is not there" in ended(second).status.message
        with pytest.raises(UserError, match="no run folder"):
            start_training(RECAM, data=TRAIN, name="recam2", init=runs / "bce", device="cpu")
        # One that waits for a run can be cancelled, too; classes are checked before it is made.
        first = start_training(RECIPE, data=TRAIN, name="bce", device="cpu")
        second = start_training(RECAM, data=TRAIN, name="recam2", init=runs / "bce", device="cpu")
        assert cancel_training(second.id).state == "cancelled"
        with pytest.raises(UserError, match="are not those of the run bce"):
            start_training(RECAM, data="gallery", name="recam3", init=runs / "bce", device="cpu")


# A full disk ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """``small_disk(megabytes)`` mounts a file system in memory, or gives the mounted one another size."""
    place = tmp_path / "disk"
    place.mkdir()

    def sized(megabytes: int) -> Path:
        options = f"{'remount,' if place.is_mount() else ''}size={megabytes}m"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True)
        if done.returncode:
            pytest.skip("needs leave to mount a file system")
        return place

    yield sized
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_is_a_sentence_and_loses_nothing(
    small_disk: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The state of one epoch takes about 60 MB; a second one beside it does not fit.
    recipe = dataclasses.replace(RECIPE, backbone="timm:resnet10t", epochs=2)
    monkeypatch.setenv("RECAM_RUNS", str(small_disk(100)))
    failed = ended(start_training(recipe, data=TRAIN, name="run", device="cpu"))
    assert failed.state == "failed"
    assert "the disk may be full" in failed.status.message
    assert "Traceback" not in failed.log_tail(200)
    assert len(failed.epochs()) == 1
    # To the last byte: not even a status fits any more, and still the end is told.
    filler = failed.out.parent / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))
    with pytest.raises(UserError, match="No space left"):
        start_training(recipe, data=TRAIN, name="another", device="cpu")
    assert [t.job.name for t in list_trainings()] == ["run"]
    with pytest.raises(UserError, match=r"full|No space left"):
        resume_training(failed.id)
    assert find_training(failed.id).can_resume
    filler.unlink()
    small_disk(400)
    done = ended(resume_training(failed.id))
    assert done.state == "done", done.status.message
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "roomy"))
    assert digest(ended(start_training(recipe, data=TRAIN, name="run", device="cpu")).out) == digest(done.out)


def test_the_last_words_fit_in_the_room_kept_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recam_core.queue import reporter

    real, refused = reporter.write_status, []

    def full_while_reserve_lies_there(folder: Path, words: Status) -> None:
        if words.state != status.WAITING and (folder / reporter.RESERVE_FILE).exists():
            refused.append(words)
            raise UserError("Cannot write: No space left on device.")
        real(folder, words)

    monkeypatch.setattr(reporter, "write_status", full_while_reserve_lies_there)
    monkeypatch.setattr(reporter, "INTERVAL", 0.01)
    report = reporter.Reporter(tmp_path, Status())
    report.update(state=status.RUNNING, step=3)
    wait_for(lambda: refused, "a status that does not fit")
    report.close(state=status.FAILED, message="full")
    found = read_status(tmp_path)
    assert (found.state, found.message, found.step) == ("failed", "full", 3)
    assert not (tmp_path / reporter.RESERVE_FILE).exists()


# What is refused at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "../elsewhere"}, "cannot be the name"),
        ({"name": "taken"}, "already"),
        ({"data": "voc:/nowhere@train"}, "no folder"),
        ({"val": "gallery"}, "classes of gallery are not"),
        ({"device": "cuda:99"}, "offers no device"),
        ({"device": "abacus"}, "knows no device"),
        ({"recipe": dataclasses.replace(RECIPE, epochs=0)}, "epochs must be"),
        ({"recipe": dataclasses.replace(RECIPE, method="recam", rule="product")}, "converged BCE run"),
        ({"recipe": dataclasses.replace(RECIPE, method="recam"), "init": "nowhere"}, "no run folder"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(runs: Path, changes: dict, match: str) -> None:
    (runs / "taken").mkdir(parents=True)
    asked = {"recipe": RECIPE, "data": TRAIN, "name": "new", **changes}
    with pytest.raises(UserError, match=match):
        start_training(asked.pop("recipe"), **asked)
    assert [path.name for path in runs.iterdir()] == ["taken"]


@pytest.mark.parametrize("text", ["", "..", "../../etc", "20261123-120000-abcdef/x", "20261123-120000-ABCDEF"])
def test_an_id_that_is_none_reaches_no_path(text: str) -> None:
    with pytest.raises(UserError, match="not the id"):
        check_id(text)
    assert check_id(new_id())


def test_a_failed_start_leaves_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(runs / "no-python"))
    with pytest.raises(UserError, match="could not be started"):
        start_training(RECIPE, data=TRAIN, name="new", device="cpu")
    assert not (runs / "new").exists()
    assert list_trainings() == []


# Looking --------------------------------------------------------------------------------------------------------------


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    start = status.own_start()
    assert status.is_running(os.getpid(), start)
    assert not status.is_running(os.getpid(), start + "0")
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_for(lambda: status.process_start(child.pid) is None, "the end of a child that nobody waits for")
    child.wait()


def test_a_status_is_believed_only_while_its_process_is_there() -> None:
    mine = Status("running", pid=os.getpid(), process_start=status.own_start())
    assert true_state(mine) == "running"
    assert true_state(dataclasses.replace(mine, process_start="other")) == "killed"
    assert true_state(dataclasses.replace(mine, state="done", process_start="other")) == "done"
    far = dataclasses.replace(mine, host="elsewhere", updated=time.time())
    assert true_state(far) == "running"
    assert true_state(dataclasses.replace(far, updated=time.time() - 600)) == "killed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "1"}', '{"step": null}', '{"losses": 3}', '{"state": ["x"]}'])
def test_a_damaged_status_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 3}'])
def test_a_damaged_job_is_left_out(runs: Path, text: str) -> None:
    folder = trainings_folder() / new_id()
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(text)
    assert list_trainings() == []
    with pytest.raises(UserError, match="damaged"):
        read_job(folder)


def test_a_job_without_a_status_is_starting_only_for_a_moment(runs: Path) -> None:
    file = make_job(runs, 0) / "job.json"
    job = json.loads(file.read_text())
    # Also where the clock was set back, or when the time is none.
    for ago, state in ((0, "waiting"), (3600, "killed"), (-3600, "killed")):
        file.write_text(json.dumps(job | {"created": time.time() - ago}))
        assert find_training(job["id"]).state == state
    file.write_text(json.dumps(job | {"created": "now"}))
    assert list_trainings() == []


def test_a_status_comes_back_as_written(tmp_path: Path) -> None:
    words = Status("running", "Training", pid=3, seconds_left=4.5, losses=Losses(["loss"], [[1.0, 0.5]]), step=7)
    write_status(tmp_path, words)
    assert read_status(tmp_path) == words


def test_the_loss_curve_stays_short_and_keeps_the_mean() -> None:
    curve = LossCurve()
    for step in range(1, 5001):
        curve.add(step, {"loss": float(step)})
    assert len(curve.points) < MOST_POINTS
    assert curve.points[0] == [16, 8.5]
    again = LossCurve.up_to(curve.so_far(), 1000)
    assert (again.stride, again.points[-1][0]) == (16, 992)
    assert LossCurve.up_to(Losses(), 5).points == []


# Commands -------------------------------------------------------------------------------------------------------------


def parsed(command: str) -> Recipe:
    import argparse
    import shlex

    from recam_core.cli import train

    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    return train.recipe_of(parser.parse_args(shlex.split(command)[3:]))


@pytest.mark.parametrize(
    "recipe",
    [
        preset("bce"),
        preset("sce", "small"),
        dataclasses.replace(preset("recam", "small"), weight=0.1, mask="hard:0.3", seed=7, epochs=3, freeze_norm=False),
        dataclasses.replace(RECIPE, amp=False),
    ],
)
def test_the_command_line_means_the_same_recipe(recipe: Recipe) -> None:
    command = train_command(recipe, data="voc:my data@train", val=VAL, out="runs/x", init="runs/y")
    assert parsed(command) == recipe


def test_the_command_line_tells_every_setting_that_has_an_option() -> None:
    """Each setting changed by itself comes back from the command that is printed for it."""
    other = {"backbone": "resnet50", "weights": "none", "optimizer": "sgd", "mask": "hard:0.3", "fc2_loss": "bce"}
    other |= {"rule": "sum", "output_stride": 8, "background": 0.7}
    base = preset("recam", "small")
    for name, known in settings(Recipe).items():
        value = other.get(name, getattr(base, name) * 2 + known.kind(1 if known.kind is int else 0.125))
        recipe = dataclasses.replace(base, **{name: value})
        command = train_command(recipe, data="voc:x@train", out="runs/x", init="runs/y")
        assert known.flag in command
        assert parsed(command) == recipe


def test_a_command_is_short_where_the_preset_says_it_all(runs: Path, repo_root: Path) -> None:
    command = training_command(preset("bce", "small"), data="scenes@train", name="mine")
    assert command == f"python -m recam_core train bce --preset small --data scenes@train --out {runs / 'mine'}"


# The command line -----------------------------------------------------------------------------------------------------


def test_the_queue_from_the_command_line(runs: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    from recam_core.cli.main import main

    def said(*words: str, expect: int = 0) -> str:
        assert main(["trainings", *words]) == expect
        output = capsys.readouterr()
        return output.err if expect else output.out

    assert "No trainings" in said("list")
    start = ["start", "bce", "--preset", "small", "--data", TRAIN, "--device", "cpu", "--out"]
    assert "folder of runs" in said(*start, str(tmp_path / "elsewhere" / "x"), expect=2)
    with holding(try_lock(device_lock(trainings_folder(), "cpu"))):
        assert "mine is in the queue of cpu" in said(*start, str(runs / "mine"))
        assert "already" in said(*start, "mine", expect=2)
        for words in (["retrain", "x", "--data", TRAIN], ["train", "bce", "--data", TRAIN], ["train", "--from", "x"]):
            assert main([*words, "--out", str(runs / "mine")]) == 2
            assert "mine belongs to a training in the queue (waiting)" in capsys.readouterr().err
        said("list", "--json", str(tmp_path / "list.json"))
        (row,) = json.loads((tmp_path / "list.json").read_text())
        assert (row["state"], row["method"]) == ("waiting", "bce")
        assert "cancelled" in said("cancel", "mine")
        assert "Cancelled" in said("log", row["id"], "--follow")
        assert "again" in said("resume", row["id"])
        said("cancel", row["id"])
    said("remove", "mine")
    assert "no training 'mine'" in said("log", "mine", expect=2)
    assert listing.list_trainings() == []


def test_a_training_that_waits_takes_no_room_for_torch() -> None:
    code = "import sys, recam_core.queue.trainer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
