"""Pooled features under several masks, read off the cached features in as few passes as the memory allows."""

from collections.abc import Sequence

from torch import Tensor

from recam_core.method.masks import parse_mask
from recam_core.retrain.features import FeatureCache
from recam_core.retrain.pooled import pooled_pairs

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
        self._of: tuple[Tensor, Tensor] | None = None

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
            rows, *of = pooled_pairs(self._cache, self._weight, choices, background_power)
            self._held.update(zip(group, rows, strict=True))
            self._of = tuple(of)
        return self._held[wanted], *self._of
