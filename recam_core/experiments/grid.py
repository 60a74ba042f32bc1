"""Any two settings against each other, as a heat map of seed mIoU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recam_core.errors import UserError
from recam_core.experiments.chart import Chart, Heat
from recam_core.experiments.experiment import (
    Experiment,
    choose,
    pictures_of,
    reference_figures,
    standing_notes,
    table_rows,
)
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import HeadLab, check_labels
from recam_core.experiments.noise import Draws
from recam_core.experiments.panels import SEED_SPREAD
from recam_core.experiments.protocol import REPORT, SELECT
from recam_core.experiments.setting import Measured, Setting, seeded
from recam_core.experiments.wording import percent, points
from recam_core.method.extraction import RULES
from recam_core.method.masks import MaskChoice, parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import LOSSES, UPDATES, HeadRecipe, completed

#: A minute or two on two cores.
MOST_POINTS = 400


@dataclass(frozen=True)
class AxisKind:
    """A setting that a grid may vary.

    Attributes:
        field: of :class:`HeadRecipe`.
        read: from the text of a command line or a form to the value.
        values: what is tried unless the user says otherwise.
        meaning: for people.
    """

    field: str
    read: Callable[[str], Any]
    values: tuple[Any, ...]
    meaning: str


def _mask(text: str) -> str:
    return str(parse_mask(text))


AXES: dict[str, AxisKind] = {
    "lambda": AxisKind("weight", float, (0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0), "weight of the softmax loss"),
    "mask": AxisKind(
        "mask", _mask, ("none", "power:0.5", "soft", "power:2", "hard:0.1", "hard:0.3", "hard:0.5"), "masking choice"
    ),
    "rule": AxisKind("rule", str, tuple(RULES), "extraction rule"),
    "loss": AxisKind("loss", str, LOSSES, "loss on FC2"),
    "update": AxisKind("update", str, UPDATES, "what is trained"),
    "rounds": AxisKind("rounds", int, (1, 2, 3, 5), "how often masks are made and FC2 trained"),
    "epochs": AxisKind("epochs", int, (25, 50, 100, 200, 400), "passes over the data"),
    "lr": AxisKind("lr", float, (0.002, 0.005, 0.01, 0.02, 0.05, 0.1), "learning rate"),
    "weight-decay": AxisKind("weight_decay", float, (0.0, 0.01, 0.1, 1.0), "weight decay"),
}


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: a key of :data:`AXES`, and its values in order."""

    name: str
    values: tuple[Any, ...]


def axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text, such as ``axis("mask", ["soft", "hard:0.3"])``; without values, the usual ones.

    Raises:
        UserError: an unknown setting, or a value that it cannot take.
    """
    if name not in AXES:
        raise UserError(f"A grid cannot vary '{name}': choose one of {', '.join(AXES)}.")
    kind = AXES[name]
    if not values:
        return Axis(name, kind.values)
    found = []
    for text in values:
        try:
            found.append(kind.read(str(text).strip()))
        except ValueError:
            raise UserError(f"'{text}' is not a value of {name}.") from None
        # A value out of range is refused here, with its own sentence, before anything is computed.
        trained = {"update": "fc2"} if name == "rounds" else {}
        completed(replace(HeadRecipe(), **{**trained, kind.field: found[-1]}))
    if len(set(found)) < len(found):
        raise UserError(f"A value of {name} is named twice; name each once.")
    return Axis(name, tuple(found))


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
        x, y: the axes.
        seeds: of the order of the batches, where FC1 is trained as well.
        base: every other setting.
        progress: see :meth:`HeadLab.measure`.

    Raises:
        UserError: twice the same axis, too many points, or settings that exclude each other.
    """
    if x.name == y.name:
        raise UserError(f"Both axes of the grid are '{x.name}'; vary two different settings.")
    if len(x.values) * len(y.values) * len(seeds) > MOST_POINTS:
        raise UserError(
            f"The grid has {len(x.values)} x {len(y.values)} points and {len(seeds)} seeds; {MOST_POINTS} runs are "
            "the most. Name fewer values."
        )
    settings = [
        Setting(
            _label(x, column, y, row),
            seeded(_recipe(base, {x.name: column, y.name: row}), seeds),
            {x.name: column, y.name: row},
            fair=not _recipe_mask(base, {x.name: column, y.name: row}).needs_truth,
        )
        for row in y.values
        for column in x.values
    ]
    check_labels(settings)
    reference, found = lab.measure(settings, progress)
    chosen = choose(found)
    return Experiment(
        "grid",
        f"Grid: {x.name} and {y.name}",
        lab.protocol,
        pictures_of(lab),
        lab.exact,
        {x.name: AXES[x.name].meaning, y.name: AXES[y.name].meaning},
        tuple(table_rows(reference, found, lab.protocol, chosen.label)),
        Chart(
            "heat", x.name, y.name, "category", SEED_SPREAD, {},
            heats=tuple(_heat(part, x, y, found) for part in (SELECT, REPORT)),
            reference=reference_figures(reference, ["miou"]),
        ),
        _sentence(lab, found, chosen, reference),
        chosen.label,
        tuple(standing_notes(lab)),
        reference,
        tuple(found),
    )  # fmt: skip


def value_text(value: Any) -> str:
    """A value of an axis for people."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(x: Axis, column: Any, y: Axis, row: Any) -> str:
    return f"{x.name} {value_text(column)}, {y.name} {value_text(row)}"


def _recipe(base: HeadRecipe, values: dict[str, Any]) -> HeadRecipe:
    recipe = replace(base, **{AXES[name].field: value for name, value in values.items()})
    completed(recipe)
    return recipe


def _recipe_mask(base: HeadRecipe, values: dict[str, Any]) -> MaskChoice:
    return parse_mask(_recipe(base, values).mask)


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


def _sentence(lab: HeadLab, found: Sequence[Measured], chosen: Measured, reference: Measured) -> str:
    seeds = max(len(one.report) for one in found)
    draws, figure = Draws(lab.pictures(REPORT), seeds), FIGURES["miou"][0]
    gain = draws.difference(chosen.on(REPORT), reference.on(REPORT), figure)
    alike = sum(
        draws.difference(chosen.on(REPORT), one.on(REPORT), figure).within_noise for one in found if one is not chosen
    )
    label = chosen.label[0].upper() + chosen.label[1:]
    text = (
        f"{label} is the best of {len(found)} settings on {lab.protocol.select} (mIoU {percent(chosen.miou(SELECT))}); "
        f"on {lab.protocol.report} it gives {percent(chosen.miou(REPORT))}, {points(gain)} against no retraining"
    )
    text += ", which is within the noise" if gain.within_noise else ""
    if alike:
        text += f". {alike} of the other settings {'is' if alike == 1 else 'are'} within the noise of it there"
    return text + "."
