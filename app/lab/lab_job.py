"""An experiment as a job in the background, the features that the next one begins with, and the jobs of a session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import streamlit as st

from app.catalogue import Entry
from app.jobs import Job, board, seen
from app.lab.setup import Setup
from app.links import keep, kept
from app.models import device
from recam_core.checkpoint.run_folder import load_run
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.lab import HeadLab, Setting, SettingResult, open_lab
from recam_core.experiments.protocol import REPORT, Protocol
from recam_core.experiments.study import Study
from recam_core.progress import FEATURES, KEPT_FEATURES, MASKS, SCORES, WAITED_FOR, ProgressFn, kind_of

#: Kinds of steps, and what the page calls them.
_STEPS = {
    FEATURES: "Computing features, picture",
    WAITED_FOR: "Waiting for another run that computes these features, picture",
    KEPT_FEATURES: "Reading kept features, picture",
    MASKS: "Reading masks, picture",
    SCORES: "Scoring, picture",
}
_TRAINING = "Training heads, epoch"


@dataclass
class LabJob(Job):
    """One experiment.

    Attributes:
        setup: what it stands on.
        study: what is asked.
        command: the command line that does the same.
        result: what came out, once the state is ``DONE``.
        scored: ids of the pictures of the part that reports, in the order of the scores.
    """

    setup: Setup
    study: Study
    command: str
    result: Experiment | None = None
    scored: tuple[str, ...] = field(default=(), repr=False)

    #: The value of the page's address that names the job.
    address: ClassVar[str] = "job"

    @property
    def kind(self) -> str:
        """Key of the question."""
        return self.study.kind

    @property
    def entry(self) -> Entry:
        """The run that everything starts from."""
        return self.setup.entry

    @property
    def found(self) -> Experiment:
        """What came out; only once the state is ``DONE``."""
        assert self.result is not None, "asked for a result that is not there yet"
        return self.result


def start_experiment(job: LabJob) -> LabJob:
    """Put an experiment to work."""
    return board().start(job, _work)


def _work(job: LabJob) -> None:
    progress = in_steps(job)
    job.begin("Opening the pictures")
    opened = open_setup(job.setup.entry, job.setup.protocol, job.setup.exact, progress)
    truth = opened.lab.truths[REPORT]
    job.scored = tuple(id for id, size in zip(truth.ids, truth.sizes, strict=True) if size is not None)
    job.begin(_TRAINING)
    job.result = job.study.run(opened.lab, progress, opened.measure)


def in_steps(job: Job) -> ProgressFn:
    """Progress that begins a new step wherever the core does: the time left is that of the step."""

    def progress(done: int, total: int, note: str = "") -> None:
        words = _STEPS.get(kind_of(note), _TRAINING)
        if words != job.step or total != job.total or done < job.done:
            job.begin(words)
        job.progress(done, total, note)

    return progress


@dataclass
class OpenSetup:
    """What experiments stand on, with its features.

    Attributes:
        lab: on a network of its own: the viewer goes on using the shared one meanwhile.
        tried: the settings that were measured last.
        measured: what came out for them: advice for another pair of the same grid needs no new heads.
    """

    lab: HeadLab
    tried: tuple[Setting, ...] = ()
    measured: tuple[SettingResult, list[SettingResult]] | None = None

    def measure(self, settings: Sequence[Setting], progress: ProgressFn) -> tuple[SettingResult, list[SettingResult]]:
        """:meth:`HeadLab.measure`, from memory where the same settings were measured last."""
        if self.measured is None or self.tried != tuple(settings):
            self.measured = None
            self.measured = self.lab.measure(settings, progress)
            self.tried = tuple(settings)
        return self.measured


@dataclass
class _Shelf:
    """One setup at a time: its features may be gigabytes. Only jobs open them, and these take turns."""

    key: tuple[object, ...] = ()
    opened: OpenSetup | None = None


@st.cache_resource(show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


def open_setup(entry: Entry, protocol: Protocol, exact: bool, progress: ProgressFn) -> OpenSetup:
    """The setup as it was left by the last job, or opened anew.

    Raises:
        UserError: see :func:`recam_core.experiments.lab.open_lab`.
    """
    shelf, key = _shelf(), (str(entry.path), entry.info.weights_sha256, protocol, exact)
    if shelf.opened is None or shelf.key != key:
        shelf.key, shelf.opened = (), None  # before the next one, so that both are never in memory
        shelf.opened = OpenSetup(open_lab(load_run(entry.path, device()), protocol, exact, progress))
        shelf.key = key
    return shelf.opened


def remember(job: LabJob) -> None:
    """Make a job the current one of its kind."""
    _jobs()[job.kind] = job
    keep(LabJob.address, job.id)
    keep("point", "")


def current(kind: str) -> LabJob | None:
    """The job of a kind: the one that the address names, or the last one that this session began."""
    named = board().find(kept(LabJob.address))
    if isinstance(named, LabJob) and named.kind == kind:
        _jobs()[kind] = named
    job = _jobs().get(kind)
    if job is not None:
        keep(LabJob.address, seen(job).id)
    return job


def is_lost(kind: str) -> bool:
    """Whether the address names a result that is not kept any more; such a name is then taken out of it."""
    if current(kind) is not None:
        return False
    lost = bool(kept(LabJob.address)) and board().find(kept(LabJob.address)) is None
    keep(LabJob.address, "")
    return lost


def _jobs() -> dict[str, LabJob]:
    return st.session_state.setdefault("lab_jobs", {})
