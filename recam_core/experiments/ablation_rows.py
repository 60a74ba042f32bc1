"""The rows of the paper's tables: which networks are trained, and which rule reads their maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recam_core.errors import UserError
from recam_core.method.extraction import RULES
from recam_core.retrain.head_recipe import UPDATES, HeadRecipe
from recam_core.train.recipe import Recipe

#: ``full`` trains the backbone too, as the paper does; ``heads`` trains classifiers on the features of the BCE run.
DEPTHS = ("full", "heads")
#: The run that all rows are compared with, and the plain ReCAM that several tables share.
BASE, RECAM = "bce", "recam"
#: Key of BCE-CAM among the rows.
BASE_KEY = f"{BASE}-fc1"
#: What a variant of ReCAM changes, by the name of its run. Fields are those that both kinds of recipe share.
VARIANTS: dict[str, dict[str, float | str]] = {
    RECAM: {},
    "fc2-bce": {"fc2_loss": "bce"},
    "lambda0": {"weight": 0.0},
    "lambda0.1": {"weight": 0.1},
    "lambda10": {"weight": 10.0},
    "mask-none": {"mask": "none"},
    "mask-power2": {"mask": "power:2"},
    "mask-hard0.3": {"mask": "hard:0.3"},
}


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        label: as people read it.
        name: of the run, without its seed.
        rule: extraction rule of its maps.
    """

    label: str
    name: str
    rule: str

    @property
    def key(self) -> str:
        """Rows of one key have the same figures."""
        return f"{self.name}-{self.rule}"


def ablation_tables(rule: str, names: Sequence[str] = (), sweep_lambda: bool = True) -> dict[str, tuple[Row, ...]]:
    """The four tables by name: ``loss``, ``lambda``, ``masks`` and ``rules``.

    Args:
        rule: extraction rule of ReCAM's maps, wherever rules are not what is compared.
        names: of the tables wanted; all by default.
        sweep_lambda: whether lambda matters at all; with FC2 alone it does not
            (:class:`recam_core.retrain.head_recipe.HeadRecipe`).

    Raises:
        UserError: an unknown rule or table.
    """
    if rule not in RULES:
        raise UserError(f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}.")
    tables = {
        "loss": (
            Row("BCE-CAM", BASE, "fc1"),
            Row("SCE-CAM", "sce", "fc1"),
            Row("FC2 with BCE", "fc2-bce", rule),
            Row("ReCAM (FC2 with SCE)", RECAM, rule),
        ),
        # Without L_sce nothing trains FC2, so the maps are those of FC1.
        "lambda": (
            Row("lambda 0", "lambda0", "fc1"),
            Row("lambda 0.1", "lambda0.1", rule),
            Row("lambda 1", RECAM, rule),
            Row("lambda 10", "lambda10", rule),
        ),
        "masks": (
            Row("none (copied features)", "mask-none", rule),
            Row("soft", RECAM, rule),
            Row("power 2", "mask-power2", rule),
            Row("hard at 0.3", "mask-hard0.3", rule),
        ),
        "rules": tuple(Row(one.replace("_", " "), RECAM, one) for one in RULES),
    }
    for name in names:
        if name not in tables:
            raise UserError(f"There is no table '{name}': choose from {', '.join(tables)}.")
    if not sweep_lambda:
        if "lambda" in names:
            raise UserError("With FC2 alone lambda changes nothing: leave out the table lambda, or train both.")
        del tables["lambda"]
    return {name: rows for name, rows in tables.items() if not names or name in names}


def full_recipe(name: str, bases: dict[str, Recipe], seed: int) -> Recipe:
    """The recipe of a full training.

    Args:
        name: of the run, without its seed.
        bases: the settings that are not compared, by method.
        seed: of the initial weights, the order and the augmentation.
    """
    if name in (BASE, "sce"):
        return replace(bases[name], seed=seed)
    return replace(bases[RECAM], seed=seed, **VARIANTS[name])


def head_recipe(name: str, base: HeadRecipe, seed: int) -> HeadRecipe:
    """The recipe of heads on the features of the BCE run of the same seed.

    ``sce`` is FC2 alone on features that are copied, not masked: equation 5 is then the softmax loss of the SCE-CAM,
    whose target is spread evenly over the present classes.

    Args:
        name: of the row, without its seed; not ``bce``, which nothing is trained for.
        base: the settings that are not compared.
        seed: of the order.
    """
    if name == "sce":
        return HeadRecipe(mask="none", rule="fc2")
    changes = dict(VARIANTS[name])
    if "fc2_loss" in changes:
        changes["loss"] = changes.pop("fc2_loss")
    return replace(base, seed=seed if base.update == "both" else 0, **changes)


def check_depth(depth: str, update: str) -> None:
    """Refuse what there is not.

    Raises:
        UserError: an unknown depth, or heads that do not exist.
    """
    if depth not in DEPTHS:
        raise UserError(f"There is no depth '{depth}': choose one of {', '.join(DEPTHS)}.")
    if update not in UPDATES:
        raise UserError(f"What is trained of the heads is one of {', '.join(UPDATES)}, not '{update}'.")
