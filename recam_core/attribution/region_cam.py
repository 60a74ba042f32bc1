"""Region-CAM (arXiv 2510.25134): where a network's gradients point, carried on to all that looks alike to it.

Nothing is trained. Gradients and features act apart: the gradients of each stage say where the class is (semantic
information maps), the features of each stage say which places belong together (semantic information propagation).

What differs from the paper, as chosen on a part of train (docs/results.md): the CAM of all scales joins the maps of the
gradients, and propagation goes through two stages, since the features of the last one only repeat the CAM, and those of
the first ones are edges.
"""

import copy
from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.attribution.network_copy import keep_outputs
from recam_core.attribution.subject import Query
from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES, scaled_view
from recam_core.method.cam import normalise, raw_cam

#: Share of the semantic information maps in what is propagated; the rest is the CAM.
SEMANTIC_SHARE = 1 / 3
#: Similarities are raised to this power: what is hardly alike counts for nothing.
SHARPNESS = 4
#: Cells that are compared, each with each; a larger picture is compared on a coarser grid.
MOST_CELLS = 4096


def region_cam(query: Query) -> Tensor:
    """The regions of each question, n x h x w in 0..1, on the grid of the features at the largest scale.

    Raises:
        UserError: the backbone does not say what its stages are.
    """
    subject, settings = query.subject, query.settings
    if subject.weight is None:
        raise UserError("Region-CAM needs a linear classifier on pooled features; LayerCAM works.")
    stages = Stages(subject.lower)
    scales = settings.scales or QUICK_SCALES
    mirror = True if settings.mirror is None else settings.mirror
    rows = query.questions @ subject.weight
    gradients_at = min(scales, key=lambda scale: abs(scale - 1))
    cams, semantic, alike = [], [], []
    for scale in scales:
        for mirrored in (False, True) if mirror else (False,):
            view = scaled_view(query.x, scale)
            view = view.flip(-1) if mirrored else view
            if scale == gradients_at:
                with torch.enable_grad():
                    outputs, features = stages(view.clone().requires_grad_())
                    answers = rows @ features.mean(dim=(2, 3))[0]
                found = [semantic_information(answer, outputs) for answer in answers]
                maps = [torch.stack(stage) for stage in zip(*found, strict=True)]
                semantic.append([_unmirrored(stage, mirrored) for stage in maps])
            else:
                with torch.no_grad():
                    outputs, features = stages(view)
            cams.append(_unmirrored(raw_cam(features.detach().float(), rows)[0], mirrored))
            if scale == max(scales):
                alike.append([_unmirrored(outputs[stage].detach().float()[0], mirrored) for stage in (-2, -3)])
            # In passes of the picture at its own size, as the cost is told.
            query.passed(max(round(scale**2), 1))
    grid = _grid(max(((one.shape[-2], one.shape[-1]) for one in cams), key=lambda size: size[0] * size[1]))
    cam = _summed(cams, grid)
    information = normalise(reduce(torch.add, (_summed(views, grid) for views in zip(*semantic, strict=True))))
    regions = (1 - SEMANTIC_SHARE) * cam + SEMANTIC_SHARE * information
    for stage in zip(*alike, strict=True):
        regions = propagated(regions, _resized(sum(stage) / len(stage), grid))
    return normalise(regions)


def semantic_information(answer: Tensor, outputs: Sequence[Tensor]) -> list[Tensor]:
    """S_l = the sum over the channels of ReLU(d answer / d F_l), h x w for each stage.

    Args:
        answer: a logit, or a difference of some; its graph is kept.
        outputs: F_l, 1 x C x h x w of each stage, from which the answer was made.
    """
    gradients = torch.autograd.grad(answer, outputs, retain_graph=True)
    return [F.relu(gradient[0].float()).sum(dim=0) for gradient in gradients]


def propagated(maps: Tensor, features: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """Each cell gets the mean of the maps over all cells, weighed by how much their features are alike.

    A(i, j) = ReLU(cos(f_i - mean f, f_j - mean f)) ^ sharpness, each row divided by its sum.

    Args:
        maps: n x h x w.
        features: C x h x w, of a stage.

    Returns:
        n x h x w.
    """
    centred = features - features.mean(dim=(1, 2), keepdim=True)
    cells = F.normalize(centred, dim=0).flatten(1)
    weights = (cells.T @ cells).clamp_(min=0).pow_(sharpness)
    # A cell is like itself, unless it is the mean of all cells and like none.
    total = weights.sum(dim=1, keepdim=True)
    values = maps.flatten(1).T
    found = torch.where(total > 0, (weights @ values) / total.clamp_min(1e-12), values)
    return found.T.unflatten(1, maps.shape[-2:])


class Stages:
    """A backbone that also gives the outputs of its stages; the network itself is left alone.

    Args:
        backbone: one of timm's convolutional models, or the paper's ResNet-50.

    Raises:
        UserError: it does not say what its stages are, or has fewer than three.
    """

    def __init__(self, backbone: nn.Module) -> None:
        names = stage_names(backbone)
        # Other threads may be using the network: hooks go to modules of our own, which share its weights.
        shared = [*backbone.parameters(), *backbone.buffers()]
        self._network = copy.deepcopy(backbone, {id(tensor): tensor for tensor in shared}).eval()
        self._outputs: list[Tensor] = []
        keep_outputs(self._network)
        for name in names:
            self._network.get_submodule(name).register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._outputs.append(output)

    def __call__(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """The outputs of the stages from shallow to deep, each B x C x h x w, and the features f(x)."""
        self._outputs.clear()
        features = self._network(x)
        found = list(self._outputs)
        self._outputs.clear()
        return found, features


def stage_names(backbone: nn.Module) -> list[str]:
    """The names of a backbone's stages, from shallow to deep.

    Raises:
        UserError: it does not say, or has fewer than three.
    """
    told = getattr(backbone, "feature_info", None)
    names = [one["module"] for one in told] if told else [f"layer{number}" for number in (1, 2, 3, 4)]
    there = dict(backbone.named_modules())
    if len(names) < 3 or any(name not in there for name in names):
        raise UserError("Region-CAM needs the stages of the backbone, and this one does not tell them; LayerCAM works.")
    return names


def passes(classes: int, scales: Sequence[float] | None, mirror: bool | None) -> tuple[int, int]:
    """(forward, backward) passes of the picture at its own size that the views cost."""
    each = 2 if mirror is None or mirror else 1
    return each * sum(max(round(scale**2), 1) for scale in scales or QUICK_SCALES), each * classes


def _unmirrored(found: Tensor, mirrored: bool) -> Tensor:
    return found.flip(-1) if mirrored else found


def _grid(size: tuple[int, int]) -> tuple[int, int]:
    """The size, or one of the same form that has no more than :data:`MOST_CELLS`."""
    shrink = min((MOST_CELLS / (size[0] * size[1])) ** 0.5, 1)
    return max(int(size[0] * shrink), 1), max(int(size[1] * shrink), 1)


def _summed(views: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The sum of n x h x w of several sizes at one size, each plane divided by its maximum."""
    return normalise(reduce(torch.add, (_resized(one, size) for one in views)))


def _resized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """n x h x w to n x the size, bilinear."""
    if tuple(planes.shape[-2:]) == size:
        return planes
    return F.interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0]
