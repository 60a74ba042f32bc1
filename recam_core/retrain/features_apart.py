"""Features computed by a process of its own, which stands behind the one that asks for them.

Drawing or decoding pictures and calling a network take Python's lock: a thread that does it holds up every page.
``python -m recam_core.retrain.features_apart RUN DATA`` is that process; it ends with its standard input, so that it
does not outlive who asked.
"""

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from recam_core.errors import UserError
from recam_core.priority import JOB, behind_others
from recam_core.progress import FEATURES, Cancelled, Note, ProgressFn, kind_of

#: Seconds between two questions whether to go on, and for the process to end by itself.
_LOOK, _PATIENCE = 0.3, 5.0


def features_apart(run: str | Path, data: str, progress: ProgressFn) -> None:
    """See to it that the features of a data set under a run are in the cache.

    Args:
        run: folder of the run.
        data: specification of the pictures.
        progress: called while the process works; may raise Cancelled, which ends it.

    Raises:
        UserError: as :func:`recam_core.retrain.features.build_feature_cache` does, or the process does not last.
    """
    command = [sys.executable, "-m", "recam_core.retrain.features_apart", str(Path(run).absolute()), data]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        )
    except OSError as error:
        raise UserError(f"The features cannot be computed: {error.strerror or error}.") from error
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # both are pipes
    assert stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pass_on, args=(stdout, lines), daemon=True, name="features apart").start()
    done, total, note = 0, 0, Note("features: starting", FEATURES)
    try:
        while True:
            with suppress(queue.Empty):
                if (line := lines.get(timeout=_LOOK)) is None:
                    break
                told = json.loads(line)
                if isinstance(told, str):
                    raise UserError(told)
                done, total, note = told[0], told[1], Note(*told[2:])
            progress(done, total, note)
    finally:
        with suppress(OSError):
            stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode:
        raise UserError(
            "The process that computes the features was ended from outside, perhaps for want of memory: try again, "
            "or use fewer or smaller pictures."
        )


def _pass_on(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def main(run: str, data: str) -> int:
    """Compute them; a line of JSON on standard output for each picture, and the sentence of a fault."""
    behind_others(JOB)
    is_over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()

    def progress(done: int, total: int, note: str = "") -> None:
        if is_over.is_set():
            raise Cancelled
        print(json.dumps([done, total, note, kind_of(note)]), flush=True)

    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.memory import memory_told
    from recam_core.retrain.features import build_feature_cache

    try:
        with memory_told("There is not enough memory for this; use fewer or smaller pictures."):
            build_feature_cache(load_run(run, pick_device("cpu")), open_dataset(data), progress)
    except UserError as error:
        print(json.dumps(str(error)), flush=True)
    except (Cancelled, BrokenPipeError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
