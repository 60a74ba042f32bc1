"""Loss and score curves of a training, while it goes on."""

from typing import Any

from recam_core.views.charts.curves import Curve

#: Key of a curve -> what the chart calls it.
_LOSSES = {"loss": "total", "bce": "L_bce", "sce": "L_sce", "fc2_bce": "L_bce of FC2"}
_SCORES = {"val_seed_miou": "seed mIoU", "val_map": "mAP of the labels"}


def loss_curves(losses: dict[str, Any], epochs: list[dict[str, Any]], steps: int, count: int) -> list[Curve]:
    """Losses over the epochs, with fractions.

    Args:
        losses: the curve of the steps, see :class:`recam_core.queue.reporter.LossCurve`.
        epochs: entries of the finished epochs.
        steps, count: steps and epochs of the whole training.
    """
    names = losses.get("names", [])
    # With a single part the total says it all.
    shown = [name for name in names if name in _LOSSES and (len(names) > 2 or name == "loss")]
    scale = count / steps if steps else 0
    points = losses.get("points", [])
    curves = [
        Curve(
            _LOSSES[name],
            tuple(point[0] * scale for point in points),
            tuple(point[1 + names.index(name)] for point in points),
        )
        for name in shown
    ]
    return [curve for curve in [*curves, _of_epochs(epochs, "val_loss", "of the watched pictures")] if curve.epochs]


def score_curves(epochs: list[dict[str, Any]]) -> list[Curve]:
    """Scores in 0..1 over the epochs."""
    return [curve for name, title in _SCORES.items() if (curve := _of_epochs(epochs, name, title)).epochs]


def _of_epochs(epochs: list[dict[str, Any]], name: str, title: str) -> Curve:
    known = [entry for entry in epochs if isinstance(entry.get(name), (int, float))]
    return Curve(title, tuple(float(entry["epoch"]) for entry in known), tuple(float(entry[name]) for entry in known))
