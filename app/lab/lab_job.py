"""An experiment as a job in the background."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from app.catalogue import Entry
from app.jobs import Job, board
from app.lab.bench import Bench
from app.lab.open_bench import OpenBench, open_bench
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.protocol import REPORT
from recam_core.progress import ProgressFn

#: What the core calls its steps, by the beginning of its note, and what the page calls them.
_STEPS = {
    "computing features": "Computing features, picture",
    "features: waiting": "Waiting for another run that computes these features, picture",
    "features from": "Reading kept features, picture",
    "reading masks": "Reading masks, picture",
    "scoring": "Scoring, picture",
}
_TRAINING = "Training heads, epoch"
Perform = Callable[[OpenBench, ProgressFn], Experiment]


@dataclass
class LabJob(Job):
    """One experiment.

    Attributes:
        bench: what it stands on.
        kind: key of the experiment.
        perform: what it does, once the bench is open.
        command: the command line that does the same.
        found: what came out, once the state is ``DONE``.
        scored: ids of the pictures of the part that reports, in the order of the scores.
    """

    bench: Bench
    kind: str
    perform: Perform
    command: str
    found: Experiment | None = None
    scored: tuple[str, ...] = field(default=(), repr=False)

    #: The value of the page's address that names the job.
    address: ClassVar[str] = "job"

    @property
    def entry(self) -> Entry:
        """The run that everything starts from."""
        return self.bench.entry


def start_experiment(job: LabJob) -> LabJob:
    """Put an experiment to work."""
    return board().start(job, _work)


def _work(job: LabJob) -> None:
    progress = in_steps(job)
    job.begin("Opening the pictures")
    bench = open_bench(job.bench.entry, job.bench.protocol, job.bench.exact, progress)
    truth = bench.lab.truths[REPORT]
    job.scored = tuple(id for id, size in zip(truth.ids, truth.sizes, strict=True) if size is not None)
    job.begin(_TRAINING)
    job.found = job.perform(bench, progress)


def in_steps(job: Job) -> ProgressFn:
    """Progress that begins a new step wherever the core does: the time left is that of the step."""

    def progress(done: int, total: int, note: str = "") -> None:
        words = next((words for start, words in _STEPS.items() if note.startswith(start)), _TRAINING)
        if words != job.step or total != job.total or done < job.done:
            job.begin(words)
        job.progress(done, total, note)

    return progress
