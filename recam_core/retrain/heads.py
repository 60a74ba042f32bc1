"""Retraining FC2, or FC1 and FC2, on cached features: equation 6 with the backbone held fixed."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.checkpoint.run_folder import Run, RunInfo, command_line, save_run
from recam_core.errors import UserError
from recam_core.method.cam import cam
from recam_core.method.losses import bce_loss, pair_divisors, sce_loss
from recam_core.method.masks import MaskChoice, parse_mask
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.features import FeatureBlock, FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe, completed

#: Pictures whose features are turned into single precision at a time; few enough to stay in a processor's cache.
CHUNK = 8


@dataclass(frozen=True)
class HeadResult:
    """Retrained classifiers.

    Attributes:
        fc1, fc2: K x C on the CPU; fc1 is the run's own with ``update="fc2"``.
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
    recipe = completed(recipe)
    if cache.weights_sha256 != run.info.weights_sha256:
        raise UserError("These features were made by other weights than the run's; build the cache again.")
    mask = parse_mask(recipe.mask)
    if mask.needs_truth and not cache.has_truth:
        raise UserError(f"The mask 'oracle' needs ground-truth masks, and {cache.spec} lacks some.")
    started = time.perf_counter()
    train = _train_fc2 if recipe.update == "fc2" else _train_both
    fc1, fc2, history = train(cache, run.network.fc1.detach(), mask, recipe, progress)
    return HeadResult(fc1.detach().cpu(), fc2.detach().cpu(), recipe, history, time.perf_counter() - started)


def save_heads(path: str | Path, run: Run, cache_spec: str, result: HeadResult, half: bool = True) -> RunInfo:
    """Write a run folder with the backbone of ``run`` and the retrained classifiers.

    Raises:
        UserError: the folder cannot be written to.
    """
    network = copy.deepcopy(run.network)
    if network.fc2 is None:
        network.add_fc2()
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
        command=command_line(),
    )
    return save_run(path, network, info, half=half)


def pooled_pairs(cache: FeatureCache, fc1: Tensor, mask: MaskChoice) -> tuple[Tensor, Tensor, Tensor]:
    """GAP(M_k * f(x)) of every pair of the data set: all that FC2 ever sees while FC1 is fixed.

    Returns:
        P x C pooled features, P int64 classes, P int64 images.
    """
    pooled, categories, images, seen = [], [], [], 0
    for features, labels, truth in _chunks(cache, fc1.device):
        image, category = present_pairs(labels)
        masks = _masks(features, fc1, mask, image, category, truth)
        pooled.append(pooled_single_label(features, masks, image))
        categories.append(category)
        images.append(image + seen)
        seen += len(labels)
    return torch.cat(pooled), torch.cat(categories), torch.cat(images)


def _train_fc2(
    cache: FeatureCache, fc1: Tensor, mask: MaskChoice, recipe: HeadRecipe, progress: ProgressFn
) -> tuple[Tensor, Tensor, list[dict[str, float]]]:
    """All pairs in every step: they are a few thousand rows."""
    with torch.no_grad():
        pooled, category, image = pooled_pairs(cache, fc1, mask)
    # A full batch of a linear softmax classifier has its gradient in closed form (softmax - target, times the features;
    # method/gradients.py): with the features kept in both layouts, each product reads them along their rows.
    columns, share = pooled.T.contiguous(), 1.0 / pair_divisors(image, len(cache))
    target = F.one_hot(category, len(fc1)).T.to(pooled.dtype)
    fc2 = torch.zeros_like(fc1)
    optimizer = torch.optim.AdamW([fc2], lr=recipe.lr, weight_decay=recipe.weight_decay)
    history = []
    for epoch in range(recipe.epochs):
        _set_rate(optimizer, recipe, epoch / recipe.epochs)
        log_belief = F.log_softmax(fc2 @ columns, dim=0)
        sce = -float((share * log_belief.gather(0, category[None])[0]).sum())
        fc2.grad = (recipe.weight * share * (log_belief.exp() - target)) @ pooled
        optimizer.step()
        history.append({"epoch": epoch + 1, "loss": recipe.weight * sce, "sce": sce})
        progress(epoch + 1, recipe.epochs, f"L_sce {sce:.4f}")
    return fc1, fc2, history


def _train_both(
    cache: FeatureCache, fc1: Tensor, mask: MaskChoice, recipe: HeadRecipe, progress: ProgressFn
) -> tuple[Tensor, Tensor, list[dict[str, float]]]:
    """Batches of pictures: FC1 changes the masks, so the features are needed in each step."""
    fc1 = fc1.clone().requires_grad_()
    fc2 = torch.zeros_like(fc1).requires_grad_()
    optimizer = torch.optim.AdamW([fc1, fc2], lr=recipe.lr, weight_decay=recipe.weight_decay)
    generator = torch.Generator().manual_seed(recipe.seed)
    history = []
    for epoch in range(recipe.epochs):
        sums, seen = {"loss": 0.0, "bce": 0.0, "sce": 0.0}, 0
        for features, labels, truth in _chunks(cache, fc1.device, recipe.batch_size, generator):
            _set_rate(optimizer, recipe, (epoch + seen / len(cache)) / recipe.epochs)
            image, category = present_pairs(labels)
            bce = bce_loss(features.mean(dim=(2, 3)) @ fc1.T, labels)
            masks = _masks(features, fc1, mask, image, category, truth)
            sce = sce_loss(pooled_single_label(features, masks, image) @ fc2.T, category, image, len(labels))
            loss = bce + recipe.weight * sce
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            for name, value in (("loss", loss), ("bce", bce), ("sce", sce)):
                sums[name] += float(value.detach()) * len(labels)
            seen += len(labels)
        history.append({"epoch": epoch + 1, **{name: value / seen for name, value in sums.items()}})
        progress(epoch + 1, recipe.epochs, f"L_bce {history[-1]['bce']:.4f}, L_sce {history[-1]['sce']:.4f}")
    return fc1, fc2, history


def _set_rate(optimizer: torch.optim.Optimizer, recipe: HeadRecipe, share: float) -> None:
    """A half cosine from the recipe's rate to 0; ``share`` of the training is done."""
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * share))


def _masks(
    features: Tensor, fc1: Tensor, mask: MaskChoice, image: Tensor, category: Tensor, truth: Tensor | None
) -> Tensor:
    """M_k of each pair, P x h x w; the CAMs are only computed for choices that look at them."""
    if not mask.follows_cam:
        return mask(features.new_ones((len(image), *features.shape[-2:])), truth)
    return mask(cam(features, fc1)[image, category], truth)


def _chunks(
    cache: FeatureCache, device: torch.device, size: int = CHUNK, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Features (n x C x h x w), labels (n x K) and truth (P x h x w) in single precision, ``size`` pictures at a time.

    The features lie in one buffer that the next chunk overwrites: fresh memory for each would cost more than the
    conversion. With a generator the pictures come in random order, batches of different shapes mixed.
    """
    parts: list[tuple[FeatureBlock, Tensor]] = []
    for block in cache.blocks:
        order = torch.randperm(len(block.index), generator=generator) if generator else torch.arange(len(block.index))
        parts += [(block, part) for part in order.split(size)]
    if generator:
        parts = [parts[number] for number in torch.randperm(len(parts), generator=generator).tolist()]
    chosen = torch.empty(0, dtype=torch.float16)
    features = torch.empty(0, dtype=torch.float32, device=device)
    for block, part in parts:
        shape = (len(part), *block.features.shape[1:])
        torch.index_select(block.features, 0, part, out=chosen.resize_(shape))
        features.resize_(shape).copy_(chosen)
        labels = block.labels[part].to(device)
        truth = None
        if block.truth is not None:
            truth = _rows_of_pairs(block, part).to(device, torch.float32)
        yield features, labels.float(), truth


def _rows_of_pairs(block: FeatureBlock, part: Tensor) -> Tensor:
    """The rows of ``block.truth`` that belong to the pictures of ``part``, in the order of their pairs."""
    pairs = block.labels.sum(dim=1)
    first = pairs.cumsum(0) - pairs
    return block.truth[torch.cat([torch.arange(first[i], first[i] + pairs[i]) for i in part.tolist()])]
