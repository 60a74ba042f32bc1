"""Any two settings against each other, and advice for a confused pair: which of them tells its classes apart best, and
what it costs the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recam_core.errors import UserError
from recam_core.experiments.axes import AXES, FULL_AXES, Axis, check_axes, point_label, value_text, with_values
from recam_core.experiments.chart import SEED_SPREAD, Chart, Heat, Series, reference_figures
from recam_core.experiments.experiment import Row
from recam_core.experiments.figures import Figure, mean_iou
from recam_core.experiments.lab import ORACLE_NOTE, Setting, SettingResult, check_fc2_trained
from recam_core.experiments.noise import Draws, capital, measured, points
from recam_core.experiments.protocol import REPORT, SELECT, choose_best
from recam_core.experiments.study import AxisOption, Outcome, PairOption, Question, Study, find_pair
from recam_core.method.masks import parse_mask
from recam_core.retrain.head_recipe import completed
from recam_core.scores.metrics import ratio
from recam_core.scores.table import percent

#: Points of a grid and seeds: a minute or two on two cores.
MOST_POINTS = 400
#: Settings of FC2 alone.
_OF_FC2 = {"mask", "rule", "loss", "rounds"}
#: What makes a setting one to advise.
PAIR_NOTE = (
    "A setting may be advised if it confuses the pair less than the run as it is and does not lower the mean "
    "IoU of the two classes, both on the part that chooses."
)


def grid_settings(study: Study) -> list[Setting]:
    """Every value of x with every value of y, row by row.

    Raises:
        UserError: twice the same axis, too many points, settings that exclude each other, or settings of FC2 where
            lambda 0 leaves it untrained.
    """
    (x, y), base = study.axes, study.base
    check_axes(x, y, len(study.seeds), MOST_POINTS)
    names = {x.name, y.name}
    if "lambda" not in names and (names & _OF_FC2 or (base.update == "fc2" and "update" not in names)):
        check_fc2_trained(base)
    if "background-power" in names and "background" not in names and base.background == 0:
        raise UserError(
            "Without a background row its exponent changes nothing: give the row a weight above 0 (--background 0.2)."
        )
    settings = []
    for row in y.values:
        for column in x.values:
            recipe = completed(with_values(base, {x.name: column, y.name: row}))
            settings.append(
                Setting(
                    point_label(x, column, y, row),
                    replace(study, base=recipe).seeded(),
                    {x.name: column, y.name: row},
                    fair=not parse_mask(recipe.mask).needs_truth,
                )
            )
    if not any(setting.fair for setting in settings):
        raise UserError("The mask 'oracle' is the ground truth and is never chosen: name another mask as well.")
    return settings


def _grid_title(found: Outcome) -> str:
    x, y = found.axes
    return f"Grid: {x.name} and {y.name}"


def _axes_varied(found: Outcome) -> dict[str, str]:
    return {one.name: one.meaning for one in found.axes}


def _grid_chart(found: Outcome) -> Chart:
    x, y = found.axes
    return Chart(
        "heat", x.name, y.name, "category", SEED_SPREAD, {},
        heats=tuple(_heat(part, x, y, found.settings) for part in (SELECT, REPORT)),
        reference=reference_figures(found.reference, ["miou"]),
    )  # fmt: skip


def _heat(part: str, x: Axis, y: Axis, found: Sequence[SettingResult]) -> Heat:
    width = len(x.values)
    lines = [found[place : place + width] for place in range(0, len(found), width)]
    return Heat(
        part,
        tuple(value_text(value) for value in x.values),
        tuple(value_text(value) for value in y.values),
        tuple(tuple(one.miou(part) for one in line) for line in lines),
        tuple(tuple(one.label for one in line) for line in lines),
    )


def _grid_notes(found: Outcome) -> tuple[str, ...]:
    return (*([ORACLE_NOTE] if any(not one.setting.fair for one in found.settings) else []), *found.notes)


def _grid_sentence(found: Outcome) -> str:
    chosen = found.best
    gain = found.difference(chosen, found.reference)
    # A setting that looks at ground truth is shown, but is no rival.
    rivals = [one for one in found.settings if one.setting.fair]
    alike = sum(found.difference(chosen, one).within_noise for one in rivals if one is not chosen)
    text = (
        f"{capital(chosen.label)} is the best of {len(rivals)} settings on {found.protocol.select} "
        f"({found.select_words(chosen)}); on {found.protocol.report} it gives {percent(chosen.miou(REPORT))} %, "
        f"{points(gain)} against no retraining"
    )
    text += ", which is within the noise" if gain.within_noise else ""
    if alike:
        text += f"; {alike} of the other settings {'is' if alike == 1 else 'are'} within the noise of it there"
    return text + "."


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


def most_confused(reference: SettingResult) -> tuple[int, int]:
    """The two classes that take most pixels from each other on the select part, smaller value first.

    Raises:
        UserError: no class is taken for another.
    """
    total = np.sum([score.scores.confusion for score in reference.on(SELECT)], axis=0, dtype=float)
    both = np.triu(total + total.T, 1)
    both[0] = 0
    if not both.any():
        raise UserError(f"On the part '{SELECT}' no class is taken for another, so there is no pair to give advice on.")
    one, other = np.unravel_index(int(both.argmax()), both.shape)
    return int(one), int(other)


def _pair(found: Outcome) -> tuple[PairFigures, str]:
    """The figures of the pair that was named, or of the one that the run as it is confuses most where settings are
    chosen; and its name for people.

    Raises:
        UserError: no pair is confused, or a pair whose pixels the part that chooses lacks.
    """
    named = found.values.get("pair")
    one, other = find_pair(named, found.classes) if named else most_confused(found.reference)
    figures = pair_figures(one, other)
    title = f"{found.classes.names[one - 1]} and {found.classes.names[other - 1]}"
    if np.isnan(measured(found.reference.on(SELECT), figures.confused)):
        raise UserError(f"{found.protocol.select} has no pixel of {title}; name another pair.")
    return figures, title


def _pair_title(found: Outcome) -> str:
    """Of the result."""
    return f"Advice for {_pair(found)[1]}"


def _advised(found: Outcome) -> SettingResult | None:
    """The setting of a grid that separates two classes best.

    The select part chooses: of the settings that do not lower the mean IoU of the two classes below that of the run as
    it is, the one with the fewest of their pixels given to the other; None where there is none. The report part tells
    what it is worth, and what the other classes lose against the setting that is best for all.

    Raises:
        UserError: no pair is confused, or a pair whose pixels the part that chooses lacks.
    """
    figures, _ = _pair(found)
    before = found.reference.on(SELECT)
    allowed = [
        one
        for one in found.settings
        if one.setting.fair
        and measured(one.on(SELECT), figures.iou) >= measured(before, figures.iou)
        and measured(one.on(SELECT), figures.confused) < measured(before, figures.confused)
    ]
    if not allowed:
        return None
    return allowed[choose_best([-measured(one.on(SELECT), figures.confused) for one in allowed], SELECT)]


def _pair_rows(found: Outcome) -> list[Row]:
    """The table: what each setting confuses of the pair, and how the pair and the other classes fare."""
    (figures, title), chosen = _pair(found), _advised(found)
    seeds = max(len(each.select) for each in (found.reference, *found.settings))
    rows: list[Row] = []
    for part in (SELECT, REPORT):
        before = found.reference.on(part)
        draws = Draws(before[0].outcomes.pictures, seeds)
        for each in (found.reference, *found.settings):
            scores, is_before = each.on(part), each is found.reference
            change = draws.difference(scores, before, figures.confused)
            rows.append(
                {
                    "key": each.label,
                    "part": part,
                    "data": getattr(found.protocol, part),
                    **each.setting.values,
                    "pair": title,
                    "chosen": each is chosen,
                    "seeds": len(scores),
                    "confused": measured(scores, figures.confused),
                    "confused_change": None if is_before else change.value,
                    "confused_change_low": None if is_before else change.low,
                    "confused_change_high": None if is_before else change.high,
                    "pair_iou": measured(scores, figures.iou),
                    "others_iou": measured(scores, figures.others),
                    "miou": each.miou(part),
                    "recipe": None if is_before else each.setting.recipes[0].to_json(),
                }
            )
    return rows


def _pair_chart(found: Outcome) -> Chart:
    """Each setting as a point: what it confuses, and how the other classes fare."""
    figures, title = _pair(found)
    series = []
    for part in (SELECT, REPORT):
        nothing = tuple(None for _ in found.settings)
        confused, others = (
            tuple(measured(one.on(part), figure) for one in found.settings)
            for figure in (figures.confused, figures.others)
        )
        keys = tuple(one.label for one in found.settings)
        series.append(Series(getattr(found.protocol, part), part, confused, others, nothing, nothing, keys))
    panel = "mean IoU of the other classes"
    reference = {
        name: {part: measured(found.reference.on(part), figure) for part in (SELECT, REPORT)}
        for name, figure in ((panel, figures.others), ("confused", figures.confused))
    }
    given = f"pixels of {title} given to the other"
    return Chart("scatter", given, panel, "linear", "", {panel: tuple(series)}, reference=reference)


def _pair_sentence(found: Outcome) -> str:
    """What the _advised setting is worth where figures are reported, and what the other classes lose."""
    (figures, title), chosen, best, protocol = _pair(found), _advised(found), found.best, found.protocol
    none = (
        f"None of the {sum(each.setting.fair for each in found.settings)} settings separates {title} better than no "
        f"retraining does on {protocol.select} without lowering their IoU"
    )
    separates = f"{capital(chosen.label)} separates {title} best on {protocol.select}" if chosen else none
    before = found.reference.on(REPORT)
    share = measured(before, figures.confused)
    if np.isnan(share):
        return f"{separates}; {protocol.report} has no pixel of them, so nothing can be said of it there."
    if chosen is None:
        return f"{none}; on {protocol.report} {percent(share)} % of their pixels are taken for the other."
    gain = found.draws.difference(chosen.on(REPORT), before, figures.confused)
    text = (
        f"{separates}; on {protocol.report} it takes {percent(measured(chosen.on(REPORT), figures.confused))} % of "
        f"their pixels for the other, where no retraining takes {percent(share)} % ({points(gain)}"
    )
    text += ", within the noise)" if gain.within_noise else ")"
    same = chosen is best
    cost = found.draws.difference(chosen.on(REPORT), before if same else best.on(REPORT), figures.others)
    if np.isnan(cost.value):
        return f"{text}; {protocol.report} shows no other classes that could lose by it."
    text += "; it is also the best setting for all classes" if same else ""
    against = "no retraining" if same else f"{best.label}, the best for all classes"
    text += f"{', and' if same else ';'} the other classes' mean IoU changes by {points(cost)} against {against}"
    return text + (", within the noise." if cost.within_noise else ".")


def axis_options(axes: Collection[str], x: str, y: str) -> tuple[AxisOption, AxisOption]:
    """Both axes of a grid over ``axes``, with the settings that are varied unless others are named."""
    *first, last = axes
    names = f"{', '.join(first)} or {last}"
    return (
        AxisOption("--x", "Across", help=f"an axis: {names}, and its values (default: {x})", usual=x),
        AxisOption("--y", "Down", help=f"the other axis (default: {y})", usual=y),
    )


_GRID_OPTIONS = axis_options(AXES, "mask", "rule")
#: Of grids of full trainings.
FULL_OPTIONS = axis_options(FULL_AXES, "lambda", "rule")

GRID = Question(
    help="any two settings against each other",
    tab="Grid",
    icon="grid_view",
    asks="Any two settings against each other.",
    button="Fill the grid",
    title=_grid_title,
    options=_GRID_OPTIONS,
    settings=grid_settings,
    varied=_axes_varied,
    chart=_grid_chart,
    sentence=_grid_sentence,
    notes=_grid_notes,
)

PAIR = Question(
    help="which setting of a grid separates two classes best, and what it costs the others",
    tab="Pair",
    icon="call_split",
    asks="Which setting of a grid tells two confused classes apart best, and at what cost to the others?",
    button="Ask for advice",
    title=_pair_title,
    options=(
        PairOption(
            "--pair",
            "Pair of classes",
            "Advice for another pair on the same grid trains nothing anew.",
            "two classes (default: the most confused on the select part)",
        ),
        *_GRID_OPTIONS,
    ),
    settings=grid_settings,
    varied=lambda found: {**_axes_varied(found), "pair": "pair"},
    chart=_pair_chart,
    sentence=_pair_sentence,
    notes=lambda found: (PAIR_NOTE, *_grid_notes(found)),
    choose=_advised,
    rows=_pair_rows,
)
