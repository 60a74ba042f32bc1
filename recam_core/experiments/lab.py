"""What all experiments over heads stand on: train on one part, choose on another, report on a third."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recam_core.checkpoint.run_folder import Run
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.experiments.head_scores import SampledTruth, count_exact, count_sampled, read_sampled_truth
from recam_core.experiments.part_score import PartScore, score_part, select_threshold
from recam_core.experiments.protocol import FIT, REPORT, SELECT, Protocol, open_parts
from recam_core.method.extraction import MapWeights, map_weights
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.features import FeatureCache, build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.heads import HeadResult, retrain_many
from recam_core.scores.evaluate import check_classes
from recam_core.scores.pixel_counts import PixelCounts
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


def head_recipes(setting: Setting) -> list[HeadRecipe]:
    """The recipes of a setting of heads."""
    return [recipe for recipe in setting.recipes if isinstance(recipe, HeadRecipe)]


@dataclass(frozen=True, eq=False)
class SettingResult:
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


#: How the run that an experiment starts from is called.
REFERENCE = "not retrained"


@dataclass(frozen=True, eq=False)
class HeadLab:
    """A run with the features of the three parts.

    Attributes:
        run: gives the backbone and FC1; its device does the work.
        protocol: which pictures do what.
        fit: features that heads are trained on.
        caches, truths, datasets: of ``select`` and ``report``, by part.
        exact: whether all pixels are scored at the usual scales, or a sample at scale 1.
    """

    run: Run
    protocol: Protocol
    fit: FeatureCache
    caches: dict[str, FeatureCache]
    truths: dict[str, SampledTruth]
    datasets: dict[str, Dataset]
    exact: bool = False

    def pictures(self, part: str) -> int:
        """How many pictures a part has (those that can be scored, where it scores)."""
        return len(self.fit) if part == FIT else self.truths[part].pictures

    def measure(
        self, settings: Sequence[Setting], progress: ProgressFn = silent
    ) -> tuple[SettingResult, list[SettingResult]]:
        """Train every head, choose its background threshold on ``select`` and score it on both parts.

        Args:
            settings: what is tried.
            progress: called after each epoch and each picture; may raise Cancelled.

        Returns:
            The run as it is, read with the weights of FC1, and one result a setting.

        Raises:
            UserError: a recipe that cannot work, or the mask ``oracle`` without masks.
        """
        recipes = [recipe for setting in settings for recipe in head_recipes(setting)]
        results = retrain_many(self.fit, self.run, recipes, progress)
        fc1 = self.run.network.fc1.detach().float()
        before = HeadResult(fc1.cpu(), torch.zeros_like(fc1, device="cpu"), HeadRecipe(weight=0.0, rule="fc1"), [], 0.0)
        scores = self._scores([maps_weight(result) for result in (before, *results)], progress)
        reference = SettingResult(Setting(REFERENCE, (before.recipe,)), (before,), (scores[0][0],), (scores[0][1],))
        measured, first = [], 1
        for setting in settings:
            last = first + len(setting.recipes)
            of_seeds = scores[first:last]
            measured.append(
                SettingResult(
                    setting,
                    tuple(results[first - 1 : last - 1]),
                    tuple(select for select, _ in of_seeds),
                    tuple(report for _, report in of_seeds),
                )
            )
            first = last
        return reference, measured

    def _scores(self, weights: Sequence[MapWeights], progress: ProgressFn) -> list[tuple[PartScore, PartScore]]:
        """Scores on select and report; heads that came out the same are scored once."""
        places: dict[str, int] = {}
        which = [places.setdefault(weight.digest, len(places)) for weight in weights]
        distinct = dict(zip(which, weights, strict=True))
        each = [distinct[place].to(self.run.network.device) for place in range(len(places))]
        scores: dict[str, list[PartScore]] = {}
        thresholds: list[float | None] = []
        for part in (SELECT, REPORT):
            counts = self._count(part, each, progress)
            if part == SELECT:
                thresholds = [select_threshold(each, part) for each in counts]
            pairs = zip(counts, thresholds, strict=True)
            scores[part] = [score_part(each, threshold, part, self.exact) for each, threshold in pairs]
        return [(scores[SELECT][place], scores[REPORT][place]) for place in which]

    def _count(self, part: str, weights: Sequence[MapWeights], progress: ProgressFn) -> list[PixelCounts]:
        if self.exact:
            return count_exact(self.run.network, self.datasets[part], weights, progress)
        return count_sampled(self.caches[part], self.truths[part], weights, progress)


def maps_weight(result: HeadResult) -> MapWeights:
    """What maps of a retrained head are made with, on the CPU.

    With lambda 0 FC2 was not trained and holds nothing; the maps are then those of FC1, whatever the rule.
    """
    rule = result.recipe.rule if result.recipe.weight > 0 else "fc1"
    return map_weights(rule, result.fc1, result.fc2).map(lambda one: one.detach().float().contiguous())


def open_lab(run: Run, protocol: Protocol, exact: bool = False, progress: ProgressFn = silent) -> HeadLab:
    """Features and ground truth of the three parts, from the caches or computed.

    Args:
        run: what the experiments start from.
        protocol: which pictures do what, see :func:`recam_core.experiments.protocol.protocol_for`.
        exact: score all pixels at the usual scales; slower by a pass through the backbone for each experiment.
        progress: called after each picture of each part; may raise Cancelled.

    Raises:
        UserError: classes that are not the run's, parts that share pictures, no ground truth, a broken picture.
    """
    parts = open_parts(protocol)
    for dataset in parts.values():
        check_classes(run.info.class_list, dataset.classes, f"The run {run.info.name}", f"the data set {dataset.spec}")
    fit = build_feature_cache(run, parts[FIT], progress)
    scored = {part: parts[part] for part in (SELECT, REPORT)}
    truths = {part: read_sampled_truth(dataset, progress) for part, dataset in scored.items()}
    device = run.network.device
    caches = {part: build_feature_cache(run, dataset, progress).on(device) for part, dataset in scored.items()}
    return HeadLab(run, protocol, fit.on(device), caches, truths, scored, exact)


def check_fc2_trained(base: HeadRecipe) -> None:
    """Make sure that FC2 is trained where it is what settings are compared by.

    Raises:
        UserError: lambda is 0, so that all settings would give the same maps and show nothing.
    """
    if base.weight == 0:
        raise UserError(
            "With lambda 0 FC2 is not trained, so these settings would all give the same maps. Name a lambda above 0."
        )


def check_settings(settings: Sequence[Setting]) -> list[Setting]:
    """The settings of heads, if they can be tried; nothing is computed for that.

    Raises:
        UserError: no setting, one twice, or one out of range.
    """
    check_labels(settings)
    for setting in settings:
        for recipe in head_recipes(setting):
            completed(recipe)
    return list(settings)


def check_labels(settings: Sequence[Setting]) -> None:
    """Make sure that every setting occurs once.

    Raises:
        UserError: no setting, or one twice.
    """
    labels = [setting.label for setting in settings]
    if not labels:
        raise UserError("The experiment has no setting to try; name at least one.")
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"The setting '{label}' is named twice; name each once.")
