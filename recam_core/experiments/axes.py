"""The settings of a head run that a grid may vary, and their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from recam_core.errors import UserError
from recam_core.method.background import USUAL_BACKGROUND
from recam_core.method.extraction import rules_of
from recam_core.retrain.head_recipe import LOSSES, UPDATES, HeadRecipe, completed
from recam_core.setting import SettingKind, settings
from recam_core.train.recipe import Recipe, check_recipe, preset

AnyRecipe = TypeVar("AnyRecipe", HeadRecipe, Recipe)

#: The settings of a head run that a grid may vary, by their options, and the values that are tried unless the user says
#: otherwise.
AXES: dict[str, tuple[Any, ...]] = {
    "lambda": (0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
    "mask": ("none", "power:0.5", "soft", "power:2", "hard:0.1", "hard:0.3", "hard:0.5"),
    "rule": rules_of(True, False),
    "background": (0.0, 0.1, 0.2, 0.3, 1.0),
    "background-power": (0.5, 1.0, 2.0, 4.0),
    "loss": LOSSES,
    "update": UPDATES,
    "rounds": (1, 2, 3, 5),
    "epochs": (25, 50, 100, 200, 400),
    "lr": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
    "weight-decay": (0.0, 0.01, 0.1, 1.0),
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


def setting_of(recipe: type, name: str) -> SettingKind:
    """The setting of a recipe that an axis varies."""
    return next(known for known in settings(recipe).values() if known.flag == f"--{name}")


def with_values(recipe: AnyRecipe, values: Mapping[str, Any]) -> AnyRecipe:
    """The recipe at a point of a grid: ``values`` of its axes by their names."""
    return replace(recipe, **{setting_of(type(recipe), name).name: value for name, value in values.items()})


def read_axis(
    recipe: Any, usual: Mapping[str, tuple[Any, ...]], name: str, values: Sequence[str], check: Callable[[Any], Any]
) -> Axis:
    """An axis from text.

    Args:
        recipe: what each value is tried on.
        usual: the settings that can be varied, with what is tried without ``values``.
        name: of the setting.
        values: texts.
        check: of a recipe; raises UserError.

    Raises:
        UserError: a value that the setting cannot take, or one twice.
    """
    known = setting_of(type(recipe), name)
    found = []
    for text in values:
        try:
            found.append(known.of_text(str(text)))
        except ValueError:
            raise UserError(f"'{text}' is not a value of {name}.") from None
        if known.name in ("epochs", "lr") and found[-1] == 0:
            # A recipe takes 0 for the usual value, under whose name a point of a grid would be another.
            raise UserError(f"'{text}' is not a value of {name}: it must be above 0.")
        # A value out of range is refused here, with its own sentence, before anything is computed. Whether the grid
        # has a background row, which some rules need, is seen where it is put together.
        row = {"background": USUAL_BACKGROUND} if name == "rule" else {}
        check(replace(recipe, **row, **{known.name: found[-1]}))
    if len(set(found)) < len(found):
        raise UserError(f"A value of {name} is named twice; name each once.")
    return Axis(name, tuple(found) or usual[name], known.meaning)


def axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text, such as ``axis("mask", ["soft", "hard:0.3"])``; without values, the usual ones.

    Raises:
        UserError: an unknown setting, or a value that it cannot take.
    """
    if name not in AXES:
        raise UserError(f"A grid cannot vary '{name}': choose one of {', '.join(AXES)}.")
    return read_axis(HeadRecipe(), AXES, name, values, completed)


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


#: By their options, and the values that are tried unless the user says otherwise.
FULL_AXES: dict[str, tuple[Any, ...]] = {
    "lambda": (0.1, 0.3, 1.0, 3.0),
    "mask": ("none", "soft", "power:2", "hard:0.3"),
    "rule": rules_of(True, False),  # it needs no training of its own
    "background": (0.0, 0.1, 0.2, 0.3),
    "epochs": (2, 5, 10),
    "lr-fc2": (0.0005, 0.002, 0.008),
    "lr-backbone": (5e-6, 2e-5, 8e-5),
}


def full_axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text; without values, the usual ones.

    Raises:
        UserError: an unknown setting, a value that it cannot take, or one twice.
    """
    if name not in FULL_AXES:
        raise UserError(f"A grid of full trainings cannot vary '{name}': choose one of {', '.join(FULL_AXES)}.")
    return read_axis(preset("recam", "small"), FULL_AXES, name, values, check_recipe)
