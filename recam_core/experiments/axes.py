"""The settings of a head run that a grid may vary, and their values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recam_core.errors import UserError
from recam_core.method.background import USUAL_BACKGROUND
from recam_core.method.extraction import rules_of
from recam_core.method.masks import parse_mask
from recam_core.retrain.head_recipe import LOSSES, UPDATES, HeadRecipe, completed


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
    "rule": AxisKind("rule", str, rules_of(True, False), "extraction rule"),
    "background": AxisKind("background", float, (0.0, 0.1, 0.2, 0.3, 1.0), "weight of the background row; 0: none"),
    "background-power": AxisKind("background_power", float, (0.5, 1.0, 2.0, 4.0), "exponent of the background's mask"),
    "loss": AxisKind("loss", str, LOSSES, "loss on FC2"),
    "update": AxisKind("update", str, UPDATES, "what is trained"),
    "rounds": AxisKind("rounds", int, (1, 2, 3, 5), "how often masks are made and FC2 trained"),
    "epochs": AxisKind("epochs", int, (25, 50, 100, 200, 400), "passes over the data"),
    "lr": AxisKind("lr", float, (0.002, 0.005, 0.01, 0.02, 0.05, 0.1), "learning rate"),
    "weight-decay": AxisKind("weight_decay", float, (0.0, 0.01, 0.1, 1.0), "weight decay"),
}

#: Settings of the background row, here and in grids of full trainings: for data with a background class only.
OF_THE_ROW = ("background", "background-power")


@dataclass(frozen=True)
class Axis:
    """One axis of a grid.

    Attributes:
        name: of the setting, a key of :data:`AXES` (for heads) or of the axes of full trainings.
        values: in order.
        meaning: for people.
    """

    name: str
    values: tuple[Any, ...]
    meaning: str = ""


def axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text, such as ``axis("mask", ["soft", "hard:0.3"])``; without values, the usual ones.

    Raises:
        UserError: an unknown setting, or a value that it cannot take.
    """
    if name not in AXES:
        raise UserError(f"A grid cannot vary '{name}': choose one of {', '.join(AXES)}.")
    kind = AXES[name]
    if not values:
        return Axis(name, kind.values, kind.meaning)
    found = []
    for text in values:
        try:
            found.append(kind.read(str(text).strip()))
        except ValueError:
            raise UserError(f"'{text}' is not a value of {name}.") from None
        if kind.field in ("epochs", "lr") and found[-1] == 0:
            # A recipe takes 0 for the usual value, under whose name a point of a grid would be another.
            raise UserError(f"'{text}' is not a value of {name}: it must be above 0.")
        # A value out of range is refused here, with its own sentence, before anything is computed.
        trained = {"update": "fc2"} if name == "rounds" else {}
        if name == "rule":
            trained["background"] = USUAL_BACKGROUND  # whether the grid has the row is seen where it is put together
        completed(replace(HeadRecipe(), **{**trained, kind.field: found[-1]}))
    if len(set(found)) < len(found):
        raise UserError(f"A value of {name} is named twice; name each once.")
    return Axis(name, tuple(found), kind.meaning)


def value_text(value: Any) -> str:
    """A value of an axis for people."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def point_label(x: Axis, column: Any, y: Axis, row: Any) -> str:
    """The name of a point of a grid."""
    return f"{x.name} {value_text(column)}, {y.name} {value_text(row)}"


def check_axes(x: Axis, y: Axis, seeds: int, most: int) -> None:
    """Refuse a grid that makes no sense or takes too long.

    Raises:
        UserError: twice the same axis, no value, or too many runs.
    """
    if x.name == y.name:
        raise UserError(f"Both axes of the grid are '{x.name}'; vary two different settings.")
    if not (x.values and y.values and seeds):
        raise UserError("A grid needs at least one value on each axis, and one seed.")
    if len(x.values) * len(y.values) * seeds > most:
        raise UserError(
            f"The grid has {len(x.values)} x {len(y.values)} points and {seeds} seed{'s' if seeds > 1 else ''}; "
            f"{most} runs are the most. Name fewer values."
        )
