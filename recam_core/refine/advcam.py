"""Anti-adversarial climbing: a picture is moved so that its class is seen better; the maps on the way are added up.

Lee, Kim and Yoon, "Anti-Adversarially Manipulated Attributions for Weakly and Semi-Supervised Semantic Segmentation",
CVPR 2021, equations 5 to 8.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL, ActivationMaps, grid_size
from recam_core.maps.inference import check_scales, scaled_view
from recam_core.method.cam import responses
from recam_core.model.network import CamNetwork
from recam_core.refine.kept_climbs import KeptClimbs, picture_name


@dataclass(frozen=True)
class Climb:
    """How a picture is moved; the published numbers.

    Attributes:
        steps: at scales above 0.5; at 0.5 and below half as many, which count twice.
        size: xi, how far the most moved value of the normalised picture moves in a step.
        keep: lambda, what holds back where the class is seen already.
        seen: the share of a map's maximum above which it counts as seen.
    """

    steps: int = 27
    size: float = 0.08
    keep: float = 7.0
    seen: float = 0.5

    def steps_at(self, scale: float) -> int:
        """Steps of a picture at a scale."""
        return max(self.steps // 2, 1) if scale <= 0.5 else self.steps


#: Called after each step: class index, scale, step from 0, the moved picture (H x W x 3 in 0..1), the map and y_c.
StepFn = Callable[[int, float, int, np.ndarray, np.ndarray, float], None]


@dataclass(frozen=True)
class ClimbStep:
    """One step of a class of a picture, as :class:`ClimbRecord` keeps it.

    Attributes:
        picture: H x W x 3, uint8: as it has been moved so far.
        map: h x w float32: the class's map of it.
        gain: y_c, the mean of the map before it was enlarged.
    """

    picture: np.ndarray
    map: np.ndarray
    gain: float


class ClimbRecord:
    """Keeps the steps at one scale; its :meth:`add` is an ``on_step`` of :func:`climbed_maps`.

    Attributes:
        steps: by class index, in their order.
    """

    def __init__(self, scale: float, side: int | None = None):
        """Begin without a step.

        Args:
            scale: whose steps are kept.
            side: pictures are kept at this long side at most, as a climb of a large photo has hundreds of megabytes.
        """
        self.steps: dict[int, list[ClimbStep]] = {}
        self._scale, self._side = scale, side

    def add(self, k: int, scale: float, step: int, picture: np.ndarray, plane: np.ndarray, gain: float) -> None:
        """Keep a step, unless it is one at another scale."""
        if scale == self._scale:
            shown = np.rint(picture * 255).clip(0, 255).astype(np.uint8)
            longest = max(shown.shape[:2])
            if self._side is not None and longest > self._side:
                height, width = (max(round(n * self._side / longest), 1) for n in shown.shape[:2])
                shown = np.asarray(Image.fromarray(shown).resize((width, height), Image.Resampling.BOX))
            self.steps.setdefault(k, []).append(ClimbStep(shown, plane, gain))


def climbed_maps(
    network: CamNetwork,
    image: np.ndarray,
    weight: Tensor,
    classes: Sequence[int] | np.ndarray,
    *,
    scales: Sequence[float],
    mirror: bool = True,
    climb: Climb | None = None,
    id: str = "",
    on_step: StepFn | None = None,
    kept: KeptClimbs | None = None,
    tick: Callable[[], None] = lambda: None,
) -> ActivationMaps:
    """The sum of a class's maps while its picture climbs.

    With A the map w_c . f(x) after ReLU and y_k the mean of class k's, a step goes up y_c - sum over k != c of y_k
    - lambda sum(M |A - A_0|), M where A is above half its maximum: along the gradient over its largest value.

    Args:
        network: in evaluation mode; its device is used.
        image: H x W x 3, uint8.
        weight: K x C class weights.
        classes: the class indices (from 0) to make maps of.
        scales: factors of the picture's size.
        mirror: whether the mirror image climbs along.
        climb: how it is moved.
        id: of the picture.
        on_step: told of each step of the picture itself; classes that are kept are climbed again for it.
        kept: what was climbed before, see :func:`kept_climbs`; what is climbed now is kept there, class by class.
        tick: called before each step; may raise Cancelled.

    Raises:
        UserError: scales out of range, or no room on the disk for what is kept.
    """
    check_scales(scales)
    climb = climb or Climb()
    classes = np.unique(np.asarray(classes, dtype=np.int64))
    size = (image.shape[0], image.shape[1])
    grid = grid_size(size)
    weight = weight.detach().to(network.device)
    levels = np.zeros((len(classes), *grid), dtype=np.uint8)
    whole, name = network.preprocess(image), "" if kept is None else picture_name(image)
    for order, k in enumerate(classes.tolist()):
        known = None if kept is None or on_step is not None else kept.get(name, k, grid)
        if known is not None:
            levels[order] = known
            continue
        found = np.zeros(grid, dtype=np.float32)
        for scale in scales:
            x = scaled_view(whole, scale)
            if mirror:
                x = torch.cat([x, x.flip(-1)])
            with device_gate(network.device):
                found += _climb(network, x, weight, k, scale, climb, grid, on_step, tick)
        most = found.max()
        levels[order] = np.rint(found / most * FULL if most > 0 else found).astype(np.uint8)
        if kept is not None:
            kept.put(name, k, levels[order])
    return ActivationMaps(id, size, classes, levels)


def kept_climbs(
    weights_sha256: str,
    rule: str,
    scales: Sequence[float],
    mirror: bool = True,
    climb: Climb | None = None,
    private: bool = False,
) -> KeptClimbs:
    """Where the maps of :func:`climbed_maps` are kept.

    Args:
        weights_sha256: of the run.
        rule: the extraction rule whose class weights are climbed along.
        scales, mirror, climb: as there.
        private: whether the pictures are a guest's own.
    """
    return KeptClimbs(weights_sha256, rule, (tuple(map(float, scales)), mirror, climb or Climb()), private)


def kept_maps_of(
    kept: KeptClimbs, image: np.ndarray, classes: Sequence[int] | np.ndarray, id: str = ""
) -> ActivationMaps | None:
    """The maps of :func:`climbed_maps` where those of all classes are kept; None else."""
    classes = np.unique(np.asarray(classes, dtype=np.int64))
    size, name = (image.shape[0], image.shape[1]), picture_name(image)
    found = [kept.get(name, k, grid_size(size)) for k in classes.tolist()]
    planes = [one for one in found if one is not None]
    return ActivationMaps(id, size, classes, np.stack(planes)) if planes and len(planes) == len(found) else None


def _climb(
    network: CamNetwork,
    x: Tensor,
    weight: Tensor,
    k: int,
    scale: float,
    climb: Climb,
    grid: tuple[int, int],
    on_step: StepFn | None,
    tick: Callable[[], None],
) -> np.ndarray:
    """The maps of one class at one scale, added up on the grid."""
    low, high = network.preprocess(np.array([[[0, 0, 0], [255, 255, 255]]], dtype=np.uint8)).unbind(dim=-1)
    low, high = low[..., None], high[..., None]
    total = x.new_zeros(grid)
    first: Tensor | None = None
    steps = climb.steps_at(scale)
    times = climb.steps / steps if scale <= 0.5 else 1.0
    for step in range(steps):
        tick()
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            maps = F.relu(responses(network.features(x), weight))
            means = maps.mean(dim=(2, 3))
            own = maps[:, k]
            before = own.detach() if first is None else first
            first = before
            seen = own.detach() > climb.seen * own.detach().amax(dim=(1, 2), keepdim=True)
            held = (seen * (own - before).abs()).sum(dim=(1, 2))
            goal = (2 * means[:, k] - means.sum(dim=1) - climb.keep * held).sum()
            (gradient,) = torch.autograd.grad(goal, x)
        with torch.no_grad():
            raw = F.interpolate(own.detach()[:, None], size=grid, mode="bilinear", align_corners=False)[:, 0]
            total += times * (raw[0] + raw[1].flip(-1) if len(raw) == 2 else raw[0])
            if on_step is not None:
                shown = ((x[0] - low[0]) / (high[0] - low[0])).permute(1, 2, 0).cpu().numpy()
                on_step(k, scale, step, shown, raw[0].cpu().numpy(), float(means[0, k]))
            largest = gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
            x = torch.minimum(torch.maximum(x + climb.size * gradient / (largest + 1e-12), low), high)
    return total.cpu().numpy()


def steps_a_class(scales: Sequence[float], climb: Climb | None = None) -> int:
    """Forward and backward passes that one class of one picture takes."""
    climb = climb or Climb()
    return sum(climb.steps_at(scale) for scale in scales)


def seconds_a_class(network: CamNetwork, image: np.ndarray, scales: Sequence[float], mirror: bool = True) -> float:
    """How long one class of this picture will take, from one step at each scale."""
    weight, one = network.fc1.detach(), Climb(steps=1)
    seconds = 0.0
    for scale in scales:
        begin = time.perf_counter()
        climbed_maps(network, image, weight, [0], scales=[scale], mirror=mirror, climb=one)
        seconds += (time.perf_counter() - begin) * Climb().steps_at(scale)
    return seconds
