"""Attributions as activation maps: what viewer, scores, stores and exports take like any other."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.attribution.subject import Attributable, AttributionSettings, Query, Subject, subject_of
from recam_core.attribution.table import METHODS, AttributionMethod, Work, method_of
from recam_core.device import free_bytes
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL, ActivationMaps, grid_size
from recam_core.maps.inference import scaled_size, scaled_view
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, ProgressFn, silent

#: The other class of each class, or one for all.
Against = int | Mapping[int, int] | None
#: Finer-CAM without another class: so many whose logits are nearest to the class's own, as its paper has it.
NEAREST = 3
#: What the activations of all pictures of a pass may take together where no GPU says what is free.
MOST_BYTES = 1 << 29
#: More pictures a pass make it no faster.
MOST_ROWS = 16


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
            Without it, methods that need one take the mean of the classes whose logits are nearest.
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
    with subject.lock, device_gate(subject.device), torch.inference_mode(False), torch.no_grad():
        whole = subject.preprocess(image)
        seen = whole.shape[-2], whole.shape[-1]
        works = [_work(subject, len(classes), scaled_size(seen, scale), settings) for scale, _ in views]
        passes = sum(wanted.passes(work)[0] for work in works)
        with _reporting(passes, progress, cancelled, wanted.title) as passed:
            questions = _questions(subject, whole, wanted, classes, against, settings)
            total = whole.new_zeros((len(classes), *grid))
            for scale, mirrored in views:
                found = _attributed(subject, _view(whole, scale, mirrored), wanted, questions, settings, passed)
                total += _on_grid(found.flip(-1) if mirrored else found, grid)
        peak = total.amax(dim=(1, 2), keepdim=True)
        # Gradients of pixels are tiny: unlike features, they may have a maximum far below any constant.
        levels = (total / torch.where(peak > 0, peak, 1) * FULL).round().to(torch.uint8).cpu().numpy()
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
    with subject.lock, device_gate(subject.device), torch.inference_mode(False), torch.no_grad():
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
    method: str,
    classes: int,
    size: tuple[int, int],
    settings: AttributionSettings | None = None,
    network: CamNetwork | Attributable | None = None,
) -> Cost:
    """What the maps of so many classes of a picture of size (H, W) will cost.

    Args:
        network: a network of this project unless given; others may need more passes.

    Raises:
        UserError: unknown method, or settings that the network does not allow.
    """
    wanted, settings = method_of(method), settings or AttributionSettings()
    subject = None if network is None else subject_of(network)
    forward = backward = 0.0
    for scale, _ in _scales(wanted, settings, subject is None or subject.any_size):
        one = wanted.passes(_work(subject, classes, scaled_size(size, scale), settings))
        forward, backward = forward + one[0] * scale**2, backward + one[1] * scale**2
    return Cost(forward, backward)


def attribution_views(
    method: str, settings: AttributionSettings | None = None, network: CamNetwork | Attributable | None = None
) -> tuple[tuple[float, ...], bool]:
    """The scales that maps are summed over, and whether mirror images are; arguments as :func:`attribution_maps`.

    Without a network, of one of this project.

    Raises:
        UserError: unknown method, or one or settings that the network does not allow.
    """
    wanted, settings = method_of(method), settings or AttributionSettings()
    views = _scales(wanted, settings, True) if network is None else _views(subject_of(network), wanted, settings)
    return tuple(dict.fromkeys(scale for scale, _ in views)), any(mirrored for _, mirrored in views)


def pass_seconds(network: CamNetwork | Attributable, image: np.ndarray) -> float:
    """How long one forward pass of a picture takes, by one that is timed; what makes :meth:`Cost.seconds` of costs."""
    subject = subject_of(network)
    with subject.lock, device_gate(subject.device), torch.inference_mode():
        x = subject.preprocess(image)
        # The first pass of a process sets things up; a small one does that as well.
        subject.logits(subject.sample(x))
        begin = time.perf_counter()
        subject.logits(x).cpu()  # which waits for a GPU
        return time.perf_counter() - begin


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
    rows = len(questions) if subject.split and not method.on_pixels else _rows(subject, x)
    with torch.enable_grad():
        return method.attribute(Query(subject, x, questions, settings, rows, passed)).detach().float()


def _rows(subject: Subject, x: Tensor) -> int:
    """How many pictures fit into memory at once with what their gradients need, by what a small part of one keeps."""
    held: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    small = subject.sample(x)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        answers = subject.logits(small.clone().requires_grad_())
    del answers
    for weight in (*subject.lower.parameters(), *subject.upper.parameters()):
        held.pop(weight.untyped_storage().data_ptr(), None)  # weights are there once, whatever the number of pictures
    bytes_each = max(sum(held.values()), small.nbytes) * x[0, 0].numel() / small[0, 0].numel()
    room = free_bytes(x.device) if x.is_cuda else MOST_BYTES
    return max(1, min(int(room / bytes_each), MOST_ROWS))


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
    wrong = next((k for k in classes.tolist() if not 0 <= k < count), None)
    if wrong is not None:
        raise UserError(f"There is no class {wrong}: the network has {count}, counted from 0.")
    questions = torch.zeros(len(classes), count, device=x.device)
    logits = None
    for row, k in enumerate(classes.tolist()):
        questions[row, k] = 1
        other = against.get(k) if isinstance(against, Mapping) else against
        if other is not None and (other == k or not 0 <= other < count):
            raise UserError(f"Class {k} cannot be held against class {other}; choose another one of {count}.")
        others = [] if other is None else [other]
        if other is None and method.needs_other:
            if count < 2:
                raise UserError(f"{method.title} asks why one class and not another, and this network has one only.")
            logits = subject.logits(x)[0] if logits is None else logits
            distance = (logits - logits[k]).abs()
            distance[k] = torch.inf
            others = distance.topk(min(NEAREST, count - 1), largest=False).indices.tolist()
        for one in others:
            questions[row, one] = -settings.gamma / len(others)
    return questions


def _scales(method: AttributionMethod, settings: AttributionSettings, any_size: bool) -> list[tuple[float, bool]]:
    if method.own_views:
        return [(1.0, False)]
    scales = settings.scales if settings.scales is not None else method.scales if any_size else (1.0,)
    mirror = settings.mirror if settings.mirror is not None else method.mirror
    if not any_size and tuple(scales) != (1.0,):
        raise UserError("This classifier takes pictures of one size only: leave out the scales.")
    return [(scale, mirrored) for scale in scales for mirrored in ((False, True) if mirror else (False,))]


def _views(subject: Subject, method: AttributionMethod, settings: AttributionSettings) -> list[tuple[float, bool]]:
    """(scale, whether mirrored) of each view, after what can be wrong was looked for."""
    if method.needs_network and not isinstance(subject.network, CamNetwork):
        raise UserError(f"{method.title} needs a network that this lab trained or imported.")
    return _scales(method, settings, subject.any_size)


def _view(whole: Tensor, scale: float, mirrored: bool) -> Tensor:
    x = scaled_view(whole, scale)
    return x.flip(-1) if mirrored else x


def _work(subject: Subject | None, classes: int, size: tuple[int, int], settings: AttributionSettings) -> Work:
    if subject is None:
        return Work(classes, size, settings)
    return Work(classes, size, settings, subject.split, subject.weight is not None)


@contextmanager
def _reporting(
    total: int, progress: ProgressFn | None, cancelled: Callable[[], bool] | None, note: str
) -> Iterator[Callable[[int], None]]:
    """What methods call after each pass: reports it, and stops the work where it was cancelled."""
    report, done = progress or silent, 0

    def passed(count: int) -> None:
        nonlocal done
        # Methods may take a pass more than they said; the bar ends when the work does.
        done = min(done + count, total - 1)
        report(done, total, note)
        if cancelled is not None and cancelled():
            raise Cancelled

    if cancelled is not None and cancelled():
        raise Cancelled
    yield passed
    report(total, total, note)


#: Of the picture that is asked about. Its content matters to no rule; a blank one would have no parts to add up.
_SIDE = 96
#: Methods of more passes ask nothing of a network that could be known before.
_MOST_PASSES = 12


def refused_methods(
    network: CamNetwork | Attributable, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, str]:
    """By the method's key: the sentence why it cannot be used on this network; methods that can be used are left out.

    Each quick method is tried on a picture of noise, since what it needs (a rule for every activation, parts that add
    up) shows only then. Another picture may still be refused.

    Args:
        network: in evaluation mode.
        progress: called after each method with (methods done, all methods).
    """
    image = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    refused = {}
    for done, key in enumerate(METHODS, start=1):
        try:
            attribution_views(key, network=network)
            passes = cost(key, 1, image.shape[:2], network=network)
            if passes.forward + passes.backward <= _MOST_PASSES:
                raw_attributions(network, image, [0], key)
        except UserError as error:
            refused[key] = str(error)
        progress(done, len(METHODS))
    return refused
