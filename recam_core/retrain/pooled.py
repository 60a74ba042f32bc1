"""What the classifiers see of cached features: batches of them, and the pooled single-label features of all pairs."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from recam_core.gate import give_way
from recam_core.method.background import background_masks, join_background
from recam_core.method.cam import pair_cams
from recam_core.method.masks import MaskChoice, parse_mask
from recam_core.method.single_label import pooled_under
from recam_core.method.step import BatchPairs, batch_pairs
from recam_core.retrain.features import FeatureBlock, FeatureCache

#: Pictures whose features are turned into single precision at a time: few enough to stay in a processor's cache, and
#: enough to keep a GPU at work.
CHUNK, GPU_CHUNK = 8, 128


def chunks(
    cache: FeatureCache,
    device: torch.device,
    size: int | None = None,
    generator: torch.Generator | None = None,
    with_row: bool = False,
) -> Iterator[tuple[Tensor, Tensor, Tensor | None, BatchPairs]]:
    """Features (n x C x h x w), labels (n x K) and truth (P x h x w) in single precision, and the pairs of n pictures.

    The features lie in one buffer that the next chunk overwrites: fresh memory for each would cost more than the
    conversion. Who is inside the gate of a GPU gives way between chunks. With a generator the pictures come in random
    order, batches of different shapes mixed.

    Args:
        cache: the features.
        device: where they go.
        size: n, at most; what suits the device unless given.
        generator: of the order, where it is random.
        with_row: whether FC2 has a background row, whose pairs are wanted, too.
    """
    size = size or (CHUNK if device.type == "cpu" else GPU_CHUNK)
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
        give_way(device)
        there = part.to(home)
        shape = (len(part), *block.features.shape[1:])
        torch.index_select(block.features, 0, there, out=chosen.resize_(shape))
        features.resize_(shape).copy_(chosen)
        labels = block.labels[part].float()
        truth = None
        if block.truth is not None:
            truth = block.truth[_rows_of_pairs(block, part).to(block.truth.device)].to(device, torch.float32)
        yield features, labels.to(device), truth, batch_pairs(labels, with_row).to(device)


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
    for features, labels, truth, pairs in chunks(cache, weight.device, with_row=background_power is not None):
        image, category, most = pairs[:3]
        if background_power is not None or any(mask.follows_cam for mask in masks):
            cams = pair_cams(features, weight, image, category, most)
        else:
            cams = features.new_ones((len(image), *features.shape[-2:]))
        shown = torch.stack([mask(cams, truth) for mask in masks])
        if background_power is not None:
            of_background = background_masks(cams, image, len(labels), background_power, most)
            shown = join_background(shown, of_background, pairs.order)
        image = pairs.shown_image
        pooled[:, row : row + len(image)] = pooled_under(features, shown, image, pairs.shown_most)
        categories.append(pairs.shown_category)
        images.append(image + seen)
        seen, row = seen + len(labels), row + len(image)
    return pooled, torch.cat(categories), torch.cat(images)


def _rows_of_pairs(block: FeatureBlock, part: Tensor) -> Tensor:
    """The rows of ``block.truth`` that belong to the pictures of ``part``, in the order of their pairs."""
    ends = [0, *block.labels.sum(dim=1).cumsum(0).tolist()]
    return torch.cat([torch.arange(ends[i], ends[i + 1]) for i in part.tolist()])


#: Bytes of pooled features that are held at a time; a single mask may need more.
ROOM = 1 << 30


class SharedPools:
    """What FC2 sees of a data set under each of some masks of the same CAMs."""

    def __init__(
        self,
        cache: FeatureCache,
        weight: Tensor,
        masks: Sequence[tuple[str, float | None]],
        room: int = ROOM,
    ) -> None:
        """Nothing is read yet.

        Args:
            cache: the features.
            weight: K x C, the class weights whose CAMs become the masks.
            masks: those that will be asked for, in this order, each with the exponent of the background's mask, or None
                without a background row.
            room: bytes of pooled features that are held at a time.
        """
        self._cache, self._weight = cache, weight
        self._to_come = list(dict.fromkeys(masks))
        one = cache.pairs * weight.shape[1] * weight.element_size()
        self._at_once = max(room // max(one, 1), 1)
        self._held: dict[tuple[str, float | None], Tensor] = {}
        self._of: list[Tensor] = []

    def take(self, mask: str, background_power: float | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """P x C pooled features under a mask, P int64 classes, P int64 images; see :func:`pooled_pairs`."""
        wanted = (mask, background_power)
        if wanted not in self._held:
            # Masks share a pass where the background's is the same.
            alike = [other for other in self._to_come if other != wanted and other[1] == background_power]
            group = [wanted, *alike][: self._at_once]
            self._to_come = [other for other in self._to_come if other not in group]
            self._held.clear()  # before the next ones are made, not after
            choices = [parse_mask(name) for name, _ in group]
            rows, *self._of = pooled_pairs(self._cache, self._weight, choices, background_power)
            self._held.update(zip(group, rows, strict=True))
        category, image = self._of
        return self._held[wanted], category, image
