"""What the paper's tables are made of: data, depth, seeds and settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recam_core.data.spec import Spec, parse_spec
from recam_core.errors import UserError
from recam_core.method.extraction import RULES, rules_of
from recam_core.method.masks import parse_mask
from recam_core.retrain.head_recipe import UPDATES, HeadRecipe
from recam_core.train.recipe import METHODS, Recipe, preset

#: ``full`` trains the backbone too, as the paper does; ``heads`` trains classifiers on the features of the BCE run.
DEPTHS = ("full", "heads")
#: The run that all rows are compared with, and the plain ReCAM that several tables share.
BASE, RECAM = "bce", "recam"
#: What is compared unless other values are named.
LAMBDAS = (0.0, 0.1, 1.0, 10.0)
MASKS = ("none", "soft", "power:2", "hard:0.3")
BACKGROUNDS = (0.2,)
#: Rules of the table of the background row: FC1's own, the usual ones beside it, and those that it makes possible.
_BACKGROUND_RULES = ("fc1", "fc2", "sum", *(name for name, rule in RULES.items() if rule.needs_background))


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        label: as people read it.
        name: of the run, without its seed.
        rule: extraction rule of its maps.
        changes: what it changes of ReCAM's settings; fields that both kinds of recipe share, and ``fc2_loss``.
    """

    label: str
    name: str
    rule: str
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """Rows of one key have the same figures."""
        return f"{self.name}-{self.rule}"


#: BCE-CAM, and its key among the figures.
BASE_ROW = Row("BCE-CAM", BASE, "fc1")
BASE_KEY = BASE_ROW.key


def ablation_tables(
    rule: str,
    names: Sequence[str] = (),
    lambdas: Sequence[float] = LAMBDAS,
    masks: Sequence[str] = MASKS,
    usual: tuple[float, str] = (1.0, "soft"),
    sweep_lambda: bool = True,
    backgrounds: Sequence[float] = (),
) -> dict[str, tuple[Row, ...]]:
    """The paper's four tables by name, ``loss``, ``lambda``, ``masks`` and ``rules``, and ``background``.

    Args:
        rule: extraction rule of ReCAM's maps, wherever rules are not what is compared.
        names: of the tables wanted; all by default.
        lambdas, masks: what the tables of these compare.
        usual: lambda and mask of ReCAM in the other tables.
        sweep_lambda: whether lambda matters at all; with FC2 alone it does not
            (:class:`recam_core.retrain.head_recipe.HeadRecipe`).
        backgrounds: weights of the background row; none for data without a background class.

    Raises:
        UserError: an unknown rule, table or mask, or a value twice.
    """
    if rule not in RULES:
        raise UserError(f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}.")
    choices = [str(parse_mask(mask)) for mask in masks]
    if any(len(set(some)) < len(some) for some in (lambdas, choices, backgrounds)):
        raise UserError("A lambda, a mask or a weight of the background row is named twice; name each once.")
    if not all(value > 0 for value in backgrounds):
        raise UserError("The weight of the background row must be above 0; the paper's FC2 is compared anyway.")
    tables = {
        "loss": (
            BASE_ROW,
            Row("SCE-CAM", "sce", "fc1"),
            Row("FC2 with BCE", "fc2-bce", rule, (("fc2_loss", "bce"),)),
            Row("ReCAM (FC2 with SCE)", RECAM, rule),
        ),
        "lambda": tuple(_lambda_row(float(value), usual[0], rule) for value in lambdas),
        "masks": tuple(_mask_row(choice, usual[1], rule) for choice in choices),
        "rules": tuple(Row(one.replace("_", " "), RECAM, one) for one in rules_of(True, False)),
    }
    if backgrounds:
        tables["background"] = (
            Row("the paper's FC2", RECAM, rule),
            *(
                Row(f"row {value:g}, {one.replace('_', ' ')}", f"background{value:g}", one, (("background", value),))
                for value in backgrounds
                for one in _BACKGROUND_RULES
            ),
        )
    for name in names:
        if name not in tables:
            raise UserError(f"There is no table '{name}': choose from {', '.join(tables)}.")
    if not sweep_lambda:
        if "lambda" in names:
            raise UserError("With FC2 alone lambda changes nothing: leave out the table lambda, or train both.")
        del tables["lambda"]
    return {name: rows for name, rows in tables.items() if not names or name in names}


def _lambda_row(value: float, usual: float, rule: str) -> Row:
    # Without L_sce nothing trains FC2, so the maps are those of FC1.
    rule, label = ("fc1" if value == 0 else rule), f"lambda {value:g}"
    return Row(label, RECAM, rule) if value == usual else Row(label, f"lambda{value:g}", rule, (("weight", value),))


def _mask_row(choice: str, usual: str, rule: str) -> Row:
    label = "none (copied features)" if choice == "none" else choice.replace(":", " ")
    if choice == usual:
        return Row(label, RECAM, rule)
    return Row(label, f"mask-{choice.replace(':', '')}", rule, (("mask", choice),))


def full_recipe(row: Row, bases: dict[str, Recipe], seed: int) -> Recipe:
    """The recipe of a full training.

    Args:
        row: whose network it is.
        bases: the settings that are not compared, by method.
        seed: of the initial weights, the order and the augmentation.
    """
    if row.name in (BASE, "sce"):
        return replace(bases[row.name], seed=seed)
    return replace(bases[RECAM], seed=seed, **dict(row.changes))


def head_recipe(row: Row, base: HeadRecipe, seed: int) -> HeadRecipe:
    """The recipe of heads on the features of the BCE run of the same seed.

    ``sce`` is FC2 alone on features that are copied, not masked: equation 5 is then the softmax loss of the SCE-CAM,
    whose target is spread evenly over the present classes.

    Args:
        row: whose heads they are; not ``bce``, for which nothing is trained.
        base: the settings that are not compared.
        seed: of the order.
    """
    if row.name == "sce":
        return HeadRecipe(mask="none", rule="fc2")
    changes = dict(row.changes)
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


@dataclass(frozen=True)
class AblationPlan:
    """What the tables are made of.

    Attributes:
        data: the training pictures.
        reports: where figures are reported.
        folder: of the runs (``NAME-seedN``) and their scores; what is there is not made again.
        depth: ``full`` or ``heads``, see :data:`recam_core.experiments.ablation_plan.DEPTHS`.
        seeds: each row once a seed.
        tables: names of the tables, all by default.
        lambdas, masks, backgrounds: what the tables of these compare.
        rule: extraction rule, wherever rules are not what is compared.
        bases: settings of the full trainings, by method.
        heads: settings of the heads.
        have: folders with finished runs that are taken where recipe, data and start are those wanted.
        select: where background thresholds are chosen; "" for a fifth of the training pictures. Needed where these have
            coarser masks than the pictures that are reported (VOC's ``train_aug``).
        device, threads: see :class:`recam_core.experiments.full_training.Training`.
    """

    data: str
    reports: tuple[str, ...]
    folder: Path
    depth: str = "full"
    seeds: tuple[int, ...] = (0, 1, 2)
    tables: tuple[str, ...] = ()
    lambdas: tuple[float, ...] = LAMBDAS
    masks: tuple[str, ...] = MASKS
    backgrounds: tuple[float, ...] = BACKGROUNDS
    rule: str = "sum"
    bases: dict[str, Recipe] = field(default_factory=lambda: {name: preset(name, "small") for name in METHODS})
    heads: HeadRecipe = field(default_factory=lambda: HeadRecipe(update="both"))
    have: tuple[Path, ...] = ()
    select: str = ""
    device: str = "auto"
    threads: int = 0


def report_specs(data: str, reports: Sequence[str]) -> tuple[str, ...]:
    """Specifications of where figures are reported; ``@SPLIT`` means a split of ``data``.

    Raises:
        UserError: a specification that cannot be read, or one twice.
    """
    spec = parse_spec(data)
    found = []
    for text in reports:
        named = f"{Spec(spec.kind, spec.root, None, None)}{text}" if text.startswith("@") else text
        found.append(str(parse_spec(named)))
    if len(set(found)) < len(found):
        raise UserError("A data set to report on is named twice; name each once.")
    return tuple(found)
