"""Retraining FC2, or FC1 and FC2, on cached features: equation 6 with the backbone held fixed."""

import copy
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from recam_core.checkpoint.run_folder import Run, RunInfo, command_line, save_run
from recam_core.errors import UserError
from recam_core.gate import device_gate, give_way
from recam_core.method.background import check_background
from recam_core.method.extraction import class_weights
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.features import FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.head_runs import History, train_both, train_fc2
from recam_core.retrain.pooled import GPU_CHUNK, SharedPools, pooled_pairs
from recam_core.retrain.pooled import ROOM as POOLED_ROOM
from recam_core.typed_path import as_typed

#: Bytes of the logits of all pairs under all recipes of a batch; there are some five tensors of that size.
_ROOM = 1 << 28


@dataclass(frozen=True)
class HeadResult:
    """Retrained classifiers.

    Attributes:
        fc1, fc2: K x C on the CPU; fc1 is the run's own with ``update="fc2"``, and fc2 has K + 1 rows with a background
            row.
        recipe: as it was carried out.
        history: one entry an epoch: ``{"epoch", "loss", "bce", "sce"}`` (bce only where it is part of the training).
        seconds: what the training took, without the cache.
    """

    fc1: Tensor
    fc2: Tensor
    recipe: HeadRecipe
    history: list[dict[str, float]]
    seconds: float


def retrain_heads(cache: FeatureCache, run: Run, recipe: HeadRecipe, progress: ProgressFn = silent) -> HeadResult:
    """Train FC2 (and FC1) on cached features.

    FC2 starts from zero: with FC1 fixed the problem is convex, so the start decides nothing but what untrained
    channels hold, and zero keeps those out of a product.

    Args:
        cache: of this run's weights.
        run: gives FC1; its device does the work.
        recipe: the settings.
        progress: called after each epoch; may raise Cancelled.

    Raises:
        UserError: a setting out of range, a cache of other weights, the mask ``oracle`` without masks.
    """
    return retrain_many(cache, run, [recipe], progress)[0]


def retrain_many(
    cache: FeatureCache, run: Run, recipes: Sequence[HeadRecipe], progress: ProgressFn = silent
) -> list[HeadResult]:
    """Train several heads on the same features; what they have in common is done once.

    Recipes that differ in nothing that training sees (the extraction rule, say) share a result. Those that can be
    trained on the same batches are, side by side; each comes out as it would alone, up to rounding.

    Args:
        cache: of this run's weights.
        run: gives FC1; its device does the work.
        recipes: the settings of each.
        progress: called after each epoch of each batch; may raise Cancelled.

    Returns:
        One result a recipe, in their order; ``seconds`` is its share of the time of its batch.

    Raises:
        UserError: see :func:`retrain_heads`.
    """
    recipes = [completed(recipe) for recipe in recipes]
    if cache.weights_sha256 != run.info.weights_sha256:
        raise UserError("These features were made by other weights than the run's; build the cache again.")
    if any(parse_mask(recipe.mask).needs_truth for recipe in recipes) and not cache.has_truth:
        raise UserError(f"The mask 'oracle' needs ground-truth masks, and {cache.spec} lacks some.")
    for recipe in recipes:
        check_background(recipe, run.info.has_background, cache.spec)
    distinct = dict.fromkeys(_training(recipe) for recipe in recipes)
    batches: dict[tuple, list[HeadRecipe]] = {}
    for recipe in distinct:
        batches.setdefault(_batch(recipe), []).append(recipe)
    fc1 = run.network.fc1.detach()
    parts = [part for batch in batches.values() for part in _parts(batch, cache.pairs * len(fc1) * fc1.element_size())]
    total = sum(part[0].epochs * part[0].rounds for part in parts)
    ticks = itertools.count(1)
    with device_gate(fc1.device):
        cache = cache.on(fc1.device, spare=_spare(cache, fc1))
    pools = SharedPools(cache, fc1, [_pool(part[0]) for part in parts if part[0].update == "fc2"])
    trained: dict[HeadRecipe, HeadResult] = {}
    for part in parts:
        started = time.perf_counter()
        train = partial(_fc2_batch, pools) if part[0].update == "fc2" else train_both

        def tick(note: str) -> None:
            progress(next(ticks), total, note)
            give_way(fc1.device)

        with device_gate(fc1.device):
            first, second, histories = train(cache, fc1, part, tick)
        seconds = (time.perf_counter() - started) / len(part)
        for recipe, one, two, history in zip(part, first.cpu(), second.cpu(), histories, strict=True):
            trained[recipe] = HeadResult(one, two, recipe, history, seconds)
    return [replace(trained[_training(recipe)], recipe=recipe) for recipe in recipes]


def _spare(cache: FeatureCache, fc1: Tensor) -> int:
    """Bytes that training on a GPU takes besides the cache: pooled features, logits, and chunks of features."""
    pooled = cache.pairs * fc1.shape[1] * fc1.element_size()
    largest = max(block.features[:1].numel() for block in cache.blocks) * fc1.element_size()
    return max(pooled, POOLED_ROOM) + pooled + 5 * _ROOM + 2 * GPU_CHUNK * largest


def _training(recipe: HeadRecipe) -> HeadRecipe:
    """The recipe without what training does not see: equal ones give equal heads."""
    if recipe.update == "both":
        return replace(recipe, rule="sum")
    rule = recipe.rule if recipe.rounds > 1 else "sum"
    return replace(recipe, rule=rule, weight=float(recipe.weight > 0), batch_size=1, seed=0)


def _batch(recipe: HeadRecipe) -> tuple:
    """What recipes must have in common to be trained side by side."""
    if recipe.update == "both":
        return ("both", recipe.epochs, recipe.batch_size, recipe.seed, recipe.background > 0)
    # From the second round on, each has masks of its own.
    return ("fc2", recipe.epochs, _pool(recipe), recipe if recipe.rounds > 1 else None)


def _pool(recipe: HeadRecipe) -> tuple[str, float | None]:
    """What decides the pooled features that FC2 alone is trained on."""
    return recipe.mask, recipe.background_power if recipe.background > 0 else None


def _parts(batch: list[HeadRecipe], logits: int) -> list[list[HeadRecipe]]:
    """A batch in parts that fit into memory; ``logits`` counts the bytes of one recipe's, of all pairs."""
    if batch[0].update == "both":
        return [batch]  # it sees a few pictures at a time
    size = max(_ROOM // max(logits, 1), 1)
    return [batch[first : first + size] for first in range(0, len(batch), size)]


@torch.no_grad()
def _fc2_batch(
    pools: SharedPools, cache: FeatureCache, fc1: Tensor, recipes: Sequence[HeadRecipe], tick: Callable[[str], None]
) -> tuple[Tensor, Tensor, list[History]]:
    """All pairs in every step: they are a few thousand rows. The masks of the first round are FC1's."""
    mask, power = _pool(recipes[0])
    pooled = pools.take(mask, power)
    histories: list[History] = [[] for _ in recipes]
    for number in range(recipes[0].rounds):
        fc2, more = train_fc2(pooled, len(cache), len(fc1), recipes, tick)
        for history, entries in zip(histories, more, strict=True):
            history += [entry | {"epoch": len(history) + entry["epoch"]} for entry in entries]
        if number + 1 < recipes[0].rounds:
            weight = class_weights(recipes[0].rule, fc1, fc2[0])
            rows, category, image = pooled_pairs(cache, weight, [parse_mask(mask)], power)
            pooled = rows[0], category, image
    return fc1.expand(len(recipes), -1, -1), fc2, histories


def save_heads(path: str | Path, run: Run, cache_spec: str, result: HeadResult, half: bool = True) -> RunInfo:
    """Write a run folder with the backbone of ``run`` and the retrained classifiers.

    Raises:
        UserError: the folder cannot be written to.
    """
    network = copy.deepcopy(run.network)
    with_row = len(result.fc2) > len(result.fc1)
    if network.fc2 is None or network.spec.background_row != with_row:
        network.add_fc2(background_row=with_row)
    assert network.fc2 is not None
    with torch.no_grad():
        network.fc1.copy_(result.fc1)
        network.fc2.copy_(result.fc2)
    info = RunInfo(
        name=Path(path).name,
        method="heads",
        rule=result.recipe.rule,
        network={},
        classes=run.info.classes,
        has_background=run.info.has_background,
        data=cache_spec,
        recipe=result.recipe.to_json(),
        seed=result.recipe.seed,
        threshold=None,
        parent=run.info.name,
        parent_sha256=run.info.weights_sha256,
        init=str(as_typed(run.path)),
        command=command_line(),
    )
    return save_run(path, network, info, half=half)
