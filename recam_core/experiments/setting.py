"""A setting of an experiment, and what came out for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recam_core.experiments.part_score import PartScore
from recam_core.experiments.protocol import REPORT, SELECT
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import HeadResult
from recam_core.train.recipe import Recipe

#: What a reader should know where settings that are not fair were tried.
ORACLE_NOTE = "The mask 'oracle' is the ground truth: an upper bound, no fair method, and never chosen."


@dataclass(frozen=True)
class Setting:
    """What is tried.

    Attributes:
        label: as people read it, unique in its experiment.
        recipes: one a seed, of heads or of full trainings.
        values: the settings that the experiment varies, by name.
        fair: whether it may be chosen; a setting that looks at ground truth may not.
    """

    label: str
    recipes: tuple[HeadRecipe | Recipe, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    fair: bool = True


@dataclass(frozen=True, eq=False)
class Measured:
    """What came out for a setting.

    Attributes:
        setting: what was tried.
        heads: one a seed; none for full trainings.
        select, report: scores on either part, one a seed.
        runs: folders of full trainings, one a seed; none for heads.
    """

    setting: Setting
    heads: tuple[HeadResult, ...]
    select: tuple[PartScore, ...]
    report: tuple[PartScore, ...]
    runs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As people read it."""
        return self.setting.label

    def on(self, part: str) -> tuple[PartScore, ...]:
        """The scores on ``select`` or ``report``."""
        return {SELECT: self.select, REPORT: self.report}[part]

    def miou(self, part: str) -> float:
        """Mean over the seeds."""
        return float(np.mean([score.scores.miou for score in self.on(part)]))


def seeded(recipe: HeadRecipe, seeds: Sequence[int]) -> tuple[HeadRecipe, ...]:
    """The recipe once a seed; once in all where the training has nothing random."""
    if recipe.update == "fc2":
        return (replace(recipe, seed=0),)
    return tuple(replace(recipe, seed=int(seed)) for seed in dict.fromkeys(seeds))
