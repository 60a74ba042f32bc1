"""Pairs of neighbouring cells, the way between them, and what IRN's losses ask of them.

Ahn, Cho and Kwak, CVPR 2019, equations 2 to 8.
"""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.data.sample import VOID

#: Cells nearer than this are a pair when boundaries are learnt, on the grid of stride 4.
RADIUS = 10
_SMALL = 1e-5


@cache
def offsets(radius: int) -> tuple[tuple[int, int], ...]:
    """(y, x) of the neighbours nearer than ``radius`` of which each pair of cells is seen once: below, or right."""
    span = range(1 - radius, radius)
    return tuple((y, x) for y in range(radius) for x in span if (y > 0 or x > 0) and y * y + x * x < radius * radius)


@cache
def way(offset: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The cells between a cell and its neighbour, both among them: those less than one cell off the straight line."""
    y, x = offset
    rows, columns = range(min(y, 0), max(y, 0) + 1), range(min(x, 0), max(x, 0) + 1)
    return tuple((r, c) for r in rows for c in columns if (y * c - x * r) ** 2 < y * y + x * x)


@dataclass(frozen=True)
class PairSums:
    """Numerators and denominators of the five terms; of several devices, add them up before they are divided.

    Attributes:
        over: 5: sums of the losses of pairs, in the order background alike, foreground alike, different, displacement
            of foreground, displacement of background.
        count: 5: what each is divided by.
    """

    over: Tensor
    count: Tensor

    @property
    def loss(self) -> Tensor:
        """((background + foreground) / 2 + different) / 2 + (displacement foreground + background) / 2."""
        background, foreground, different, moved, still = self.over / (self.count + _SMALL)
        return ((background + foreground) / 2 + different) / 2 + (moved + still) / 2


def pair_sums(edge_logits: Tensor, displacement: Tensor, labels: Tensor, radius: int = RADIUS) -> PairSums:
    """What the losses of a batch are made of.

    Args:
        edge_logits: B x h x w.
        displacement: B x 2 x h x w, in cells (y, x).
        labels: B x h x w, uint8 or int64: 0 background, k + 1 class k, 255 a cell that says nothing.
        radius: of the pairs.
    """
    edge = torch.sigmoid(edge_logits)
    labels = labels.to(torch.int64)
    over = edge.new_zeros(5)
    count = edge.new_zeros(5)
    reach = radius - 1
    height, width = edge.shape[-2:]
    padded_edge = F.pad(edge, (reach,) * 4, value=1.0)
    # Around the picture nothing is known, so that no pair leaves it.
    padded_labels = F.pad(labels, (reach,) * 4, value=VOID)
    padded_moves = F.pad(displacement, (reach,) * 4)

    def seen(planes: Tensor, offset: tuple[int, int]) -> Tensor:
        top, left = reach + offset[0], reach + offset[1]
        return planes[..., top : top + height, left : left + width]

    known = labels != VOID
    for offset in offsets(radius):
        there = seen(padded_labels, offset)
        both = known & (there != VOID)
        alike = both & (labels == there)
        background, foreground = (alike & (labels == 0)).float(), (alike & (labels > 0)).float()
        different = (both & (labels != there)).float()
        strongest = torch.stack([seen(padded_edge, step) for step in way(offset)]).amax(dim=0)
        affinity = 1 - strongest
        positive = -torch.log(affinity + _SMALL)
        negative = -torch.log(1 + _SMALL - affinity)
        delta = displacement - seen(padded_moves, offset)
        target = delta.new_tensor(offset)[:, None, None]
        moved, still = (delta - target).abs().sum(dim=1), delta.abs().sum(dim=1)
        over = over + torch.stack(
            [
                (background * positive).sum(),
                (foreground * positive).sum(),
                (different * negative).sum(),
                (foreground * moved).sum(),
                (background * still).sum(),
            ]
        )
        counts = torch.stack([background.sum(), foreground.sum(), different.sum()])
        count = count + torch.cat([counts, 2 * counts[1:2], 2 * counts[:1]])
    return PairSums(over, count)
