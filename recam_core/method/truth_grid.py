"""Ground-truth masks on the grid of the features, for the masking choice ``oracle``."""

import torch.nn.functional as F
from torch import Tensor


def truth_shares(masks: Tensor, image: Tensor, category: Tensor, size: tuple[int, int]) -> Tensor:
    """The share of each cell of the feature grid that belongs to the class of each pair.

    Args:
        masks: B x H x W, uint8, k + 1 for class k.
        image, category: P int64 each; the image and the class k of each pair.
        size: (h, w) of the feature grid.

    Returns:
        P x h x w in 0..1.
    """
    own = masks[image] == (category + 1).to(masks.dtype).view(-1, 1, 1)
    return F.adaptive_avg_pool2d(own.float().unsqueeze(1), size).squeeze(1)
