"""Long work in the background: it goes on while its page is reloaded or looked at from elsewhere."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.shared_state import SEEN_RUNNING
from recam_core.errors import UserError
from recam_core.guest import guest, serving
from recam_core.guest_room import number_setting
from recam_core.memory import give_back_memory, memory_told
from recam_core.priority import openmp, thread_behind_others
from recam_core.progress import Cancelled

openmp()  # here, and not when the first job begins
WAITING_WORDS = "Waiting for other work to end"
NO_MEMORY = "There is not enough memory for this; use fewer or smaller pictures."
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
#: Finished jobs that are remembered; each holds little.
REMEMBERED = 24
#: Jobs that may wait or run of one visitor of a hosted app, and of all visitors together.
VISITOR_JOBS, VISITORS_JOBS = 5, 40
#: Finished jobs of one of them that are remembered: nobody's results go because others make many.
VISITOR_REMEMBERED = 6


def _new_id() -> str:
    """An id that no other visitor guesses."""
    return secrets.token_urlsafe(6)


@dataclass
class Job:
    """One piece of work, from the press of the button to its result.

    Attributes:
        id: stands in the address of the page.
        state: ``WAITING``, ``RUNNING``, ``DONE``, ``FAILED`` or ``CANCELLED``.
        step: what is being done, for people.
        done, total: how far the step is.
        message: the sentence of a failure.
        guest: name of the visitor of a hosted app who started it; only they find it. "" is everybody's.
        starter: the same name, of a job that is everybody's as well: it counts as work of who started it.
    """

    id: str = field(default_factory=_new_id, kw_only=True)
    state: str = field(default=WAITING, kw_only=True)
    step: str = field(default=WAITING_WORDS, kw_only=True)
    done: int = field(default=0, kw_only=True)
    total: int = field(default=0, kw_only=True)
    message: str = field(default="", kw_only=True)
    guest: str = field(default="", kw_only=True)
    starter: str = field(default="", kw_only=True)
    cancel: threading.Event = field(default_factory=threading.Event, kw_only=True)
    _step_began: float = field(default=0.0, kw_only=True)

    @property
    def is_shared(self) -> bool:
        """Whether every visitor of a hosted app may look at it, whoever began it."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in (DONE, FAILED, CANCELLED)

    @property
    def counted(self) -> str:
        """How far the step is, for people; "" where its length is not known."""
        return f"{self.done:,} of {self.total:,}" if self.total else ""

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


AnyJob = TypeVar("AnyJob", bound=Job)


def seen(job: AnyJob) -> AnyJob:
    """The job, which the page being drawn looks at; one that still runs is noted for :func:`ended_meanwhile`."""
    if get_script_run_ctx(suppress_warning=True) is not None and not job.is_over:
        SEEN_RUNNING.setdefault([]).append(job)
    return job


def ended_meanwhile() -> bool:
    """Whether a job that ran when this page first looked is over now. A page that takes up results at its top and tells
    of the job further down would then say that it is done, and not show what it made: it must be drawn again."""
    return any(job.is_over for job in SEEN_RUNNING.pop([]))


def _is_theirs(job: Job) -> bool:
    return not job.guest or (one := guest()) is None or job.guest == one.name


class JobBoard:
    """All jobs of this server. One works at a time: two would share the same cores and both take twice as long."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def start(self, job: AnyJob, work: Callable[[AnyJob], None], at_once: bool = False) -> AnyJob:
        """Put ``work(job)`` to work in a thread of its own, after all others or at once, for whoever starts it.

        Raises:
            UserError: a visitor of a hosted app has enough work, or all have: a thread each would take the server down.
        """
        one = guest()
        job.starter = "" if one is None else one.name
        job.guest = "" if job.is_shared else job.starter

        def serve(job: AnyJob) -> None:
            with serving(one):
                work(job)

        with self._lock:
            if job.starter:
                self._refuse_many(job.starter)
            self._jobs[job.id] = job
            over = [one for one in self._jobs.values() if one.is_over]
            theirs = [one for one in over if job.guest and one.guest == job.guest][:-VISITOR_REMEMBERED]
            for old in dict.fromkeys(one.id for one in [*over[:-REMEMBERED], *theirs]):
                del self._jobs[old]
        if at_once:
            job.state = RUNNING  # no page says that it waits for others
        threading.Thread(target=self._work, args=(job, serve, at_once), daemon=True, name=f"job {job.id}").start()
        return job

    def _refuse_many(self, name: str) -> None:
        starters = [job.starter for job in self._jobs.values() if job.starter and not job.is_over]
        most, count = number_setting("RECAM_VISITOR_JOBS", VISITOR_JOBS), starters.count(name)
        if count >= most:
            raise UserError(
                f"{count} pieces of your work wait or run already, and a visitor of this app may have {most}. Wait for "
                "one to end, or cancel one."
            )
        if len(starters) >= number_setting("RECAM_VISITORS_JOBS", VISITORS_JOBS):
            raise UserError("So much work of visitors waits here that no more is taken. Try again in some minutes.")

    def running(self, kind: type[AnyJob]) -> list[AnyJob]:
        """The jobs of a kind that are not over, whoever started them, visitors of a hosted app included."""
        with self._lock:
            return [job for job in self._jobs.values() if isinstance(job, kind) and not job.is_over]

    def find(self, job_id: str) -> Job | None:
        """The job of an id; None for one that is unknown, or was forgotten, or is another visitor's."""
        with self._lock:
            job = self._jobs.get(job_id)
        return seen(job) if job is not None and _is_theirs(job) else None

    def forget(self, job_id: str) -> None:
        """Cancel a job, if it still runs, and drop it."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or not _is_theirs(job):
                return
            del self._jobs[job_id]
        job.cancel.set()

    def _work(self, job: AnyJob, work: Callable[[AnyJob], None], at_once: bool) -> None:
        # The thread's last word must be a state: a job without an end would be waited for without an end.
        try:
            with nullcontext() if at_once else self._one_at_a_time:
                if job.cancel.is_set():
                    raise Cancelled
                job.state = RUNNING
                thread_behind_others()
                with memory_told(NO_MEMORY):
                    work(job)
            job.state = DONE
        except Cancelled:
            job.state = CANCELLED
        except UserError as error:
            job.message, job.state = str(error), FAILED
        except BaseException:
            job.message, job.state = "The work broke off; the server's log says why.", FAILED
            raise
        finally:
            give_back_memory()


@st.cache_resource(show_spinner=False)
def board() -> JobBoard:
    """The one board of this server; it outlives every session."""
    return JobBoard()
