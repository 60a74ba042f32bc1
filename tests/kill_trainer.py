"""Kill a trainer at random moments, many times, and resume it: the work of one test, in a process of its own.

    python tests/kill_trainer.py FOLDER KILLS

Each trainer is forked from this process, which has loaded torch already: starting twenty interpreters would take
minutes. What the trainers do is what they do in the queue. Prints JSON: how many kills hit a live trainer, how many
trainings they took, in which states they were hit, and for each run the digest of its weights and its scores.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import sklearn.metrics  # noqa: F401  (what a training loads on the way is loaded here, once)
import torch
import torch.utils.tensorboard

from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.queue import reporter, waiting, work  # noqa: F401
from recam_core.queue.job import TrainingJob, new_id, write_job
from recam_core.queue.reserved import reserve
from recam_core.queue.status import KILLED, read_status, true_state
from recam_core.queue.trainer import main as train_job
from recam_core.train.loop import train  # noqa: F401
from recam_core.train.state import load_state
from tiny_recipe import RECIPE, TRAIN, VAL


def make_job(folder: Path, number: int) -> Path:
    """A training in the queue that nothing works on yet."""
    out = folder / f"run{number}"
    job = TrainingJob(
        id=new_id(),
        recipe=RECIPE.to_json(),
        data=TRAIN,
        val=VAL,
        init="",
        out=str(out),
        device="cpu",
        folder=str(folder),
        command="python -m recam_core train bce",
        created=time.time(),
    )
    place = folder / ".trainings" / job.id
    reserve(out, job.id)
    write_job(place, job)
    return place


def fork_trainer(place: Path) -> int:
    """The process of a trainer."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        log = os.open(place / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        status = train_job(place)
    finally:
        os._exit(status)


def check_what_is_left(place: Path, out: Path) -> str:
    """Read everything that a killed trainer left: each file is whole or not there. Returns what it was doing."""
    status = read_status(place)
    assert status is not None
    assert true_state(status) in (KILLED, "done")
    load_state(out)
    if (out / "metrics.json").exists():
        json.loads((out / "metrics.json").read_text())
    if (out / "run.json").exists():
        load_run(out)
    return status.doing


def weights_digest(out: Path) -> str:
    state = load_run(out).network.state_dict()
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()


def main(folder: Path, kills: int) -> None:
    """Kill, look, resume; then compare with a training that nobody kills."""
    torch.set_num_threads(1)
    open_dataset(TRAIN).load(0)
    reporter.INTERVAL = 0.02  # as often as possible, so that the kills meet it
    rng = random.Random(1)

    whole = make_job(folder, 0)
    began = time.monotonic()
    assert os.waitpid(fork_trainer(whole), 0)[1] == 0
    takes = time.monotonic() - began

    hit, number, doing = 0, 1, []
    place = make_job(folder, number)
    while hit < kills:
        out = folder / f"run{number}"
        pid = fork_trainer(place)
        time.sleep(rng.uniform(0, 0.8 * takes))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            hit += 1
            if (place / "status.json").exists():
                doing.append(check_what_is_left(place, out))
        if (out / "run.json").exists() and os.WIFEXITED(status):
            number += 1
            place = make_job(folder, number)
    assert os.waitpid(fork_trainer(place), 0)[1] == 0
    runs = [folder / f"run{index}" for index in range(number + 1)]
    left = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.name.endswith((".tmp", ".old"))]
    digests = [weights_digest(run) for run in runs]
    curves = [json.loads((run / "metrics.json").read_text()) for run in runs]
    scores = [[entry.get("val_loss") for entry in curve] for curve in curves]
    print(json.dumps({"kills": hit, "doing": doing, "digests": digests, "left": left, "scores": scores}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
