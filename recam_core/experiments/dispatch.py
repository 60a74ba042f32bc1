"""Long tasks handed to processes of this machine, or to Ray where it is installed."""

import importlib.util
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from recam_core.errors import UserError
from recam_core.memory import give_back_memory, memory_told
from recam_core.progress import ProgressFn, silent

#: ``auto`` takes Ray where it is installed and more than one worker is asked for.
WAYS = ("auto", "one", "local", "ray")
NO_MEMORY = (
    "There is not enough memory for one of these trainings: take fewer workers, or smaller batches or crops. "
    "What was finished is kept."
)
#: How often the progress function is asked whether to stop, in seconds.
POLL = 0.5


def ray_is_installed() -> bool:
    """Whether the optional extra ``ray`` is there."""
    return importlib.util.find_spec("ray") is not None


def pick_way(way: str, workers: int) -> str:
    """``one``, ``local`` or ``ray``.

    Raises:
        UserError: an unknown way, no worker, or Ray asked for and not installed.
    """
    if way not in WAYS:
        raise UserError(f"Trainings are handed out by one of {', '.join(WAYS)}, not '{way}'.")
    if workers < 1:
        raise UserError("At least one worker is needed.")
    if way == "ray" and not ray_is_installed():
        raise UserError("Ray is not installed: pip install ray, or choose 'local' for processes of this machine.")
    if way != "auto":
        return way
    if workers == 1:
        return "one"
    return "ray" if ray_is_installed() else "local"


def dispatch(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    way: str = "auto",
    workers: int = 1,
    progress: ProgressFn = silent,
) -> list[Any]:
    """Carry out tasks that know nothing of each other.

    Args:
        work: a function of a module, so that another process finds it.
        tasks: its arguments; they and the results are pickled.
        way: ``one`` after another in this process, ``local`` processes, ``ray`` (the cluster of ``RAY_ADDRESS``, or
            else this machine), or ``auto``.
        workers: tasks that run at a time; a Ray cluster decides by itself.
        progress: called after each task and, but for ``one``, twice a second; may raise Cancelled, which ends what is
            running.

    Returns:
        The results in the order of the tasks.

    Raises:
        UserError: of the first task that fails, or a worker that was killed. The others are ended.
    """
    chosen = {"one": _one, "local": _local, "ray": _ray}[pick_way(way, workers)]
    return chosen(work, tasks, workers, progress)


def _one(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int, progress: ProgressFn) -> list[Any]:
    results = []
    for task in tasks:
        with memory_told(NO_MEMORY):
            results.append(work(task))
        give_back_memory()
        progress(len(results), len(tasks), "training")
    return results


def _local(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int, progress: ProgressFn) -> list[Any]:
    """A process a task: memory is given back after each, and a killed one is noticed at once."""
    # Torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    waiting = list(enumerate(tasks))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    results: dict[int, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                place, task = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_worker, args=(theirs, work, task), daemon=False)
                process.start()
                theirs.close()
                running[ours] = (place, process)
            heard = wait(list(running), POLL)
            for ready in [one for one in running if one in heard]:
                at, worker = running.pop(ready)
                results[at] = _received(ready, worker)
            progress(len(results), len(tasks), f"{len(running)} running")
    finally:
        for connection, (_, worker) in running.items():
            worker.terminate()
            worker.join()
            connection.close()
    return [results[place] for place in range(len(tasks))]


def _worker(connection: Connection, work: Callable[[Any], Any], task: Any) -> None:
    """One task in a process of its own; an error that people can mend goes back as its sentence."""
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    try:
        with memory_told(NO_MEMORY):
            connection.send((True, work(task)))
    except UserError as error:
        connection.send((False, str(error)))
    finally:
        connection.close()


def _end_with_parent() -> None:
    """Nobody waits for the result of a worker whose parent was killed, and whoever goes on must find its run free."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker is started by another process
    wait([parent.sentinel])
    os._exit(1)


def _received(connection: Connection, process: BaseProcess) -> Any:
    try:
        fine, value = connection.recv()
    except EOFError:
        process.join()
        raise UserError(
            f"A worker ended without a result (exit code {process.exitcode}): it was killed, or memory ran out. "
            "What it finished is kept; start again to go on, perhaps with fewer workers."
        ) from None
    finally:
        connection.close()
    process.join()
    if not fine:
        raise UserError(value)
    return value


def _ray(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int, progress: ProgressFn) -> list[Any]:
    """Ray shares its workers out by itself; here each task asks for one processor, or one GPU where there are any."""
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(**_ray_options(workers), log_to_driver=False, logging_level="ERROR")
    places: dict[Any, int] = {}
    try:
        gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_answered)
        places = {remote.remote(work, task): place for place, task in enumerate(tasks)}
        results: dict[int, Any] = {}
        while len(results) < len(tasks):
            begun = time.monotonic()
            ready, _ = ray.wait([one for one, place in places.items() if place not in results], timeout=POLL)
            for one in ready:
                try:
                    fine, value = ray.get(one)
                except ray.exceptions.RayError as error:
                    last = str(error).strip().splitlines()[-1]
                    raise UserError(f"Ray could not carry out a training ({type(error).__name__}): {last}") from error
                if not fine:
                    raise UserError(value)
                results[places[one]] = value
            progress(len(results), len(tasks), f"{len(tasks) - len(results)} left")
            if not ready and time.monotonic() - begun < POLL / 2:
                time.sleep(POLL)
        return [results[place] for place in range(len(tasks))]
    finally:
        for one in places:
            ray.cancel(one, force=True)
        if started:
            ray.shutdown()


def _ray_options(workers: int) -> dict[str, Any]:
    """On this machine, as many workers as asked for, with this process's modules; a cluster has its own of both."""
    if os.environ.get("RAY_ADDRESS"):
        return {}
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    return {
        "num_cpus": workers,
        "include_dashboard": False,
        "runtime_env": {"env_vars": {"PYTHONPATH": path}},
    }


def _answered(work: Callable[[Any], Any], task: Any) -> tuple[bool, Any]:
    try:
        with memory_told(NO_MEMORY):
            return True, work(task)
    except UserError as error:
        return False, str(error)
