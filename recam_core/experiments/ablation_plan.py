"""What the paper's tables are made of: data, depth, seeds and settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recam_core.data.spec import Spec, parse_spec
from recam_core.errors import UserError
from recam_core.experiments.ablation_rows import BACKGROUNDS, LAMBDAS, MASKS
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.train.recipe import METHODS, Recipe, preset


@dataclass(frozen=True)
class AblationPlan:
    """What the tables are made of.

    Attributes:
        data: the training pictures.
        reports: where figures are reported.
        folder: of the runs (``NAME-seedN``) and their scores; what is there is not made again.
        depth: ``full`` or ``heads``, see :data:`recam_core.experiments.ablation_rows.DEPTHS`.
        seeds: each row once a seed.
        tables: names of the tables, all by default.
        lambdas, masks, backgrounds: what the tables of these compare.
        rule: extraction rule, wherever rules are not what is compared.
        bases: settings of the full trainings, by method.
        heads: settings of the heads.
        have: folders with finished runs that are taken where recipe, data and start are those wanted.
        select: where background thresholds are chosen; "" for a fifth of the training pictures. Needed where these have
            coarser masks than the pictures that are reported (VOC's ``train_aug``).
        device, threads: see :class:`recam_core.experiments.ablation_work.ScoreWork`.
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
