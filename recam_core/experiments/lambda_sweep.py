"""Lambda: how much the softmax loss should weigh beside the binary one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from recam_core.errors import UserError
from recam_core.experiments.chart import SEED_SPREAD, Chart, panels
from recam_core.experiments.experiment import (
    Experiment,
    choose,
    pictures_of,
    reference_figures,
    select_words,
    standing_notes,
    table_rows,
)
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, Measured, Setting, check_settings, seeded
from recam_core.experiments.noise import Draws, capital, percent, points
from recam_core.experiments.protocol import REPORT
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe

WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SEEDS = (0, 1, 2)

_FC2_ALONE = (
    "Only FC2 was trained, and it cannot depend on lambda: with FC1 and the backbone fixed, L_bce does not depend on "
    "what is trained, so lambda only scales the gradient, and Adam divides the scale out again. All values above 0 "
    "give the same FC2; 0 leaves it untrained. Update both classifiers to see an effect."
)


def lambda_settings(weights: Sequence[float], seeds: Sequence[int], base: HeadRecipe) -> list[Setting]:
    """What :func:`lambda_sweep` tries; raises UserError as it does."""
    if not seeds:
        raise UserError("Name at least one seed.")
    if not any(weight > 0 for weight in weights):
        raise UserError("Name at least one lambda above 0, to compare with 0.")
    weights = sorted({0.0, *weights}) if len(set(weights)) == len(weights) else list(weights)
    return check_settings(
        [
            Setting(f"lambda {weight:g}", seeded(replace(base, weight=float(weight)), seeds), {"lambda": float(weight)})
            for weight in weights
        ]
    )


def lambda_sweep(
    lab: HeadLab,
    weights: Sequence[float] = WEIGHTS,
    seeds: Sequence[int] = SEEDS,
    base: HeadRecipe = HeadRecipe(update="both"),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """Heads over lambda, on a logarithmic axis including 0.

    Args:
        lab: run and data.
        weights: the lambdas; 0 is added where it is missing, as the comparison that has no softmax loss at all.
        seeds: of the order of the batches; they have no effect on ``update="fc2"``, which takes all pairs at once.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: a setting out of range, a lambda twice, or none above 0.
    """
    settings = lambda_settings(weights, seeds, base)
    weights = [setting.values["lambda"] for setting in settings]
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    notes = standing_notes(lab, found)
    if base.update == "fc2":
        notes.insert(0, _FC2_ALONE)
    else:
        notes.append("At lambda 0 FC2 is not trained, and the maps are those of FC1, trained on by L_bce alone.")
    return Experiment(
        "lambda",
        "Lambda sweep",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {"lambda": "lambda"},
        tuple(table_rows(reference, found, lab.protocol, chosen.label)),
        Chart(
            "line", "lambda", "", "log0", SEED_SPREAD, panels(found, weights, lab.protocol),
            reference=reference_figures(reference),
        ),
        _sentence(lab, found, chosen, len(found[0].select)),
        chosen.label,
        tuple(notes),
        reference,
        tuple(found),
    )  # fmt: skip


def _sentence(lab: HeadLab, found: Sequence[Measured], chosen: Measured, seeds: int) -> str:
    """The chosen lambda against 0, on the part that reports."""
    draws = Draws(lab.pictures(REPORT), seeds)
    figure = FIGURES["miou"][0]
    zero = next(one for one in found if one.setting.values["lambda"] == 0)
    begin = (
        f"{chosen.label} is the best of {len(found)} on {lab.protocol.select} "
        f"({select_words(chosen, found)}); on {lab.protocol.report} it gives {percent(chosen.miou(REPORT))}"
    )
    if chosen is zero:
        return f"{capital(begin)}; on the part that chooses, no weight of the softmax loss beats training without it."
    gain = draws.difference(chosen.on(REPORT), zero.on(REPORT), figure)
    above = [one for one in found if one is not zero and one is not chosen]
    alike = [one for one in above if draws.difference(chosen.on(REPORT), one.on(REPORT), figure).within_noise]
    flat = all(
        draws.difference(one.on(REPORT), other.on(REPORT), figure).within_noise for one, other in combinations(alike, 2)
    )
    text = f"{capital(begin)}, {points(gain)} against lambda 0"
    text += ", which is within the noise" if gain.within_noise else ""
    if alike:
        values = sorted([*(one.setting.values["lambda"] for one in alike), chosen.setting.values["lambda"]])
        between = [one for one in found if values[0] <= one.setting.values["lambda"] <= values[-1]]
        if flat and len(between) == len(values):
            text += f"; from {values[0]:g} to {values[-1]:g} lambda makes no difference beyond the noise"
        else:
            others = "1 other value above 0 is" if len(alike) == 1 else f"{len(alike)} other values above 0 are"
            text += f"; {others} within the noise of it"
    return text + "."
