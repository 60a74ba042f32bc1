"""The paper's control: is it the softmax, or merely a second layer?"""

from collections.abc import Sequence
from dataclasses import replace

from recam_core.errors import UserError
from recam_core.experiments.chart import SEED_SPREAD, Chart, joined, panels
from recam_core.experiments.experiment import (
    Experiment,
    choose,
    pictures_of,
    reference_figures,
    standing_notes,
    table_rows,
)
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, Measured, Setting, check_fc2_trained, check_settings, seeded
from recam_core.experiments.noise import Draws, percent, points
from recam_core.experiments.protocol import REPORT
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import DEFAULTS, LOSSES, HeadRecipe

#: Factors on the learning rate: each loss is given the one that suits it.
RATES = (0.25, 1.0, 4.0)
_TITLES = {"sce": "SCE", "bce": "BCE"}


def loss_settings(rates: Sequence[float], seeds: Sequence[int], base: HeadRecipe) -> list[Setting]:
    """What :func:`loss_control` tries; raises UserError as it does."""
    check_fc2_trained(base)
    if not all(factor > 0 for factor in rates):
        raise UserError("A factor on the learning rate must be above 0.")
    rate = base.lr or DEFAULTS[base.update][1]
    settings = [
        Setting(
            f"{_TITLES[loss]}, learning rate {rate * factor:g}",
            seeded(replace(base, loss=loss, lr=rate * factor), seeds),
            {"loss": loss, "lr": rate * factor},
        )
        for loss in LOSSES
        for factor in sorted(rates)
    ]
    return check_settings(settings)


def loss_control(
    lab: HeadLab,
    rates: Sequence[float] = RATES,
    seeds: Sequence[int] = (0,),
    base: HeadRecipe = HeadRecipe(),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """SCE against BCE on FC2, from the same masked features.

    Each loss may have another learning rate, chosen on the select part like any setting, so that neither loses for
    want of a rate that suits it.

    Args:
        lab: run and data.
        rates: factors on the learning rate of ``base``.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: a setting out of range, or a rate twice, or lambda 0.
    """
    settings = loss_settings(rates, seeds, base)
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    by_loss = {loss: [one for one in found if one.setting.values["loss"] == loss] for loss in LOSSES}
    best = {loss: choose(some) for loss, some in by_loss.items()}
    lines = [
        panels(some, [one.setting.values["lr"] for one in some], lab.protocol, group=_TITLES[loss])
        for loss, some in by_loss.items()
    ]
    return Experiment(
        "loss",
        "Loss on FC2",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {"loss": "loss on FC2", "lr": "learning rate"},
        tuple(table_rows(reference, found, lab.protocol, chosen.label)),
        Chart("line", "learning rate", "", "log0", SEED_SPREAD, joined(*lines), reference=reference_figures(reference)),
        _sentence(lab, best, reference),
        chosen.label,
        tuple(standing_notes(lab, found)),
        reference,
        tuple(found),
    )


def _sentence(lab: HeadLab, best: dict[str, Measured], reference: Measured) -> str:
    draws = Draws(lab.pictures(REPORT), len(best["sce"].report))
    figure = FIGURES["miou"][0]
    softmax, control = best["sce"], best["bce"]
    between = draws.difference(softmax.on(REPORT), control.on(REPORT), figure)
    over = {name: draws.difference(one.on(REPORT), reference.on(REPORT), figure) for name, one in best.items()}
    if between.within_noise:
        verdict = "what the softmax adds to a second layer is within the noise"
    elif between.value > 0:
        verdict = "it is the softmax" + ("" if over["bce"].within_noise or over["bce"].value <= 0 else ", not only the "
                                         "second layer")  # fmt: skip
    else:
        verdict = "the softmax does not help here: binary cross-entropy is better"
    return (
        f"On {lab.protocol.report}, {verdict}: FC2 trained with SCE gives mIoU {percent(softmax.miou(REPORT))} "
        f"({points(over['sce'])} against no retraining), with BCE {percent(control.miou(REPORT))} "
        f"({points(over['bce'])}), each at the learning rate that {lab.protocol.select} prefers; SCE less BCE is "
        f"{points(between)}."
    )
