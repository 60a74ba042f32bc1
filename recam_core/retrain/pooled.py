"""What the classifiers see of cached features: batches of them, and the pooled single-label features of all pairs."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from recam_core.method.background import background_masks, with_background
from recam_core.method.cam import normalise
from recam_core.method.masks import MaskChoice
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.retrain.features import FeatureBlock, FeatureCache

#: Pictures whose features are turned into single precision at a time; few enough to stay in a processor's cache.
CHUNK = 8


def chunks(
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
    home = cache.blocks[0].features.device
    chosen = torch.empty(0, dtype=torch.float16, device=home)
    features = torch.empty(0, dtype=torch.float32, device=device)
    for block, part in parts:
        there = part.to(home)
        shape = (len(part), *block.features.shape[1:])
        torch.index_select(block.features, 0, there, out=chosen.resize_(shape))
        features.resize_(shape).copy_(chosen)
        labels = block.labels[there].to(device)
        truth = None
        if block.truth is not None:
            truth = _rows_of_pairs(block, part).to(device, torch.float32)
        yield features, labels.float(), truth


def pair_cams(features: Tensor, weight: Tensor, image: Tensor, category: Tensor) -> Tensor:
    """Equation 2 for the present pairs only: ... x P x h x w in 0..1.

    Args:
        features: B x C x h x w.
        weight: ... x K x C, one set of class weights or several.
        image, category: P int64, the pairs, sorted by image.
    """
    count, channels, height, width = features.shape
    sets = weight.reshape(-1, *weight.shape[-2:])
    most = int(torch.bincount(image, minlength=count).max()) if len(image) else 0
    if most == 0:
        return features.new_zeros((*weight.shape[:-2], 0, height, width))
    first = torch.searchsorted(image, torch.arange(count, device=image.device))
    slot = torch.arange(len(image), device=image.device) - first[image]
    # The rows of each image's present classes, for every set of weights, meet its features in one batched product.
    rows = weight.new_zeros((count, most, len(sets), channels))
    rows = rows.index_put((image, slot), sets[:, category].transpose(0, 1))
    maps = torch.bmm(rows.flatten(1, 2), features.flatten(2)).relu()
    maps = maps.unflatten(1, (most, len(sets)))[image, slot].transpose(0, 1)
    return normalise(maps.reshape(*weight.shape[:-2], len(image), height, width))


def pooled_under(features: Tensor, masks: Tensor, image: Tensor) -> Tensor:
    """Equations 3 and 4 under N masks at once: N x P x C of features B x C x h x w and masks N x P x h x w.

    Every mask's pairs stand beside those of the others under their image, so that one product pools them all.
    """
    count, pairs = masks.shape[:2]
    together = pooled_single_label(features, masks.transpose(0, 1).flatten(0, 1), image.repeat_interleave(count))
    return together.unflatten(0, (pairs, count)).transpose(0, 1)


def join_background(
    masks: Tensor, of_background: Tensor, category: Tensor, image: Tensor, classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The masks of all pairs with those of the backgrounds among them, sorted by image.

    Args:
        masks: N x P x h x w.
        of_background: B x h x w, or N x B x h x w, see :func:`recam_core.method.background.background_masks`.
        category, image: P int64, the pairs, sorted by image.
        classes: K, which becomes the class of a background.

    Returns:
        Masks N x P' x h x w, classes P', images P'.
    """
    images = of_background.shape[-3]
    order, image = with_background(image, images)
    together = torch.cat([masks, of_background.expand(len(masks), -1, -1, -1)], dim=1)[:, order]
    return together, torch.cat([category, category.new_full((images,), classes)])[order], image


def pooled_pairs(
    cache: FeatureCache, weight: Tensor, masks: Sequence[MaskChoice], background_power: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """GAP(M_k * f(x)) of every pair of the data set: all that FC2 ever sees while the masks are fixed.

    The features are read, and their CAMs made, once for all masks.

    Args:
        cache: the features.
        weight: K x C, the class weights whose CAMs become the masks; FC1's, unless masks are iterated.
        masks: N masking choices.
        background_power: G of the background's mask, which gives each picture with a class one more pair, of class K;
            None leaves it out.

    Returns:
        N x P x C pooled features, P int64 classes, P int64 images (sorted).
    """
    extra = 0 if background_power is None else cache.labelled
    pooled = weight.new_empty((len(masks), cache.pairs + extra, weight.shape[1]))
    categories, images, seen, row = [], [], 0, 0
    for features, labels, truth in chunks(cache, weight.device):
        image, category = present_pairs(labels)
        if background_power is not None or any(mask.follows_cam for mask in masks):
            cams = pair_cams(features, weight, image, category)
        else:
            cams = features.new_ones((len(image), *features.shape[-2:]))
        shown = torch.stack([mask(cams, truth) for mask in masks])
        if background_power is not None:
            of_background = background_masks(cams, image, len(labels), background_power)
            shown, category, image = join_background(shown, of_background, category, image, len(weight))
        pooled[:, row : row + len(image)] = pooled_under(features, shown, image)
        categories.append(category)
        images.append(image + seen)
        seen, row = seen + len(labels), row + len(image)
    return pooled, torch.cat(categories), torch.cat(images)


def _rows_of_pairs(block: FeatureBlock, part: Tensor) -> Tensor:
    """The rows of ``block.truth`` that belong to the pictures of ``part``, in the order of their pairs."""
    pairs = block.labels.sum(dim=1).cpu()
    first = pairs.cumsum(0) - pairs
    rows = torch.cat([torch.arange(first[i], first[i] + pairs[i]) for i in part.tolist()])
    return block.truth[rows.to(block.truth.device)]
