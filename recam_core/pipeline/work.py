"""Carrying out the steps of a pipeline: each in a process of its own, each once, side by side where they are free to.

A step whose result is there and whose command and inputs are unchanged is skipped; a step that was cut off is given
again, and goes on where its command goes on. A step counts as done when its record says so, which is written last.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data.digest import dataset_digest
from recam_core.data.spec import open_dataset
from recam_core.errors import LEFT_OUT, UserError
from recam_core.lock import holding, try_lock
from recam_core.pipeline.plan import Step
from recam_core.progress import STEPS, listener
from recam_core.ranks import environments
from recam_core.records import RecordError, opened_record
from recam_core.refine.boundaries import RECORD_FILE as BOUNDARIES_FILE
from recam_core.report.mask_set import RECORD_FILE as MASKS_FILE
from recam_core.segment.training import RECORD_FILE as SEGMENT_FILE
from recam_core.train.state import STATE_FILE

if TYPE_CHECKING:
    import resource

#: What a step's command is given to.
PROGRAM = (sys.executable, "-m", "recam_core")
#: Commands that several processes can share (docs/scaling.md).
SHARED = frozenset({"train", "cams", "evaluate", "boundaries", "masks", "segment"})
#: What runs, boundaries, masks and networks keep of themselves, and how check sums of what they hold are called there.
_RECORDS, _SUMS = (INFO_FILE, BOUNDARIES_FILE, MASKS_FILE, SEGMENT_FILE), ("weights_sha256", "heads_sha256", "files")
#: Lines of what a step told that are told again when it fails.
_LAST_LINES = 12
#: Seconds that processes which share a step have to end after one of them failed.
_GRACE = 10.0
#: Each of them holds a network of its own.
_MOST_PROCESSES = 8


@dataclass
class Done:
    """What a step left behind.

    Attributes:
        seconds: that it took.
        processor_seconds: of all cores together.
        peak_bytes: the most memory that it held, of processes that share it added up (of a launch, that of the largest
            one that can be seen); 0 where it is not known.
        skipped: whether it was there already.
    """

    seconds: float
    peak_bytes: int
    processor_seconds: float = 0.0
    skipped: bool = False
    digest: str = field(default="", repr=False)


def run_steps(
    steps: Sequence[Step],
    out: Path,
    say: Callable[[str], None] = print,
    cores: int = 1,
    launch: Sequence[str] = (),
) -> dict[str, Done]:
    """Carry the steps out; what is there already is not done again.

    Args:
        steps: see :func:`recam_core.pipeline.plan.steps_of`.
        out: the folder of everything; the records of the steps lie in ``steps/`` there, and what steps that ran beside
            others told.
        say: told what begins, and what is there already.
        cores: of the CPU that steps share: as many steps at once, each with an equal part of what is free; 1 does one
            step after the other and leaves the number of its threads to it.
        launch: what starts several processes of a step that can be shared, instead of this Python, such as ``torchrun``
            with its options; none for one process.

    Raises:
        UserError: a step failed (the same call goes on with it), or another pipeline works in the folder.
    """
    lock = try_lock(out / "steps" / "lock")
    if lock is None:
        raise UserError(
            f"A pipeline works in {out} already, or a step of one that was killed is not through yet. Wait for it, or "
            "end it; then the same command goes on."
        )
    with holding(lock):
        return _Work(steps, out, say, cores, lock, launch).carry_out()


class _Work:
    """The state of one call. Only the thread that made it starts steps."""

    def __init__(
        self,
        steps: Sequence[Step],
        out: Path,
        say: Callable[[str], None],
        cores: int,
        lock: int,
        launch: Sequence[str],
    ) -> None:
        self._steps, self._out, self._say, self._cores, self._lock = steps, out, say, cores, lock
        self._launch = launch
        self._done: dict[str, Done] = {}
        self._free = cores
        self._running: dict[Future[Done], tuple[Step, int]] = {}
        self._processes: dict[str, list[subprocess.Popen[bytes]]] = {}
        self._data: dict[str, str] = {}
        self._stopping = threading.Event()
        self._tell = listener(STEPS)

    def carry_out(self) -> dict[str, Done]:
        with ThreadPoolExecutor(self._cores, thread_name_prefix="step") as pool, self._ending():
            while len(self._done) < len(self._steps):
                self._start_what_is_ready(pool)
                if not self._running:
                    break  # the last ones were there already
                for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                    step, cores = self._running.pop(future)
                    self._free += cores
                    self._done[step.name] = future.result()
                    if self._cores > 1:
                        self._say(
                            f"{self._number(step)} {step.name}: done ({self._done[step.name].seconds / 60:.1f} min)."
                        )
        return {step.name: self._done[step.name] for step in self._steps}

    def _start_what_is_ready(self, pool: ThreadPoolExecutor) -> None:
        waiting: list[Step] = []
        # In their order, in which every step stands behind those that it needs.
        for step in self._steps:
            if step.name in self._done or any(step is running for running, _ in self._running.values()):
                continue
            if not all(name in self._done for name in step.needs):
                continue
            kept = self._kept(step)
            if kept is None:
                waiting.append(step)
            else:
                self._done[step.name] = kept
                self._say(f"{self._number(step)} {step.name}: there already.")
        for place, step in enumerate(waiting):
            # What is free is shared by those that wait; one that shares its pictures among processes waits for all.
            cores = self._cores if step.shares else max(self._free // (len(waiting) - place), 1)
            if cores <= self._free:
                self._free -= cores
                self._running[self._start(pool, step, cores)] = (step, cores)

    def _start(self, pool: ThreadPoolExecutor, step: Step, cores: int) -> Future[Done]:
        self._tell(len(self._done), len(self._steps), step.name)
        words = list(step.command) + (
            ["--processes", str(min(cores, _MOST_PROCESSES))] if step.shares and cores > 1 else []
        )
        digest, inputs, record = self._digest(step), self._inputs(step), self._record(step)
        self._say(f"{self._number(step)} {step.name}: python -m recam_core {' '.join(words)}")
        if step.makes is not None and not _is_of(values_of(record), digest, inputs):
            shutil.rmtree(step.makes, ignore_errors=True)  # made with other settings, or from other inputs
        write_json(record, {"digest": digest, "inputs": inputs, "finished": False})
        return pool.submit(self._run, step, words, cores, digest, inputs)

    def _run(self, step: Step, words: list[str], cores: int, digest: str, inputs: str) -> Done:
        begin, log = time.monotonic(), self._record(step).with_suffix(".log")
        program = (*self._launch, *PROGRAM[1:]) if self._launch and words[0] in SHARED else PROGRAM
        environment = dict(os.environ)
        together: list[dict[str, str]] = [{}]
        if self._cores > 1:
            together = environments(step.ranks) if 1 < step.ranks <= cores else together
            # Threads that wait for each other must not spin while other steps want the core.
            environment |= {"OMP_NUM_THREADS": str(cores // len(together)), "OMP_WAIT_POLICY": "PASSIVE"}
        with open(log, "wb") if self._cores > 1 else nullcontext() as told:
            processes = self._processes[step.name] = []
            for one in together:
                # It holds the lock as long as it runs, whatever becomes of this process.
                process = subprocess.Popen(
                    [*program, *words], env=environment | one, stdout=told, stderr=told, pass_fds=(self._lock,)
                )
                processes.append(process)
            if self._stopping.is_set():
                _end(processes)
            usages = _ended(processes)
        code = next((one.returncode for one in processes if not _is_well(one)), processes[0].returncode)
        if code not in (0, LEFT_OUT):
            if told is not None and not self._stopping.is_set():
                self._say(_last_words(log))
            raise UserError(
                f"The step {step.name} failed (see above). What was finished is kept; the same command goes on there."
            )
        if code == LEFT_OUT and told is not None:
            self._say(f"{step.name}: pictures that cannot be read were left out; {log} names them.")
        # Linux counts in kibibytes, a Mac in bytes.
        peak = sum(usage.ru_maxrss for usage in usages) * (1 if sys.platform == "darwin" else 1024)
        busy = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        done = Done(time.monotonic() - begin, peak, busy, digest=digest)
        values = {"digest": digest, "inputs": inputs, "finished": True, "command": list(step.command)}
        costs = {name: getattr(done, name) for name in ("seconds", "processor_seconds", "peak_bytes")}
        write_json(self._record(step), values | costs)
        return done

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """When a step fails, or the pipeline is stopped, those beside it are ended, too: they go on next time."""
        try:
            yield
        except BaseException:
            self._stopping.set()
            for processes in list(self._processes.values()):
                _end(processes)
            raise

    def _kept(self, step: Step) -> Done | None:
        """What is there of a step with the same command and inputs."""
        record = self._record(step)
        try:
            with opened_record(record) as values:
                if not _is_of(values, self._digest(step), self._inputs(step)):
                    return None
                if values["finished"] is True:
                    costs = float(values["seconds"]), int(values["peak_bytes"]), float(values["processor_seconds"])
                    return Done(*costs, skipped=True, digest=values["digest"]) if _is_there(step) else None
        except RecordError:
            return None
        # This process was killed while the step's went on to its end: nobody was there to write down what it cost.
        if step.makes is None or not step.marker or (step.makes / STATE_FILE).exists():
            return None
        if not (step.makes / step.marker).is_file():
            return None
        seconds = (step.makes / step.marker).stat().st_mtime - record.stat().st_mtime
        return Done(max(seconds, 0.0), 0, skipped=True, digest=self._digest(step))

    def _digest(self, step: Step) -> str:
        """Of the command and of what the steps before it were made by."""
        parts = [json.dumps(step.command), *(self._done[name].digest for name in step.needs)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _inputs(self, step: Step) -> str:
        """Of what a step finds: its pictures, and what those before it made, whoever put that there."""
        specs = [after for word, after in pairwise(step.command) if word in ("--data", "--select")]
        made = [_made(one.makes) for one in self._steps if one.name in step.needs]
        return hashlib.sha256(repr(([self._pictures(spec) for spec in specs], made)).encode()).hexdigest()

    def _pictures(self, spec: str) -> str:
        if spec not in self._data:
            dataset = open_dataset(spec)
            try:
                self._data[spec] = dataset_digest(dataset)
            except UserError:
                # Pictures that cannot be read are left out by each step, which looks at all of them.
                self._data[spec] = repr(dataset.ids)
        return self._data[spec]

    def _record(self, step: Step) -> Path:
        return self._out / "steps" / f"{step.name}.json"

    def _number(self, step: Step) -> str:
        return f"{self._steps.index(step) + 1}/{len(self._steps)}"


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.returncode is None:
            process.terminate()


def _is_well(process: subprocess.Popen[bytes]) -> bool:
    return process.returncode in (0, LEFT_OUT, None)


def _ended(processes: Sequence[subprocess.Popen[bytes]]) -> "list[resource.struct_rusage]":
    """What each of the processes that share a step has used, once all have ended; after one failed, soon."""
    usages: list[resource.struct_rusage] = []
    failed = 0.0
    while len(usages) < len(processes):
        for process in processes:
            if process.returncode is None:
                pid, status, usage = os.wait4(process.pid, 0 if len(processes) == 1 else os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                    usages.append(usage)
        # The others notice it by themselves, and may have more to say; but not while they wait for one to come.
        failed = failed or (0.0 if all(map(_is_well, processes)) else time.monotonic())
        if failed and time.monotonic() - failed > _GRACE:
            _end(processes)
        if len(usages) < len(processes):
            time.sleep(0.1)
    return usages


def _is_of(values: Mapping[str, Any], digest: str, inputs: str) -> bool:
    # Records from before there were inputs in them say nothing of those.
    return values.get("digest") == digest and values.get("inputs", inputs) == inputs


def _made(folder: Path | None) -> list[Any]:
    """The check sums of what a step made, as the record in its folder has them."""
    records = [] if folder is None else [values_of(folder / name) for name in _RECORDS]
    return [record.get(name) for record in records for name in _SUMS]


def _is_there(step: Step) -> bool:
    if step.makes is not None and not step.makes.is_dir():
        return False
    named = [Path(after) for word, after in pairwise(step.command) if word == "--json"]
    return all(file.is_file() for file in named)


def values_of(file: Path) -> dict[str, Any]:
    """What a record holds; nothing where it is missing or damaged."""
    try:
        with opened_record(file) as values:
            return dict(values)
    except RecordError:
        return {}


def _last_words(log: Path) -> str:
    """The last lines of a log; a progress bar that wrote over itself is one line."""
    lines = [line.rpartition("\r")[2] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return "\n".join([line for line in lines if line.strip()][-_LAST_LINES:])
