"""Attributions as activation maps: what viewer, scores, stores and exports take like any other."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.attribution.asked import Asked, AttributionSettings
from recam_core.attribution.subject import Attributable, Subject, subject_of
from recam_core.attribution.table import AttributionMethod, method_of
from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps, grid_size
from recam_core.maps.inference import SHORTEST_SIDE
from recam_core.method.cam import normalise
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, ProgressFn, silent

#: The other class of each class, or one for all.
Against = int | Mapping[int, int] | None


def attribution_maps(
    network: CamNetwork | Attributable,
    image: np.ndarray,
    classes: Sequence[int] | np.ndarray,
    method: str,
    *,
    head: str | Tensor = "fc1",
    against: Against = None,
    settings: AttributionSettings | None = None,
    progress: ProgressFn | None = None,
    cancelled: Callable[[], bool] | None = None,
    id: str = "",
) -> ActivationMaps:
    """The maps of a picture by an attribution method, as equation 2 makes maps of what it finds.

    Each class's attributions pass a ReLU, are summed over the scales and mirror images, and divided by their maximum;
    where nothing is positive, the map is zero.

    Args:
        network: in evaluation mode; its device is used, and it is left as it was.
        image: H x W x 3, uint8.
        classes: the class indices (from 0) to make maps of.
        method: a key of :data:`~recam_core.attribution.table.METHODS`.
        head: whose logits are explained: ``fc1``, ``fc2`` or an extraction rule that makes class weights.
        against: explain z_k - gamma z_other, "why k and not the other"; one other class for all, or one a class.
        settings: how; each method's own unless given.
        progress: called after each pass with (passes done, all passes, note); may raise Cancelled.
        cancelled: asked before each pass; True raises Cancelled.
        id: of the picture.

    Raises:
        UserError: unknown method, head or class; a method that this network does not allow; settings out of range.
        Cancelled: the work was stopped.
    """
    wanted = method_of(method)
    settings = settings or AttributionSettings()
    classes = np.unique(np.asarray(classes, dtype=np.int64))
    size, grid = (int(image.shape[0]), int(image.shape[1])), grid_size(image.shape[:2])
    subject = subject_of(network, head)
    if not len(classes):
        return ActivationMaps(id, size, classes, np.zeros((0, *grid), dtype=np.uint8))
    views = _views(subject, wanted, settings)
    passed = _reporter(_total(wanted, len(classes), size, views, settings), progress, cancelled, wanted.title)
    with torch.inference_mode(False), torch.no_grad():
        whole = subject.preprocess(image)
        questions = _questions(subject, whole, wanted, classes, against, settings)
        total = whole.new_zeros((len(classes), *grid))
        for scale, mirrored in views:
            found = _attributed(subject, _view(whole, scale, mirrored), wanted, questions, settings, passed)
            total += _on_grid(found.flip(-1) if mirrored else found, grid)
        levels = (normalise(total) * FULL).round().to(torch.uint8).cpu().numpy()
    return ActivationMaps(id, size, classes, levels)


def raw_attributions(
    network: CamNetwork | Attributable,
    image: np.ndarray,
    classes: Sequence[int] | np.ndarray,
    method: str,
    *,
    head: str | Tensor = "fc1",
    against: Against = None,
    settings: AttributionSettings | None = None,
) -> np.ndarray:
    """n x h x w, float32: what a method finds before anything is made of it; arguments as :func:`attribution_maps`.

    The picture is seen once, at its own size; the attributions are signed, on the grid of the method.
    """
    wanted, settings = method_of(method), settings or AttributionSettings()
    classes = np.unique(np.asarray(classes, dtype=np.int64))
    subject = subject_of(network, head)
    _views(subject, wanted, settings)
    with torch.inference_mode(False), torch.no_grad():
        x = subject.preprocess(image)
        questions = _questions(subject, x, wanted, classes, against, settings)
        return _attributed(subject, x, wanted, questions, settings, lambda count: None).float().cpu().numpy()


@dataclass(frozen=True)
class Cost:
    """What maps cost, in passes of the picture at its own size through the network.

    Attributes:
        forward, backward: passes; those at other scales count by their area.
    """

    forward: float
    backward: float

    def seconds(self, pass_seconds: float) -> float:
        """The time of it all, where one forward pass takes so long; the way back takes about twice that."""
        return pass_seconds * (self.forward + 2 * self.backward)


def cost(
    method: str, classes: int, size: tuple[int, int], settings: AttributionSettings | None = None, any_size: bool = True
) -> Cost:
    """What the maps of so many classes of a picture of size (H, W) will cost.

    Raises:
        UserError: unknown method, or settings out of range.
    """
    wanted, settings = method_of(method), settings or AttributionSettings()
    forward = backward = 0.0
    for scale, _ in _scales(wanted, settings, any_size):
        one = wanted.passes(classes, _scaled(size, scale), settings)
        forward, backward = forward + one[0] * scale**2, backward + one[1] * scale**2
    return Cost(forward, backward)


def attribution_key(
    weights: str,
    picture: str,
    method: str,
    head: str,
    classes: Sequence[int],
    against: Against = None,
    settings: AttributionSettings | None = None,
) -> str:
    """Stands for maps in caches: what is made of the same has the same.

    Args:
        weights: digest of the network's weights.
        picture: digest of its pixels, or another name that no other picture has.
    """
    others = sorted(against.items()) if isinstance(against, Mapping) else against
    parts = [weights, picture, method, head, sorted({int(k) for k in classes}), others]
    content = json.dumps([*parts, asdict(settings or AttributionSettings())])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _attributed(
    subject: Subject,
    x: Tensor,
    method: AttributionMethod,
    questions: Tensor,
    settings: AttributionSettings,
    passed: Callable[[int], None],
) -> Tensor:
    with torch.enable_grad():
        return method.attribute(Asked(subject, x, questions, settings, len(questions), passed)).detach()


def _on_grid(found: Tensor, grid: tuple[int, int]) -> Tensor:
    """n x h x w signed to n x h' x w' of the grid, not negative."""
    if found.shape[-2] > grid[0] and found.shape[-1] > grid[1]:
        # Of pixels, what speaks for and what speaks against a class within a cell is weighed up first.
        return F.relu(F.adaptive_avg_pool2d(found, grid))
    return F.interpolate(F.relu(found)[None], size=grid, mode="bilinear", align_corners=False)[0]


def _questions(
    subject: Subject,
    x: Tensor,
    method: AttributionMethod,
    classes: np.ndarray,
    against: Against,
    settings: AttributionSettings,
) -> Tensor:
    """n x K: what is explained of the logits."""
    count = subject.num_classes
    if classes[0] < 0 or classes[-1] >= count:
        raise UserError(f"There is no class {int(classes[-1])}: the network has {count}, counted from 0.")
    if method.needs_other and against is None:
        raise UserError(f"{method.title} asks why one class and not another: name the other one.")
    questions = torch.zeros(len(classes), count, device=x.device)
    for row, k in enumerate(classes.tolist()):
        questions[row, k] = 1
        other = against.get(k) if isinstance(against, Mapping) else against
        if other is None:
            if method.needs_other:
                raise UserError(f"{method.title} asks why one class and not another: class {k} has no other.")
            continue
        if other == k or not 0 <= other < count:
            raise UserError(f"Class {k} cannot be held against class {other}; choose another one of {count}.")
        questions[row, other] = -settings.gamma
    return questions


def _scales(method: AttributionMethod, settings: AttributionSettings, any_size: bool) -> list[tuple[float, bool]]:
    if method.own_views:
        return [(1.0, False)]
    scales = settings.scales if settings.scales is not None else method.scales if any_size else (1.0,)
    mirror = settings.mirror if settings.mirror is not None else method.mirror
    if not scales or any(not 0.05 <= scale <= 4 for scale in scales):
        raise UserError("Scales are one or more numbers from 0.05 to 4, such as 0.5 1.0 1.5 2.0.")
    if not any_size and tuple(scales) != (1.0,):
        raise UserError("This classifier takes pictures of one size only: leave out the scales.")
    return [(scale, mirrored) for scale in scales for mirrored in ((False, True) if mirror else (False,))]


def _views(subject: Subject, method: AttributionMethod, settings: AttributionSettings) -> list[tuple[float, bool]]:
    """(scale, whether mirrored) of each view, after what can be wrong was looked for."""
    if method.needs_network and not isinstance(subject.network, CamNetwork):
        raise UserError(f"{method.title} needs a network that this lab trained or imported.")
    return _scales(method, settings, subject.any_size)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(round(size[0] * scale), SHORTEST_SIDE), max(round(size[1] * scale), SHORTEST_SIDE)


def _view(whole: Tensor, scale: float, mirrored: bool) -> Tensor:
    x = whole
    if scale != 1:
        size = _scaled(tuple(whole.shape[-2:]), scale)
        x = F.interpolate(whole, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
    return x.flip(-1) if mirrored else x


def _total(
    method: AttributionMethod,
    classes: int,
    size: tuple[int, int],
    views: list[tuple[float, bool]],
    settings: AttributionSettings,
) -> int:
    return sum(method.passes(classes, _scaled(size, scale), settings)[0] for scale, _ in views)


def _reporter(
    total: int, progress: ProgressFn | None, cancelled: Callable[[], bool] | None, note: str
) -> Callable[[int], None]:
    """What methods call after each pass: reports it, and stops the work where it was cancelled."""
    report, done = progress or silent, 0

    def passed(count: int) -> None:
        nonlocal done
        done = min(done + count, total)
        report(done, total, note)
        if cancelled is not None and cancelled():
            raise Cancelled

    if cancelled is not None and cancelled():
        raise Cancelled
    return passed
