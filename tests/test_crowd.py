"""Many visitors at once: what is made once for all of them, and what stands behind their pages."""

import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from app.datasets import sample_of
from app.jobs import Job, JobBoard
from recam_core.data.sample import Sample
from recam_core.errors import UserError
from recam_core.priority import JOB, TRAINING, threads_here
from recam_core.progress import FEATURES, Cancelled, kind_of
from recam_core.retrain import features_apart as apart

PATIENCE = 60


class Drawn:
    """Stands for a data set of drawn scenes: counts what it draws, and draws only when it is let."""

    def __init__(self, spec: str) -> None:
        self.spec, self.drawn, self.fails = spec, [], False
        self.entered, self.may_go = threading.Semaphore(0), threading.Event()

    def load(self, index: int) -> Sample:
        self.drawn.append(index)
        self.entered.release()
        assert self.may_go.wait(PATIENCE)
        if self.fails:
            raise UserError("cannot be drawn")
        grey = np.full((4, 4, 3), (len(self.spec) + index) % 256, dtype=np.uint8)
        return Sample(f"{index}", grey, np.ones(2, dtype=bool), grey[..., 0].copy())


class Asking(threading.Thread):
    """A session that asks for a picture."""

    def __init__(self, found: Drawn, index: int) -> None:
        super().__init__(daemon=True)
        self.found, self.index, self.answer, self.error = found, index, None, None
        self.start()

    def run(self) -> None:
        try:
            self.answer = sample_of(self.found, self.index)
        except UserError as error:
            self.error = error

    def ended(self) -> "Asking":
        self.join(PATIENCE)
        assert not self.is_alive()
        return self


# Made once --------------------------------------------------------------------------------------------------------


def test_what_two_ask_for_at_once_is_drawn_once() -> None:
    found = Drawn("scenes:seed=9001@val")
    first = Asking(found, 3)
    assert found.entered.acquire(timeout=PATIENCE)
    second = Asking(found, 3)
    found.may_go.set()
    assert first.ended().answer.image[0, 0, 0] == second.ended().answer.image[0, 0, 0]
    assert found.drawn == [3]
    assert sample_of(found, 4).id == "4"
    assert found.drawn == [3, 4]


def test_a_failure_is_not_kept_and_the_other_one_draws() -> None:
    found = Drawn("scenes:seed=9002@val")
    found.fails = True
    first = Asking(found, 0)
    assert found.entered.acquire(timeout=PATIENCE)
    second = Asking(found, 0)
    found.may_go.set()
    assert first.ended().error is not None
    assert second.ended().error is not None
    found.fails = False
    assert Asking(found, 0).ended().answer is not None


def test_pictures_of_two_sets_are_told_apart_and_nobody_changes_one() -> None:
    one, other = Drawn("scenes:seed=9003@val"), Drawn("scenes:seed=9003,size=64@val")
    one.may_go.set(), other.may_go.set()
    assert sample_of(one, 1).image[0, 0, 0] != sample_of(other, 1).image[0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        sample_of(one, 1).image[0] = 0


def test_what_is_kept_is_bounded() -> None:
    found = Drawn("scenes:seed=9004@val")
    found.may_go.set()
    for index in range(400):
        sample_of(found, index)
    sample_of(found, 399)
    assert len(found.drawn) == 400
    sample_of(found, 0)
    assert len(found.drawn) == 401


def test_a_file_is_read_each_time() -> None:
    found = Drawn("folder:somewhere")
    found.may_go.set()
    sample_of(found, 0), sample_of(found, 0)
    assert found.drawn == [0, 0]


# Behind the pages ------------------------------------------------------------------------------------------------


def _own_process(code: str) -> str:
    words = f"import os; {code}; print(os.getpriority(os.PRIO_PROCESS, 0))"
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, start_new_session=True
    )
    return done.stdout.split()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no nice")
def test_a_training_stands_behind() -> None:
    code = "from pathlib import Path; import recam_core.queue.trainer as trainer; trainer._own_lock = lambda _: None"
    assert int(_own_process(f"{code}; trainer.main(Path('.'))")) >= TRAINING


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux shares cores by sessions where it can")
def test_its_session_stands_behind_too() -> None:
    code = "from recam_core.priority import behind_others; behind_others(7); print(open('/proc/self/autogroup').read())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, start_new_session=True
    )
    assert done.stdout.split()[-1] == "7"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_a_job_stands_behind_and_leaves_a_core() -> None:
    seen: list[int] = []

    def work(_: Job) -> None:
        seen.extend((os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), torch.get_num_threads()))

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        board, job = JobBoard(), Job()
        board.start(job, work, at_once=True)
        _until_over(job)
        assert seen == [max(JOB, os.getpriority(os.PRIO_PROCESS, 0)), 2]
        assert _threads_elsewhere() == torch.get_num_threads() == 3
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == os.getpriority(os.PRIO_PROCESS, 0)
    finally:
        torch.set_num_threads(before)


def test_threads_of_one_are_no_threads_of_another() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        here: list[int] = []
        thread = threading.Thread(target=lambda: (threads_here(1), here.append(torch.get_num_threads())))
        thread.start()
        thread.join(PATIENCE)
        assert here == [1]
        assert _threads_elsewhere() == 3
    finally:
        torch.set_num_threads(before)


def _threads_elsewhere() -> int:
    """PyTorch's threads in a thread that begins now, as the next run of a page does."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join(PATIENCE)
    return found[0]


def _until_over(job: Job) -> None:
    waiting = threading.Event()
    for _ in range(100 * PATIENCE):
        if job.is_over:
            return
        waiting.wait(0.01)
    raise AssertionError("the job did not end")


# Features by a process of their own ------------------------------------------------------------------------------


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for Python: a script that says what its test writes into it."""
    program = tmp_path / "python"
    monkeypatch.setattr(apart.sys, "executable", str(program))
    return program


def _write(program: Path, *lines: str) -> None:
    program.write_text("\n".join(["#!/bin/sh", *lines]))
    program.chmod(0o700)


def test_progress_and_the_end_are_told(stub: Path) -> None:
    told: list[tuple] = []
    _write(
        stub,
        """echo '[1, 2, "computing features", "features"]'""",
        """echo '[2, 2, "computing features", "features"]'""",
    )
    apart.features_apart("run", "scenes@train", lambda *at: told.append(at))
    assert [at for at in told if at[1]] == [(1, 2, "computing features"), (2, 2, "computing features")]
    assert {kind_of(at[2]) for at in told} == {FEATURES}


def test_a_fault_and_a_death_are_sentences(stub: Path) -> None:
    _write(stub, """echo '"no such pictures"'""")
    with pytest.raises(UserError, match="no such pictures"):
        apart.features_apart("run", "scenes@train", lambda *_: None)
    _write(stub, "kill -9 $$")
    with pytest.raises(UserError, match="ended from outside"):
        apart.features_apart("run", "scenes@train", lambda *_: None)


def test_who_cancels_ends_the_own_process_and_no_other(stub: Path, tmp_path: Path) -> None:
    _write(stub, """echo '[1, 9, "", ""]'""", "cat > /dev/null", 'echo ended >> "$4"')
    cancel, going, ends = threading.Event(), threading.Event(), [tmp_path / "one", tmp_path / "other"]
    stay = threading.Event()

    def stopped(*_: object) -> None:
        going.set()
        if stay.is_set():
            raise Cancelled

    def other() -> None:
        with pytest.raises(Cancelled):
            apart.features_apart("run", str(ends[1]), stopped)

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    assert going.wait(PATIENCE)

    def cancelled(*_: object) -> None:
        cancel.set()
        raise Cancelled

    with pytest.raises(Cancelled):
        apart.features_apart("run", str(ends[0]), cancelled)
    assert cancel.is_set()
    assert ends[0].read_text() == "ended\n"
    assert thread.is_alive()
    assert not ends[1].exists()
    stay.set()
    thread.join(PATIENCE)
    assert ends[1].read_text() == "ended\n"


def test_the_process_computes_what_the_cache_then_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.spec import open_dataset
    from recam_core.folders import shipped_folder
    from recam_core.retrain.features import build_feature_cache

    class Open(io.StringIO):
        def read(self, *_: object) -> str:
            threading.Event().wait()

    monkeypatch.setenv("RECAM_CACHE", str(tmp_path))
    monkeypatch.setattr(apart, "behind_others", lambda _: None)
    monkeypatch.setattr(apart.sys, "stdin", Open())
    run, data = shipped_folder() / "scenes" / "bce", "scenes:train=3,size=64@train"
    assert apart.main(str(run), data) == 0
    assert '[3, 3, "computing features", "features"]' in capsys.readouterr().out
    notes: list[str] = []
    build_feature_cache(load_run(run, torch.device("cpu")), open_dataset(data), lambda *at: notes.append(at[2]))
    assert notes == ["features from the cache"]
    assert apart.main(str(run), "scenes:colour=red@train") == 0
    assert capsys.readouterr().out.startswith('"')


# The benchmark ---------------------------------------------------------------------------------------------------


def test_the_load_is_bounded_and_stays_on_this_machine(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repo_root / "benchmarks"))
    import asyncio

    import crowd

    plan = crowd.Plan.of(25, 60)
    assert (plan.explorers, plan.browsers, plan.retrainers, plan.trainings) == (15, 8, 2, 1)
    assert crowd.Plan.of(5, 20).explorers == 3
    assert crowd.Plan.of(25, 60, with_browsers=False).explorers == 23
    for sessions, seconds in ((0, 60), (101, 60), (25, 1), (25, 100_000)):
        with pytest.raises(ValueError, match="between"):
            crowd.Plan.of(sessions, seconds)
    # In a thread of its own: a browser that a test before this one drove keeps a loop in this one.
    elsewhere = crowd.crowd(plan, "http://192.0.2.1:80", os.getpid(), None, crowd.Processor({}))
    with ThreadPoolExecutor(1) as apart, pytest.raises(ValueError, match="this machine"):
        apart.submit(asyncio.run, elsewhere).result()
    assert crowd.percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
