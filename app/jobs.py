"""Retraining in the background: it goes on while its page is reloaded or looked at from elsewhere."""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

import streamlit as st
import torch

from app.catalogue import Entry
from app.models import device
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.method.extraction import class_weights
from recam_core.progress import Cancelled
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import HeadResult, retrain_heads
from recam_core.scores.threshold import choose_threshold

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
#: Finished jobs that are remembered; each holds two small matrices.
REMEMBERED = 24
_STEPS = ("Computing features", "Training", "Choosing the threshold")


@dataclass
class Job:
    """One retraining, from the press of the button to its result.

    Attributes:
        id: stands in the address of the page.
        entry: the run whose backbone and FC1 it starts from.
        data: specification of the training pictures.
        recipe: the settings.
        state: ``WAITING``, ``RUNNING``, ``DONE``, ``FAILED`` or ``CANCELLED``.
        step: what is being done, for people.
        done, total: how far the step is.
        message: the sentence of a failure.
        result, threshold: what came out, once the state is ``DONE``.
        kept_as: the name of the run that it was kept as.
    """

    id: str
    entry: Entry
    data: str
    recipe: HeadRecipe
    state: str = WAITING
    step: str = "Waiting for another retraining to end"
    done: int = 0
    total: int = 0
    message: str = ""
    result: HeadResult | None = None
    threshold: float | None = None
    kept_as: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)
    _step_began: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in (DONE, FAILED, CANCELLED)

    @property
    def seconds_left(self) -> float | None:
        """Time left of the current step, once enough is known to say."""
        gone = time.monotonic() - self._step_began
        if not 0 < self.done < self.total or gone < 1:
            return None
        return gone / self.done * (self.total - self.done)

    def begin(self, step: str) -> None:
        """Enter a step."""
        self.step, self.done, self.total, self._step_began = step, 0, 0, time.monotonic()

    def progress(self, done: int, total: int, note: str = "") -> None:
        """What the work calls after each unit."""
        if self.cancel.is_set():
            raise Cancelled
        self.done, self.total = done, total


class JobBoard:
    """All jobs of this server. One works at a time: two would share the same cores and both take twice as long."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def start(self, entry: Entry, data: str, recipe: HeadRecipe) -> Job:
        """Put a retraining to work."""
        with self._lock:
            job = Job(secrets.token_urlsafe(6), entry, data, recipe)  # an id that no other visitor guesses
            self._jobs[job.id] = job
            for old in [one.id for one in self._jobs.values() if one.is_over][:-REMEMBERED]:
                del self._jobs[old]
        threading.Thread(target=self._work, args=(job,), daemon=True, name=f"retrain {job.id}").start()
        return job

    def find(self, job_id: str) -> Job | None:
        """The job of an id; None for one that is unknown, or was forgotten."""
        with self._lock:
            return self._jobs.get(job_id)

    def forget(self, job_id: str) -> None:
        """Cancel a job, if it still runs, and drop it."""
        with self._lock:
            job = self._jobs.pop(job_id, None)
        if job is not None:
            job.cancel.set()

    def _work(self, job: Job) -> None:
        # The thread's last word must be a state: a job without an end would be waited for without an end.
        try:
            with self._turn:
                if job.cancel.is_set():
                    raise Cancelled
                job.state = RUNNING
                _retrain(job)
            job.state = DONE
        except Cancelled:
            job.state = CANCELLED
        except UserError as error:
            job.message, job.state = str(error), FAILED
        except (MemoryError, torch.OutOfMemoryError):
            job.message = "There is not enough memory for these features; use fewer or smaller pictures."
            job.state = FAILED
        except BaseException:
            job.message, job.state = "The retraining broke off; the server's log says why.", FAILED
            raise


def _retrain(job: Job) -> None:
    """The work of one job, on a network of its own: the panes go on using the shared one meanwhile."""
    job.begin(_STEPS[0])
    run = load_run(job.entry.path, device())
    dataset = open_dataset(job.data)
    cache = build_feature_cache(run, dataset, job.progress)
    job.begin(_STEPS[1])
    result = retrain_heads(cache, run, job.recipe, job.progress)
    job.begin(_STEPS[2])
    weight = class_weights(result.recipe.rule, result.fc1, result.fc2).to(run.network.device)
    job.threshold = choose_threshold(run.network, weight, dataset, job.progress)
    job.result = result


@st.cache_resource(show_spinner=False)
def board() -> JobBoard:
    """The one board of this server; it outlives every session."""
    return JobBoard()
