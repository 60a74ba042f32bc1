"""How good maps of a picture are: what a network sees without what they mark, and how they meet the ground truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.attribution.subject import Attributable, Subject, subject_of
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL, ActivationMaps, full_size, threshold_level
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled, ProgressFn, silent
from recam_core.scores.metrics import scored_pixels

BASELINES = ("blur", "mean")
#: Patches along the longer side that the blurred picture is made of.
BLUR_PATCHES = 6
#: Side of the squares of infidelity, as a share of the longer side. Smaller ones hardly change the answer; of larger
#: ones, any map foretells the mean change.
SQUARE = 0.25


@dataclass(frozen=True)
class FaithfulnessSettings:
    """How the scores are made.

    Attributes:
        steps: of the curves of deletion and insertion.
        masks: random squares that are hidden, one at a time, for infidelity.
        shakes: noisy pictures for sensitivity, each of which is explained anew; 0 leaves it out.
        radius: the most that a shaken pixel changes, as a share of the range of colours.
        baseline: what is shown where the picture is hidden: ``blur`` or ``mean``.
        softmax: whether probabilities are a softmax over the classes (SCE) and not a sigmoid each.
        seed: of the masks and the noise.
    """

    steps: int = 16
    masks: int = 32
    shakes: int = 3
    radius: float = 0.02
    baseline: str = "blur"
    softmax: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UserError for what is out of range."""
        for name, value, least, most in (
            ("steps", self.steps, 2, 1000),
            ("masks", self.masks, 2, 10_000),
            ("shakes", self.shakes, 0, 1000),
            ("radius", self.radius, 0.004, 1),  # a smaller one changes no 8-bit colour
        ):
            if not least <= value <= most:
                raise UserError(f"The setting '{name}' of faithfulness lies between {least} and {most}, got {value}.")
        if self.baseline not in BASELINES:
            raise UserError(f"There is no baseline '{self.baseline}': choose one of {', '.join(BASELINES)}.")


@dataclass(frozen=True)
class Faithfulness:
    """Scores of the maps of one picture, n classes.

    Attributes:
        classes: n, int64.
        shares: steps + 1, float64: the share of the picture that is hidden (deletion) or shown (insertion).
        deletion: n x (steps + 1): the class's probability while the places of highest activation are hidden first.
        insertion: n x (steps + 1): the same while they are shown first, on the baseline.
        infidelity: n: of how much the logit changes when a random square is hidden (its mean square), the share that
            the map does not foretell, at the scale that suits it best. 0 is best; at 1 it foretells nothing. nan where
            nothing changes.
        sensitivity: the most that the maps change, as a share of themselves, when the picture is shaken by noise that
            can hardly be seen; nan where it was left out, or where all maps are empty.
    """

    classes: np.ndarray
    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    infidelity: np.ndarray
    sensitivity: float

    @property
    def deletion_area(self) -> np.ndarray:
        """n: the area under the curve of deletion; the lower the better."""
        return np.trapezoid(self.deletion, self.shares, axis=1)

    @property
    def insertion_area(self) -> np.ndarray:
        """n: the area under the curve of insertion; the higher the better."""
        return np.trapezoid(self.insertion, self.shares, axis=1)


def faithfulness(
    network: CamNetwork | Attributable,
    image: np.ndarray,
    maps: ActivationMaps,
    *,
    head: str | Tensor = "fc1",
    explain: Callable[[np.ndarray], ActivationMaps] | None = None,
    settings: FaithfulnessSettings | None = None,
    rows: int = 8,
    progress: ProgressFn = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> Faithfulness:
    """Score the maps of a picture by what the network answers when parts of the picture are hidden.

    Args:
        network: that the maps are of, in evaluation mode.
        image: H x W x 3, uint8.
        maps: of that picture.
        head: whose logits the maps explain.
        explain: makes the maps of a picture of the same size, for sensitivity; None leaves that out.
        settings: how.
        rows: pictures a pass.
        progress: called after each pass with (pictures done, all pictures, what is being done); may raise Cancelled.
        cancelled: asked before each pass; True raises Cancelled.

    Raises:
        UserError: the maps are of a picture of another size, or the network has no such head or class.
        Cancelled: the work was stopped.
    """
    settings = settings or FaithfulnessSettings()
    if tuple(image.shape[:2]) != tuple(maps.size):
        raise UserError(f"The maps are of a picture of {maps.size}, and this one has {image.shape[:2]} pixels.")
    subject = subject_of(network, head)
    if len(maps.classes) and int(maps.classes.max()) >= subject.num_classes:
        raise UserError(f"There is no class {int(maps.classes.max())}: the network has {subject.num_classes}.")
    count = len(maps.classes)
    explain = explain if count and settings.shakes else None
    shakes = 0 if explain is None else settings.shakes
    total = count * 2 * (settings.steps + 1) + (settings.masks + 1 if count else 0) + shakes
    asking = _Asking(subject, image, settings, rows, total, progress, cancelled)
    with torch.no_grad():
        deletion, insertion = np.zeros((2, count, settings.steps + 1))
        for order, k in enumerate(maps.classes.tolist()):
            removed = _removed_first(maps.activations[order], settings)
            deletion[order] = asking.probability(~removed, k, "deletion")
            insertion[order] = asking.probability(removed, k, "insertion")
        unfaithful = _infidelity(asking, maps, settings) if count else np.zeros(0)
        sensitivity = float("nan") if explain is None else _sensitivity(asking, image, maps, explain, settings)
    return Faithfulness(
        maps.classes, np.linspace(0, 1, settings.steps + 1), deletion, insertion, unfaithful, sensitivity
    )


class _Asking:
    """The network's answers on pictures of which a part is hidden, in groups, each reported."""

    def __init__(
        self,
        subject: Subject,
        image: np.ndarray,
        settings: FaithfulnessSettings,
        rows: int,
        total: int,
        progress: ProgressFn,
        cancelled: Callable[[], bool],
    ) -> None:
        self._subject, self._rows, self._softmax = subject, rows, settings.softmax
        with device_gate(subject.device):
            self._whole = subject.preprocess(image)
            self._baseline = _baseline(self._whole, settings.baseline)
        self._done, self._total, self._progress, self._cancelled = 0, total, progress, cancelled

    def step(self, count: int, note: str) -> None:
        """So many pictures more are done."""
        self._done += count
        self._progress(self._done, self._total, note)
        self.check()

    def check(self) -> None:
        """Raise Cancelled where the work is to stop."""
        if self._cancelled():
            raise Cancelled

    def logits(self, shown: Tensor, note: str) -> Tensor:
        """B x K where the cells of ``shown`` (B x h x w, 0..1) are the picture's, and the others the baseline's."""
        found = []
        for part in shown.split(self._rows):
            self.check()
            with self._subject.lock, device_gate(self._subject.device):
                mask = F.interpolate(part[:, None].to(self._whole), size=self._whole.shape[-2:], mode="nearest-exact")
                found.append(self._subject.logits(self._baseline + (self._whole - self._baseline) * mask).float())
            self.step(len(part), note)
        return torch.cat(found)

    def probability(self, shown: np.ndarray, k: int, note: str) -> np.ndarray:
        """B: of class k."""
        logits = self.logits(torch.from_numpy(shown), note)
        return (logits.softmax(1) if self._softmax else logits.sigmoid())[:, k].cpu().numpy()


def _baseline(whole: Tensor, kind: str) -> Tensor:
    """What is shown instead of a picture, 1 x 3 x H x W."""
    if kind == "mean":
        return whole.mean(dim=(2, 3), keepdim=True).expand_as(whole)
    return F.interpolate(
        F.adaptive_avg_pool2d(whole, _patches((whole.shape[-2], whole.shape[-1]), BLUR_PATCHES)),
        size=whole.shape[-2:],
        mode="bilinear",
        align_corners=False,
    )


def _patches(size: tuple[int, int], most: int) -> tuple[int, int]:
    """So many patches along the longer side, and as many along the other as make them squares."""
    down, across = (max(round(side * most / max(size)), 1) for side in size)
    return down, across


def _removed_first(activations: np.ndarray, settings: FaithfulnessSettings) -> np.ndarray:
    """(steps + 1) x h x w, bool: the cells of highest activation, none at first and all in the end.

    Cells of equal activation come in an order that is drawn, not from the top: many maps are zero at most places.
    """
    drawn = np.random.default_rng(settings.seed).permutation(activations.size)
    order = drawn[np.argsort(-activations.ravel()[drawn].astype(np.int16), kind="stable")]
    rank = np.empty(activations.size, dtype=np.int64)
    rank[order] = np.arange(activations.size)
    limits = np.rint(np.linspace(0, activations.size, settings.steps + 1)).astype(np.int64)
    return rank.reshape(activations.shape) < limits[:, None, None]


def _squares(grid: tuple[int, int], settings: FaithfulnessSettings) -> np.ndarray:
    """masks x h x w, bool: a square in each, somewhere within the grid."""
    generator = np.random.default_rng(settings.seed)
    inside = np.ones((settings.masks, *grid), dtype=bool)
    for axis, cells in enumerate(grid, start=1):
        side = min(max(round(max(grid) * SQUARE), 1), cells)
        start = generator.integers(0, cells - side + 1, settings.masks)
        place = np.arange(cells) - start[:, None]
        inside &= np.expand_dims((place >= 0) & (place < side), 3 - axis)
    return inside


def _infidelity(asking: _Asking, maps: ActivationMaps, settings: FaithfulnessSettings) -> np.ndarray:
    """n: captum's infidelity of each map, with the cells of its grid as inputs, as a share of the changes' square."""
    from captum.metrics import infidelity

    grid = tuple(maps.activations.shape[1:])
    shown = torch.from_numpy(~_squares(grid, settings)).float()
    # The answers are the same for every class: captum asks a table of them, and the network is asked once.
    answers = asking.logits(shown, "infidelity")
    whole = asking.logits(torch.ones(1, *grid), "infidelity")
    found = np.full(len(maps.classes), np.nan)
    for order, k in enumerate(maps.classes.tolist()):
        changes = float((whole[0, k] - answers[:, k]).square().mean())
        if changes == 0:
            continue

        def answer(inputs: Tensor, k: int = k) -> Tensor:
            return torch.where((inputs == 1).flatten(1).all(dim=1), whole[0, k], answers[: len(inputs), k])

        def hide(inputs: Tensor) -> tuple[Tensor, Tensor]:
            return inputs - shown.to(inputs), shown.to(inputs)

        value = infidelity(
            answer,
            hide,
            torch.ones(1, *grid),
            torch.from_numpy(maps.activations[order]).float()[None] / FULL,
            n_perturb_samples=settings.masks,
            normalize=True,
        )
        found[order] = float(value) / changes
    return found


def _sensitivity(
    asking: _Asking,
    image: np.ndarray,
    maps: ActivationMaps,
    explain: Callable[[np.ndarray], ActivationMaps],
    settings: FaithfulnessSettings,
) -> float:
    """Captum's sensitivity of all maps together; noise comes from the seed alone."""
    from captum.metrics import sensitivity_max

    if not maps.activations.any():
        return float("nan")
    generator = np.random.default_rng(settings.seed)

    def shaken(inputs: Tensor | tuple[Tensor, ...], radius: float) -> Tensor:
        one = inputs[0] if isinstance(inputs, tuple) else inputs
        noise = torch.from_numpy(generator.uniform(-radius * 255, radius * 255, tuple(one.shape)))
        return (one + noise.to(one)).clamp(0, 255).round()

    def explained(pictures: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        batch = pictures[0] if isinstance(pictures, tuple) else pictures
        found = []
        for picture in batch.numpy().astype(np.uint8):
            if np.array_equal(picture, image):
                found.append(maps.activations)
                continue
            asking.check()
            found.append(explain(picture).activations)
            asking.step(1, "sensitivity")
        # A tuple: captum 0.9 takes the first dimension of a bare tensor apart, and subtracts the wrong things.
        return (torch.from_numpy(np.stack(found)).float(),)

    whole = torch.from_numpy(np.array(image)).float()[None]
    value = sensitivity_max(explained, whole, shaken, perturb_radius=settings.radius, n_perturb_samples=settings.shakes)
    return float(value)


def mean_scores(found: Sequence[Faithfulness]) -> dict[str, np.ndarray]:
    """One value a picture of each score, N each: the mean over its classes; nan where a picture has none."""
    with np.errstate(invalid="ignore"):
        return {
            "deletion": np.array([mean_told(one.deletion_area) for one in found]),
            "insertion": np.array([mean_told(one.insertion_area) for one in found]),
            "infidelity": np.array([mean_told(one.infidelity) for one in found]),
            "sensitivity": np.array([one.sensitivity for one in found]),
        }


def mean_told(values: np.ndarray) -> float:
    """The mean of the values that are numbers; nan where none is."""
    told = values[~np.isnan(values)]
    return float(told.mean()) if len(told) else float("nan")


@dataclass(frozen=True)
class Localisation:
    """Scores of the maps of one picture, n classes; nan for a class that the ground truth does not show, or a map
    that is zero everywhere.

    Attributes:
        classes: n, int64.
        pointing: n: the pointing game, 1 where the place of the highest activation is the class; of several such
            places, the share of them that are.
        energy: n: the share of the activation that lies on the class.
        best_iou: n: IoU of the map against the class at the threshold that fits this very picture best, so it
            flatters: an upper bound, and not what a threshold from elsewhere gives.
        best_threshold: n: that threshold, 0..1.
        iou: n: IoU at the threshold that was given, which should come from other pictures; nan without one.
        share: n: the share of the scored pixels that is the class: pointing and energy of a map that knows nothing.
    """

    classes: np.ndarray
    pointing: np.ndarray
    energy: np.ndarray
    best_iou: np.ndarray
    best_threshold: np.ndarray
    iou: np.ndarray
    share: np.ndarray


def localisation(
    maps: ActivationMaps, mask: np.ndarray, classes: ClassList, threshold: float | None = None
) -> Localisation:
    """Score each map of a picture against the pixels of its class.

    Args:
        maps: of the picture.
        mask: H x W, uint8 ground truth: k + 1 class k, 0 background, 255 void. Void pixels do not count, and in a set
            without a background class 0 does not either.
        classes: of the data set.
        threshold: chosen on other pictures, 0..1; None for none.

    Raises:
        UserError: maps and mask do not belong together, or a threshold out of range.
    """
    if mask.shape != tuple(maps.size):
        raise UserError(f"{maps.id}: the maps are of a picture of {maps.size}, and the mask has {mask.shape} pixels.")
    limit = None if threshold is None else threshold_level(threshold)
    scored = scored_pixels(mask, classes.has_background)
    truth = mask[scored]
    found = np.full((6, len(maps.classes)), np.nan)
    for order, (k, plane) in enumerate(zip(maps.classes.tolist(), full_size(maps), strict=True)):
        level, there = plane[scored], truth == k + 1
        pixels = int(there.sum())
        if not pixels:
            continue
        found[5, order] = pixels / len(truth)
        if level.any():
            on_class = there[level == level.max()]
            found[0, order] = on_class.mean()
            found[1, order] = level[there].sum(dtype=np.float64) / level.sum(dtype=np.float64)
        # Pixels above each of the 256 levels, of the class and of all: every threshold at once.
        right, claimed = (_above(np.bincount(one, minlength=256)) for one in (level[there], level))
        iou = right / (pixels + claimed - right)
        best = int(iou.argmax())
        found[2:4, order] = iou[best], best / 255
        if limit is not None:
            found[4, order] = iou[limit]
    return Localisation(maps.classes, *found)


def _above(counts: np.ndarray) -> np.ndarray:
    """256: how many lie above each level."""
    return counts.sum() - np.cumsum(counts)
