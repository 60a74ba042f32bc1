"""The settings of a full training that a grid may vary."""

from collections.abc import Sequence
from dataclasses import replace

from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, AxisKind
from recam_core.method.background import USUAL_BACKGROUND
from recam_core.method.extraction import rules_of
from recam_core.method.masks import parse_mask
from recam_core.train.recipe import check_recipe, preset

FULL_AXES: dict[str, AxisKind] = {
    "lambda": AxisKind("weight", float, (0.1, 0.3, 1.0, 3.0), "weight of the softmax loss"),
    "mask": AxisKind(
        "mask", lambda text: str(parse_mask(text)), ("none", "soft", "power:2", "hard:0.3"), "masking choice"
    ),
    "rule": AxisKind("rule", str, rules_of(True, False), "extraction rule; it needs no training of its own"),
    "background": AxisKind("background", float, (0.0, 0.1, 0.2, 0.3), "weight of the background row; 0: none"),
    "epochs": AxisKind("epochs", int, (2, 5, 10), "passes over the data"),
    "lr-fc2": AxisKind("lr_fc2", float, (0.0005, 0.002, 0.008), "learning rate of FC2"),
    "lr-backbone": AxisKind("lr_backbone", float, (5e-6, 2e-5, 8e-5), "learning rate of the backbone"),
}


def full_axis(name: str, values: Sequence[str] = ()) -> Axis:
    """An axis from text; without values, the usual ones.

    Raises:
        UserError: an unknown setting, a value that it cannot take, or one twice.
    """
    if name not in FULL_AXES:
        raise UserError(f"A grid of full trainings cannot vary '{name}': choose one of {', '.join(FULL_AXES)}.")
    kind = FULL_AXES[name]
    found = []
    for text in values:
        try:
            found.append(kind.read(str(text).strip()))
        except ValueError:
            raise UserError(f"'{text}' is not a value of {name}.") from None
        # Whether the grid has a background row is seen where it is put together.
        row = {"background": USUAL_BACKGROUND} if name == "rule" else {}
        check_recipe(replace(preset("recam", "small"), **row, **{kind.field: found[-1]}))
    if len(set(found)) < len(found):
        raise UserError(f"A value of {name} is named twice; name each once.")
    return Axis(name, tuple(found) or kind.values, kind.meaning)
