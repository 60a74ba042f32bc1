"""Any two settings against each other, as a heat map of seed mIoU."""

from collections.abc import Sequence

from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, check_axes, point_label, value_text, with_values
from recam_core.experiments.chart import SEED_SPREAD, Chart, Heat
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
from recam_core.experiments.lab import (
    ORACLE_NOTE,
    HeadLab,
    Measured,
    Setting,
    check_fc2_trained,
    check_settings,
    seeded,
)
from recam_core.experiments.noise import Draws, capital, percent, points
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe, completed

#: A minute or two on two cores.
MOST_POINTS = 400
#: Settings of FC2 alone.
_OF_FC2 = {"mask", "rule", "loss", "rounds"}


def grid_settings(x: Axis, y: Axis, seeds: Sequence[int], base: HeadRecipe) -> list[Setting]:
    """What :func:`grid` tries, row by row; raises UserError as it does."""
    check_axes(x, y, len(seeds), MOST_POINTS)
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
                    seeded(recipe, seeds),
                    {x.name: column, y.name: row},
                    fair=not parse_mask(recipe.mask).needs_truth,
                )
            )
    if not any(setting.fair for setting in settings):
        raise UserError("The mask 'oracle' is the ground truth and is never chosen: name another mask as well.")
    return check_settings(settings)


def grid(
    lab: HeadLab,
    x: Axis,
    y: Axis,
    seeds: Sequence[int] = (0,),
    base: HeadRecipe = HeadRecipe(),  # noqa: B008 - frozen
    progress: ProgressFn = silent,
) -> Experiment:
    """Every value of one setting with every value of another.

    Args:
        lab: run and data.
        x, y: the axes, see :func:`recam_core.experiments.axes.axis`.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: twice the same axis, too many points, settings that exclude each other, or settings of FC2 where
            lambda 0 leaves it untrained.
    """
    settings = grid_settings(x, y, seeds, base)
    reference, found = lab.measure(settings, progress)
    title = f"Grid: {x.name} and {y.name}"
    return grid_result(
        "grid", title, lab.protocol, pictures_of(lab), lab.exact, (x, y), reference, found, standing_notes(lab, found)
    )


def grid_result(
    kind: str,
    title: str,
    protocol: Protocol,
    pictures: dict[str, int],
    exact: bool,
    axes: tuple[Axis, Axis],
    reference: Measured,
    found: Sequence[Measured],
    notes: Sequence[str],
) -> Experiment:
    """Table, heat maps and sentence of a grid whose points are measured.

    Args:
        kind, title: of the experiment.
        protocol, pictures, exact: which pictures did what, how many they are, and whether all pixels were scored.
        axes: x and y.
        reference: the run that all points started from.
        found: the points, row by row.
        notes: what a reader should know besides.
    """
    x, y = axes
    chosen = choose(found)
    return Experiment(
        kind,
        title,
        protocol,
        pictures,
        exact,
        {x.name: x.meaning, y.name: y.meaning},
        tuple(table_rows(reference, found, protocol, chosen.label)),
        Chart(
            "heat", x.name, y.name, "category", SEED_SPREAD, {},
            heats=tuple(_heat(part, x, y, found) for part in (SELECT, REPORT)),
            reference=reference_figures(reference, ["miou"]),
        ),
        _sentence(protocol, pictures[REPORT], found, chosen, reference),
        chosen.label,
        (*([ORACLE_NOTE] if any(not one.setting.fair for one in found) else []), *notes),
        reference,
        tuple(found),
    )  # fmt: skip


def _heat(part: str, x: Axis, y: Axis, found: Sequence[Measured]) -> Heat:
    width = len(x.values)
    lines = [found[place : place + width] for place in range(0, len(found), width)]
    return Heat(
        part,
        tuple(value_text(value) for value in x.values),
        tuple(value_text(value) for value in y.values),
        tuple(tuple(one.miou(part) for one in line) for line in lines),
        tuple(tuple(one.label for one in line) for line in lines),
    )


def _sentence(
    protocol: Protocol, pictures: int, found: Sequence[Measured], chosen: Measured, reference: Measured
) -> str:
    seeds = max(len(one.report) for one in found)
    draws, figure = Draws(pictures, seeds), FIGURES["miou"][0]
    gain = draws.difference(chosen.on(REPORT), reference.on(REPORT), figure)
    # A setting that looks at ground truth is shown, but is no rival.
    rivals = [one for one in found if one.setting.fair]
    alike = sum(
        draws.difference(chosen.on(REPORT), one.on(REPORT), figure).within_noise for one in rivals if one is not chosen
    )
    text = (
        f"{capital(chosen.label)} is the best of {len(rivals)} settings on {protocol.select} "
        f"({select_words(chosen, found)}); on {protocol.report} it gives {percent(chosen.miou(REPORT))}, "
        f"{points(gain)} against no retraining"
    )
    text += ", which is within the noise" if gain.within_noise else ""
    if alike:
        text += f"; {alike} of the other settings {'is' if alike == 1 else 'are'} within the noise of it there"
    return text + "."
