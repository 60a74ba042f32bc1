"""Attribution methods side by side on a data set: seeds, localisation, faithfulness and what a picture costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recam_core.attribution.map_scores import (
    Faithfulness,
    FaithfulnessSettings,
    Localisation,
    faithfulness,
    localisation,
    mean_scores,
    mean_told,
)
from recam_core.attribution.maps import attribution_maps
from recam_core.attribution.subject import AttributionSettings
from recam_core.attribution.table import method_of
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, ProgressFn, silent
from recam_core.scores.bootstrap import interval_ends, picture_weights
from recam_core.scores.evaluate import Evaluation, Tally
from recam_core.scores.scores import json_number
from recam_core.scores.table import aligned

#: Scores of a sample: by ground truth, and by what the network answers.
LOCALISATION = ("pointing", "energy", "best_iou", "iou", "share")
FAITHFULNESS = ("deletion", "insertion", "infidelity", "sensitivity")


@dataclass(frozen=True)
class Sampled:
    """A score of several pictures.

    Attributes:
        mean: over the pictures that have it; nan without any.
        interval: 95 % interval over pictures; nan with fewer than two.
        pictures: that have it.
    """

    mean: float
    interval: tuple[float, float]
    pictures: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values; nan becomes None."""
        return {
            "mean": json_number(self.mean),
            "interval": [json_number(end) for end in self.interval],
            "pictures": self.pictures,
        }


@dataclass(frozen=True)
class MethodScores:
    """What came out for one method.

    Attributes:
        method: its key.
        title: as tables write it.
        pictures: that maps were made of.
        evaluation: the seeds against the ground truth; None without masks.
        threshold: of the background, chosen on other pictures; None where there is none to choose.
        scores: by name (:data:`LOCALISATION`, :data:`FAITHFULNESS`); only what was measured.
        processor_seconds: a picture, of the maps alone: the time of the processor where that does the work, which other
            programs beside it do not change much; else the time that passes.
        seconds: a picture: the time that passed.
        refused: why there is nothing of all this, in words; "" where there is.
    """

    method: str
    title: str
    pictures: int = 0
    evaluation: Evaluation | None = None
    threshold: float | None = None
    scores: dict[str, Sampled] = field(default_factory=dict)
    processor_seconds: float = float("nan")
    seconds: float = float("nan")
    refused: str = ""

    @property
    def miou(self) -> float:
        """Of the seeds, at the threshold from other pictures where there is one; nan without masks."""
        if self.evaluation is None:
            return float("nan")
        return (self.evaluation.fixed or self.evaluation.best).miou

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "method": self.method,
            "title": self.title,
            "pictures": self.pictures,
            "miou": json_number(self.miou),
            "threshold": self.threshold,
            "seeds": None if self.evaluation is None else self.evaluation.to_json(),
            "scores": {name: one.to_json() for name, one in self.scores.items()},
            "processor_seconds": json_number(self.processor_seconds),
            "seconds": json_number(self.seconds),
            "refused": self.refused,
        }


@dataclass(frozen=True)
class ComparePlan:
    """What is compared, and on how many pictures.

    Attributes:
        pictures: of the data set, evenly spread, for seeds and localisation; None for all.
        select: pictures of the set on which thresholds are chosen, evenly spread; None for all.
        faithful: pictures for the scores without ground truth, evenly spread among the former; 0 for none.
        head: whose logits are explained; see :func:`~recam_core.attribution.maps.attribution_maps`.
        settings: of the methods.
        faithfulness: of the scores without ground truth.
        draws: of pictures, for intervals.
    """

    pictures: int | None = None
    select: int | None = None
    faithful: int = 12
    head: str | torch.Tensor = "fc1"
    settings: AttributionSettings | None = None
    faithfulness: FaithfulnessSettings = field(default_factory=FaithfulnessSettings)
    draws: int = 1000


def compare_methods(
    network: CamNetwork,
    dataset: Dataset,
    methods: Sequence[str],
    plan: ComparePlan | None = None,
    *,
    selection: Dataset | None = None,
    threshold: float | None = None,
    each: Callable[[MethodScores], None] = lambda found: None,
    progress: ProgressFn = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[MethodScores]:
    """Score attribution methods on a data set, the maps being of the classes that each picture shows.

    Args:
        network: in evaluation mode.
        dataset: pictures; without masks there are no seeds and no localisation.
        methods: keys of :data:`~recam_core.attribution.table.METHODS`.
        plan: how much of it.
        selection: other pictures, with masks, on which each method's background threshold is chosen. Without it, and
            without ``threshold``, seeds are scored at the best threshold of the very pictures, which flatters.
        threshold: one background threshold for all methods.
        each: called with what came out after each method.
        progress: called after each picture with (done, all, what is being done); may raise Cancelled.
        cancelled: asked before each picture and pass; True raises Cancelled.

    Raises:
        UserError: unknown method, or a set without pictures or with other classes. A method that the network does not
            allow is no error: it is ``refused``.
        Cancelled: the work was stopped.
    """
    plan = plan or ComparePlan()
    wanted = [method_of(key) for key in dict.fromkeys(methods)]
    if selection is not None and (
        selection.classes.names != dataset.classes.names or not selection.classes.has_background
    ):
        raise UserError(
            f"Thresholds cannot be chosen on {selection.spec}: it needs the classes of {dataset.spec} and a background."
        )
    indices = _spread(len(dataset), plan.pictures)
    if threshold is not None:
        selection = None
    chosen = [] if selection is None else _spread(len(selection), plan.select)
    if not indices:
        raise UserError(f"{dataset.spec} has no pictures.")
    faithful = {indices[place] for place in _spread(len(indices), plan.faithful)}
    work = _Work(network, plan, len(indices) + len(chosen), len(wanted), progress, cancelled)
    found = []
    for method in wanted:
        try:
            limit = work.threshold(method.key, selection, chosen) if selection is not None and chosen else threshold
            one = work.scores(method.key, dataset, indices, faithful, limit)
        except _Refused as refused:
            one = MethodScores(method.key, method.title, refused=str(refused))
        work.finished()
        found.append(one)
        each(one)
    return found


def _spread(count: int, most: int | None) -> list[int]:
    """Indices of at most so many of ``count``, evenly spread."""
    if most is None or most >= count:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist() if most else []


class _Refused(Exception):
    """A method that the network does not allow; faults of the data are no such thing."""


class _Work:
    """The pictures of all methods, one after the other, with their place in the whole."""

    def __init__(
        self,
        network: CamNetwork,
        plan: ComparePlan,
        pictures: int,
        methods: int,
        progress: ProgressFn,
        cancelled: Callable[[], bool],
    ) -> None:
        self._network, self._plan, self._progress, self._cancelled = network, plan, progress, cancelled
        self._pictures, self._total = pictures, pictures * methods
        self._methods = self._done = 0

    def finished(self) -> None:
        """A method is done, or was refused on its way."""
        self._methods += 1
        self._done = self._methods * self._pictures

    def _step(self, note: str) -> None:
        self._done += 1
        self._progress(self._done, self._total, note)

    def _maps(self, method: str, image: np.ndarray, labels: np.ndarray, id: str) -> ActivationMaps:
        if self._cancelled():
            raise Cancelled
        try:
            return attribution_maps(
                self._network,
                image,
                np.flatnonzero(labels),
                method,
                head=self._plan.head,
                settings=self._plan.settings,
                cancelled=self._cancelled,
                id=id,
            )
        except UserError as error:
            raise _Refused(str(error)) from None

    def threshold(self, method: str, selection: Dataset, chosen: Sequence[int]) -> float | None:
        """The best background threshold on pictures of another set; None where it has no masks."""
        tally, any_mask = Tally(selection.classes), False
        for index in chosen:
            sample = selection.load(index)
            if sample.mask is not None:
                any_mask = True
                tally.add(self._maps(method, sample.image, sample.labels, sample.id), sample.mask)
            self._step(f"{method_of(method).title}: threshold")
        return tally.evaluation().best.threshold if any_mask else None

    def scores(
        self, method: str, dataset: Dataset, indices: Sequence[int], faithful: set[int], threshold: float | None
    ) -> MethodScores:
        """One method on the pictures."""
        plan, title = self._plan, method_of(method).title
        tally, places, answers = Tally(dataset.classes), [], []
        seconds, processor = [], []
        for index in indices:
            sample = dataset.load(index)
            started, busy = time.perf_counter(), time.process_time()
            maps = self._maps(method, sample.image, sample.labels, sample.id)
            seconds.append(time.perf_counter() - started)
            processor.append(time.process_time() - busy)
            tally.add(maps, sample.mask)
            if sample.mask is not None:
                places.append(localisation(maps, sample.mask, dataset.classes, threshold))
            if index in faithful:
                answers.append(self._faithfulness(method, sample.image, maps))
            self._step(title)
        evaluation = None
        if places:
            evaluation = tally.evaluation(
                title,
                threshold=threshold,
                threshold_from="chosen on other pictures",
                resamples=plan.draws if len(places) > 1 else 0,
            )
        on_cpu = self._network.device.type == "cpu"
        return MethodScores(
            method,
            title,
            len(indices),
            evaluation,
            threshold,
            sampled_scores(places, answers, plan.draws),
            float(np.mean(processor if on_cpu else seconds)),
            float(np.mean(seconds)),
        )

    def _faithfulness(self, method: str, image: np.ndarray, maps: ActivationMaps) -> Faithfulness:
        labels = np.zeros(int(maps.classes.max(initial=-1)) + 1)
        labels[maps.classes] = 1
        return faithfulness(
            self._network,
            image,
            maps,
            head=self._plan.head,
            explain=lambda picture: self._maps(method, picture, labels, ""),
            settings=self._plan.faithfulness,
            cancelled=self._cancelled,
        )


def sampled_scores(
    places: Sequence[Localisation], answers: Sequence[Faithfulness], draws: int = 1000
) -> dict[str, Sampled]:
    """The mean of each score over pictures, with an interval; a picture's score is the mean over its classes."""
    found = {}
    for name in LOCALISATION:
        values = np.array([mean_told(getattr(one, name)) for one in places])
        if len(values) and not np.isnan(values).all():
            found[name] = sampled(values, draws)
    for name, values in mean_scores(answers).items() if answers else ():
        if not np.isnan(values).all():
            found[name] = sampled(values, draws)
    return found


def sampled(values: np.ndarray, draws: int = 1000, seed: int = 0) -> Sampled:
    """The mean of N pictures' scores (nan: has none) with its 95 % interval over draws of pictures."""
    told = values[~np.isnan(values)]
    if not len(told):
        return Sampled(float("nan"), (float("nan"), float("nan")), 0)
    mean = float(told.mean())
    if len(told) < 2 or draws < 1:
        return Sampled(mean, (float("nan"), float("nan")), len(told))
    weights = picture_weights(np.random.default_rng(seed), len(told), draws)
    low, high = interval_ends(told @ weights / len(told), mean)
    return Sampled(mean, (float(low), float(high)), len(told))


def compare_table(found: Sequence[MethodScores], has_background: bool) -> list[str]:
    """The lines of a table for people, and what its columns mean."""
    columns = ["seed mIoU", "95 %"] + (["thr."] if has_background else [])
    columns += ["points", "energy", "IoU*", "deletion", "insertion", "infidelity", "sensitivity", "s"]
    rows = []
    for one in found:
        if one.refused:
            continue
        interval = one.evaluation.interval if one.evaluation is not None else None
        row = [one.title, _hundred(one.miou), _span(interval, 100, 1)]
        if has_background:
            cut = one.evaluation.fixed or one.evaluation.best if one.evaluation is not None else None
            star = "" if one.threshold is not None else "!"
            row.append("-" if cut is None or cut.threshold is None else f"{cut.threshold:.2f}{star}")
        for name in ("pointing", "energy", "best_iou"):
            row.append(_hundred(one.scores[name].mean) if name in one.scores else "-")
        for name in FAITHFULNESS:
            row.append(
                f"{one.scores[name].mean:.3f} ({_span(one.scores[name].interval, 1, 3)})" if name in one.scores else "-"
            )
        rows.append([*row, f"{one.processor_seconds:.2f}"])
    lines = [aligned([["", *columns], *rows])]
    lines += [f"{one.title}: left out. {one.refused}" for one in found if one.refused]
    lines.append(
        "points: the highest activation lies on the class, %; energy: share of the activation on the class, %; "
        "IoU*: at the best threshold of each picture and class, %, which flatters. Deletion (lower is better) and "
        "insertion (higher): areas under the class's probability. Infidelity: share of the changes not foretold, lower "
        "is better. Sensitivity: change of the maps under noise, lower is better. Brackets: 95 % over pictures. s: "
        "seconds a picture, of the processor on a CPU."
    )
    if has_background and any(one.threshold is None and not one.refused for one in found):
        lines.append(
            "thr. !: the best threshold of these very pictures, which flatters; --select chooses it on others."
        )
    return lines


def _hundred(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"


def _span(interval: tuple[float, float] | None, factor: float, digits: int) -> str:
    if interval is None or np.isnan(interval[0]):
        return "-"
    return f"{factor * interval[0]:.{digits}f} - {factor * interval[1]:.{digits}f}"
