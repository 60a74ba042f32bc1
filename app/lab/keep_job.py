"""Keeping the heads behind a point as a named run, in the background."""

from dataclasses import dataclass, replace

from app.catalogue import Entry
from app.jobs import Job, board
from app.lab.lab_job import LabJob
from app.models import device
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.experiments.lab import Measured, maps_weight
from recam_core.folders import runs_folder
from recam_core.retrain.heads import HeadResult
from recam_core.retrain.named_run import keep_heads
from recam_core.scores.thresholds import choose_threshold


@dataclass
class KeepJob(Job):
    """Keeping one head.

    Attributes:
        entry: the run that it was trained on.
        fit, select: specifications of the parts that trained it and that choose its threshold.
        head: what is kept, see :func:`readable_head`.
        name: of the new run, checked.
        command: the command line that trains it again.
        threshold: one that was chosen on all pixels at the usual scales already; None chooses it here.
    """

    entry: Entry
    fit: str
    select: str
    head: HeadResult
    name: str
    command: str
    threshold: float | None = None


def readable_head(one: Measured, seed: int) -> HeadResult:
    """The head of a seed with the rule that its maps were made by: without a trained FC2, that is FC1's."""
    head = one.heads[seed]
    return head if head.recipe.weight > 0 else replace(head, recipe=replace(head.recipe, rule="fc1"))


def start_keeping(job: LabJob, one: Measured, seed: int, name: str, command: str) -> KeepJob:
    """Put it to work."""
    protocol, exact = job.bench.protocol, job.found.exact
    threshold = one.select[seed].scores.threshold if exact else None
    head = readable_head(one, seed)
    return board().start(KeepJob(job.bench.entry, protocol.fit, protocol.select, head, name, command, threshold), _keep)


def _keep(job: KeepJob) -> None:
    run = load_run(job.entry.path, device())
    threshold = job.threshold
    if threshold is None:
        job.begin("Choosing the background threshold at the usual scales, picture")
        weight = maps_weight(job.head).to(run.network.device)
        threshold = choose_threshold(run.network, weight, open_dataset(job.select), job.progress)
    job.begin("Writing the run")
    keep_heads(runs_folder(), job.name, run, job.fit, job.head, threshold, job.command)
