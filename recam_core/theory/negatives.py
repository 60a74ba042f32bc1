"""The gradient that a confusing negative still receives, along a real training.

A picture of a cow *and* a sheep, masked to the cow, is a single-label feature: the cow is right, and the sheep, which
stands beside it, is the negative most easily confused. Of each such feature the highest logit among the classes that
stand beside it is looked at, and the gradient that BCE, sigmoid(z)_q, and SCE, softmax(z)_q, would give it.

The logits are those of FC2 where there is one (equation 4). Without it they are FC1's of the masked features, averaged
by the mask, since FC1 has learnt averages of whole pictures and not of pictures that are mostly 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recam_core import ranks
from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import Run
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.method.cam import normalise, responses
from recam_core.method.masks import parse_mask
from recam_core.method.step import batch_pairs, single_label_logits
from recam_core.progress import ProgressFn, silent
from recam_core.records import RecordError, opened_record

#: Beside a run's curves.
NEGATIVES_FILE = "negatives.json"
#: Of the distribution at each point of the curve.
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: A gradient below this share of the greatest, which is 1, counts as gone.
GONE = 0.1
#: Points of the curve in an epoch, at most.
PARTS = 10
LOSSES = ("bce", "sce")
#: Gradients are counted by their log-odds, in which neither end is crowded: bins of a twentieth from -16 to 16.
_REACH, _BINS = 16.0, 640


@dataclass(frozen=True)
class NegativePoint:
    """The distribution over the features of a part of an epoch, or of a data set.

    Attributes:
        epoch: where on the curve, in epochs; 0 for a data set.
        features: how many single-label features had a class beside theirs.
        quantiles: by loss, the gradient at each of :data:`QUANTILES`.
        gone: by loss, the share of the features whose negative receives less than :data:`GONE`.
    """

    epoch: float
    features: int
    quantiles: dict[str, tuple[float, ...]]
    gone: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "epoch": self.epoch,
            "features": self.features,
            **{name: list(self.quantiles[name]) for name in LOSSES},
            **{f"{name}_gone": self.gone[name] for name in LOSSES},
        }


@dataclass(frozen=True)
class NegativeCurve:
    """What a run keeps.

    Attributes:
        head: ``fc1`` or ``fc2``, whose logits they are.
        loss: ``bce`` or ``sce``, by which that one was trained.
        points: along the training.
    """

    head: str
    loss: str
    points: tuple[NegativePoint, ...]


def log_odds_of_negative(logits: Tensor, category: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The confusing negative of each single-label feature.

    Args:
        logits: P x K, or P x (K + 1) with a background row.
        category: P int64, the class p that each is masked to; K for a background, which is left out.
        beside: P x K bool or 0 and 1, the classes that its picture shows.

    Returns:
        Log-odds of BCE's gradient on the negative q (z_q itself) and of SCE's (z_q less the log of the sum over all
        others), P each, and which features have a q: P bool. Nothing here makes a GPU wait.
    """
    classes = beside.shape[1]
    number = torch.arange(classes, device=logits.device)
    others = beside.bool() & (number != category[:, None])
    valid = others.any(dim=1) & (category < classes)
    low = torch.finfo(logits.dtype).min
    bce, q = logits[:, :classes].masked_fill(~others, low).max(dim=1)
    rest = logits.scatter(1, q[:, None], -math.inf).logsumexp(dim=1)
    return torch.where(valid, bce, 0.0), torch.where(valid, bce - rest, 0.0), valid


class NegativeCounts:
    """Counts on the device, in a histogram a part of an epoch and loss; read at the end of an epoch.

    Args:
        parts: how many parts.
        device: where the logits are.
    """

    def __init__(self, parts: int, device: torch.device | str) -> None:
        self._counts = torch.zeros(parts * len(LOSSES) * _BINS, dtype=torch.float64, device=device)
        self.parts = parts

    @torch.no_grad()
    def add_pairs(self, part: int, logits: Tensor, category: Tensor, beside: Tensor) -> None:
        """Count single-label features; see :func:`log_odds_of_negative`."""
        *odds, valid = log_odds_of_negative(logits.detach(), category, beside)
        for place, values in enumerate(odds):
            bins = ((values + _REACH) * (_BINS / (2 * _REACH))).long().clamp(0, _BINS - 1)
            bins += (part * len(LOSSES) + place) * _BINS
            self._counts.index_add_(0, bins, valid.to(self._counts.dtype))

    @torch.no_grad()
    def add_pictures(self, part: int, features: Tensor, labels: Tensor, fc1: Tensor) -> None:
        """Count pictures whose features FC1 sees.

        Args:
            part: of the epoch.
            features: B x C x h x w.
            labels: B x K, multi-hot.
            fc1: K x C.
        """
        self.add_pairs(part, *fc1_pairs(features.detach(), labels, fc1.detach()))

    def read(self, epoch: float = 0.0) -> list[NegativePoint]:
        """The points since the last reading, of all ranks, for an epoch that ended at ``epoch``; begins anew."""
        counts = ranks.add_up(self._counts).detach().to("cpu", copy=True).reshape(self.parts, len(LOSSES), _BINS)
        self._counts.zero_()
        points = []
        for part, both in enumerate(counts):
            features = round(float(both[0].sum()))
            if features:
                points.append(
                    NegativePoint(
                        round(epoch - 1 + (part + 1) / self.parts, 6) if epoch else 0.0,
                        features,
                        {name: _quantiles(both[place]) for place, name in enumerate(LOSSES)},
                        {name: _share_below(both[place], GONE) for place, name in enumerate(LOSSES)},
                    )
                )
        return points


def fc1_pairs(features: Tensor, labels: Tensor, fc1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """FC1's logits of the features masked to every class, present or not, so that shapes do not hang on the labels.

    Args:
        features: B x C x h x w.
        labels: B x K, multi-hot.
        fc1: K x C.

    Returns:
        Logits BK x K (mean of w_q . f(x) over the pixels, weighted by CAM_p), class p of each BK, and the classes
        beside it, BK x K; none for a p that is absent or has an empty map, so that it is not counted.
    """
    count, classes = labels.shape
    raw = responses(features, fc1).flatten(2)
    masks = normalise(raw.relu()[..., None])[..., 0]
    # The mask weighs pixels, and the classifier is linear: masked logits are one product of masks and responses.
    logits = masks @ raw.transpose(1, 2) / masks.sum(dim=2, keepdim=True).clamp_min(1e-12)
    present = labels > 0
    # Nor has a p whose map is empty any feature.
    beside = present[:, None, :] & (present & (masks.sum(dim=2) > 0))[:, :, None]
    category = torch.arange(classes, device=features.device).repeat(count)
    return logits.flatten(0, 1), category, beside.flatten(0, 1)


def _quantiles(counts: Tensor) -> tuple[float, ...]:
    """Of a histogram over log-odds, as gradients; within a bin, features are spread evenly."""
    total = counts.cumsum(0)
    wanted = torch.tensor(QUANTILES, dtype=counts.dtype) * total[-1]
    place = torch.searchsorted(total, wanted).clamp(max=_BINS - 1)
    inside = 1 - (total[place] - wanted) / counts[place].clamp_min(1e-12)
    odds = (place + inside.clamp(0, 1)) * (2 * _REACH / _BINS) - _REACH
    return tuple(round(value, 6) for value in odds.sigmoid().tolist())


def _share_below(counts: Tensor, gradient: float) -> float:
    bins = (math.log(gradient / (1 - gradient)) + _REACH) * (_BINS / (2 * _REACH))
    whole = int(bins)
    below = counts[:whole].sum() + counts[whole] * (bins - whole)
    return round(float(below / counts.sum()), 6)


def measure_negatives(run: Run, dataset: Dataset, progress: ProgressFn = silent) -> NegativeCurve:
    """The distribution under a finished checkpoint over a data set, at scale 1: a curve of one point.

    Args:
        run: its FC2 with the mask that it was trained with, else its FC1.
        dataset: pictures with labels, in the run's classes; those of two classes and more are looked at.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: other classes, no picture with two classes, or a broken picture.
    """
    if tuple(dataset.classes.names) != tuple(run.info.classes):
        raise UserError(f"The classes of {dataset.spec} are not those of the run {run.info.name}.")
    network = run.network
    fc1, fc2 = network.fc1.detach().float(), None if network.fc2 is None else network.fc2.detach().float()
    mask = parse_mask(str(run.info.recipe.get("mask", "soft")))
    counts = NegativeCounts(1, network.device)
    for index in range(len(dataset)):
        labels = torch.from_numpy(dataset.labels(index).copy())[None]
        if labels.sum() > 1:
            sample = dataset.load(index)
            pairs, labels = batch_pairs(labels, with_row=False).to(network.device), labels.to(network.device)
            with torch.inference_mode(), device_gate(network.device):
                features = network.features(network.preprocess(sample.image)).float()
            if fc2 is None:
                counts.add_pictures(0, features, labels, fc1)
            else:
                truth = None
                if mask.needs_truth:
                    if sample.mask is None:
                        raise UserError(f"{run.info.name} masks by ground truth, and {sample.id} has none.")
                    truth = torch.from_numpy(sample.mask.copy())[None].to(network.device)
                with torch.inference_mode():
                    logits, category, image = single_label_logits(features, labels, fc1, fc2, mask, truth, pairs=pairs)
                counts.add_pairs(0, logits, category, labels[image])
        progress(index + 1, len(dataset), "features")
    points = counts.read()
    if not points:
        raise UserError(f"No picture of {dataset.spec} shows two classes, so no class stands beside another.")
    return NegativeCurve(*watched(run.info.method, run.info.recipe), tuple(points))


def watched(method: str, recipe: dict[str, Any]) -> tuple[str, str]:
    """Which classifier is looked at, and the loss that it was trained by."""
    if method in ("recam", "heads"):
        loss = recipe.get("fc2_loss", recipe.get("loss", "sce"))
        return "fc2", loss if loss in LOSSES else "sce"
    return "fc1", "sce" if method == "sce" else "bce"


def write_negatives(run: Path, head: str, loss: str, points: Sequence[dict[str, Any]]) -> None:
    """Keep the curve beside the others. Raises UserError where the disk is full."""
    write_json(run / NEGATIVES_FILE, {"head": head, "loss": loss, "quantiles": list(QUANTILES), "points": list(points)})


def read_negatives(run: Path) -> NegativeCurve | None:
    """The curve of a run; None for one that has none, as those of older versions, or one that is damaged."""
    try:
        with opened_record(run / NEGATIVES_FILE) as values:
            return negatives_from_json(values)
    except RecordError:
        return None


def negatives_from_json(values: dict[str, Any]) -> NegativeCurve:
    """What :func:`write_negatives` wrote. Raises ValueError, KeyError or TypeError for anything else."""
    if values["head"] not in ("fc1", "fc2") or values["loss"] not in LOSSES or values["quantiles"] != list(QUANTILES):
        raise ValueError("no curve of negatives")
    points = []
    for point in values["points"]:
        quantiles = {name: tuple(float(value) for value in point[name]) for name in LOSSES}
        gone = {name: float(point[f"{name}_gone"]) for name in LOSSES}
        numbers = [*quantiles["bce"], *quantiles["sce"], *gone.values()]
        if len(numbers) != 2 * len(QUANTILES) + 2 or not all(0 <= value <= 1 for value in numbers):
            raise ValueError("a share that is none")
        epoch, features = float(point["epoch"]), int(point["features"])
        if not (0 <= epoch <= 1e6 and 0 < features < 1 << 53):
            raise ValueError("a point out of range")
        points.append(NegativePoint(epoch, features, quantiles, gone))
    return NegativeCurve(values["head"], values["loss"], tuple(points))
