"""Advice for a confused pair: which setting of a grid tells the classes apart best, and what it costs the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.experiments.chart import Chart, Series
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.figures import Figure, mean_iou
from recam_core.experiments.lab import REFERENCE, HeadLab, Measured
from recam_core.experiments.noise import Draws, capital, measured, percent, points
from recam_core.experiments.protocol import REPORT, SELECT, choose_best
from recam_core.scores.metrics import ratio


@dataclass(frozen=True)
class PairFigures:
    """The figures of a pair of values a and b of a confusion matrix (k + 1 for class k).

    Attributes:
        confused: of the pixels of both, the share that is given to the other of the two.
        iou: mean IoU of the two. A setting that gives up both classes confuses nothing; this tells.
        others: mean IoU of all other classes (and the background).
    """

    confused: Figure
    iou: Figure
    others: Figure


def pair_figures(one: int, other: int) -> PairFigures:
    """The figures of the values ``one`` and ``other``."""

    def confused(confusions: np.ndarray, has_background: bool) -> np.ndarray:
        swapped = confusions[..., one, other] + confusions[..., other, one]
        return ratio(swapped, confusions[..., [one, other], :].sum(axis=(-2, -1)))[..., None]

    def others(values: int, has_background: bool) -> list[int]:
        return [value for value in range(0 if has_background else 1, values) if value not in (one, other)]

    return PairFigures(Figure(confused), mean_iou(lambda values, has_background: [one, other]), mean_iou(others))


def find_pair(names: Sequence[str], classes: ClassList) -> tuple[int, int]:
    """The values (k + 1) of two classes by name.

    Raises:
        UserError: not two different names of classes.
    """
    wanted = [name.strip().casefold() for name in names]
    known = {name.casefold(): k + 1 for k, name in enumerate(classes.names)}
    for name in wanted:
        if name not in known:
            raise UserError(f"There is no class '{name}': choose two of {', '.join(classes.names)}.")
    if len(wanted) != 2 or wanted[0] == wanted[1]:
        raise UserError("A pair is two different classes, such as cow,sheep.")
    return known[wanted[0]], known[wanted[1]]


def most_confused(measured_: Measured) -> tuple[int, int]:
    """The two classes that take most pixels from each other on the select part, smaller value first.

    Raises:
        UserError: no class is taken for another.
    """
    total = sum(score.scores.confusion for score in measured_.on(SELECT)).astype(float)
    both = np.triu(total + total.T, 1)
    both[0] = 0
    if not both.any():
        raise UserError(f"On the part '{SELECT}' no class is taken for another, so there is no pair to give advice on.")
    one, other = np.unravel_index(int(both.argmax()), both.shape)
    return int(one), int(other)


def pair_advice(lab: HeadLab, tried: Experiment, pair: tuple[int, int] | None = None) -> Experiment:
    """Which setting of a grid separates two classes best.

    The select part chooses: of the settings that do not lower the mean IoU of the two classes below that of the run as
    it is, the one with the fewest of their pixels given to the other. The report part tells what it is worth, and what
    the other classes lose against the setting that is best for all.

    Args:
        lab: the bench that the grid was run on.
        tried: what :func:`recam_core.experiments.grid.grid` (or any other experiment) found.
        pair: values of the two classes, see :func:`find_pair`; None for the pair that the run, as it is, confuses most
            on the select part.

    Raises:
        UserError: no pair is confused, or a pair whose pixels the select part lacks.
    """
    reference, settings = tried.reference, tried.settings
    one, other = pair or most_confused(reference)
    figures, names = pair_figures(one, other), lab.run.info.classes
    title = f"{names[one - 1]} and {names[other - 1]}"
    if np.isnan(measured(reference.on(SELECT), figures.confused)):
        raise UserError(f"{lab.protocol.select} has no pixel of {title}; name another pair.")
    allowed = [
        each
        for each in settings
        if each.setting.fair
        and measured(each.on(SELECT), figures.iou) >= measured(reference.on(SELECT), figures.iou)
        and measured(each.on(SELECT), figures.confused) < measured(reference.on(SELECT), figures.confused)
    ]
    chosen = None
    if allowed:
        chosen = allowed[choose_best([-measured(each.on(SELECT), figures.confused) for each in allowed], SELECT)]
    best = tried.setting(tried.chosen) if tried.chosen else reference
    rows = _rows(tried, figures, chosen, title)
    return Experiment(
        "pair",
        f"Advice for {title}",
        lab.protocol,
        tried.pictures,
        tried.exact,
        {**tried.varied, "pair": "pair"},
        tuple(rows),
        _chart(tried, rows, title),
        _sentence(lab, figures, title, reference, chosen, best, sum(each.setting.fair for each in settings)),
        chosen.label if chosen else None,
        (
            "A setting may be advised if it confuses the pair less than the run as it is and does not lower the mean "
            "IoU of the two classes, both on the part that chooses.",
            *tried.notes,
        ),
        reference,
        settings,
    )


def _rows(tried: Experiment, figures: PairFigures, chosen: Measured | None, title: str) -> list[dict]:
    seeds = max(len(each.select) for each in (tried.reference, *tried.settings))
    rows = []
    for part in (SELECT, REPORT):
        reference = tried.reference.on(part)
        draws = Draws(reference[0].outcomes.pictures, seeds)
        for each in (tried.reference, *tried.settings):
            scores = each.on(part)
            value = measured(scores, figures.confused)
            change = draws.difference(scores, reference, figures.confused)
            rows.append(
                {
                    "key": each.label,
                    "part": part,
                    "data": getattr(tried.protocol, part),
                    **each.setting.values,
                    "pair": title,
                    "chosen": chosen is not None and each.label == chosen.label,
                    "seeds": len(scores),
                    "confused": value,
                    "confused_change": change.value if each is not tried.reference else None,
                    "confused_change_low": change.low if each is not tried.reference else None,
                    "confused_change_high": change.high if each is not tried.reference else None,
                    "pair_iou": measured(scores, figures.iou),
                    "others_iou": measured(scores, figures.others),
                    "miou": each.miou(part),
                    "recipe": each.setting.recipes[0].to_json() if each is not tried.reference else None,
                }
            )
    return rows


def _chart(tried: Experiment, rows: list[dict], title: str) -> Chart:
    """Each setting as a point: what it confuses, and how the other classes fare."""
    series = []
    for part in (SELECT, REPORT):
        some = [row for row in rows if row["part"] == part and row["key"] != REFERENCE]
        nothing = tuple(None for _ in some)
        series.append(
            Series(
                getattr(tried.protocol, part), part, tuple(row["confused"] for row in some),
                tuple(row["others_iou"] for row in some), nothing, nothing, tuple(row["key"] for row in some),
            )
        )  # fmt: skip
    before = {row["part"]: row for row in rows if row["key"] == REFERENCE}
    reference = {
        "mean IoU of the other classes": {part: row["others_iou"] for part, row in before.items()},
        "confused": {part: row["confused"] for part, row in before.items()},
    }
    return Chart(
        "scatter", f"pixels of {title} given to the other", "mean IoU of the other classes", "linear", "",
        {"mean IoU of the other classes": tuple(series)}, reference=reference,
    )  # fmt: skip


def _sentence(
    lab: HeadLab,
    figures: PairFigures,
    title: str,
    reference: Measured,
    chosen: Measured | None,
    best: Measured,
    count: int,
) -> str:
    share = measured(reference.on(REPORT), figures.confused)
    if np.isnan(share):
        what = (
            f"{capital(chosen.label)} separates {title} best on {lab.protocol.select}"
            if chosen
            else f"None of the {count} settings separates {title} better than no retraining does on "
            f"{lab.protocol.select} without lowering their IoU"
        )
        return f"{what}; {lab.protocol.report} has no pixel of them, so nothing can be said of it there."
    before = percent(share)
    if chosen is None:
        return (
            f"None of the {count} settings separates {title} better than no retraining does on {lab.protocol.select} "
            f"without lowering their IoU; on {lab.protocol.report} {before} of their pixels are taken for the other."
        )
    draws = Draws(lab.pictures(REPORT), max(len(chosen.report), len(best.report)))
    gain = draws.difference(chosen.on(REPORT), reference.on(REPORT), figures.confused)
    text = (
        f"{capital(chosen.label)} separates {title} best on {lab.protocol.select}; on "
        f"{lab.protocol.report} it takes {percent(measured(chosen.on(REPORT), figures.confused))} of their pixels for "
        f"the other, where no retraining takes {before} ({points(gain)}"
    )
    text += ", within the noise)" if gain.within_noise else ")"
    same = chosen.label == best.label
    cost = draws.difference(chosen.on(REPORT), (reference if same else best).on(REPORT), figures.others)
    if np.isnan(cost.value):
        return f"{text}; {lab.protocol.report} shows no other classes that could lose by it."
    text += "; it is also the best setting for all classes" if same else ""
    against = "no retraining" if same else f"{best.label}, the best for all classes"
    text += f"{', and' if same else ';'} the other classes' mean IoU changes by {points(cost)} against {against}"
    return text + (", within the noise." if cost.within_noise else ".")
