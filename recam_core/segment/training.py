"""Training a segmentation network on masks, and the folder that keeps it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from recam_core import ranks
from recam_core.checkpoint.run_folder import read_info
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import VOID, ClassList, Dataset
from recam_core.errors import UserError
from recam_core.guest import refuse_training
from recam_core.progress import ProgressFn, silent
from recam_core.refine.trial import timed
from recam_core.segment.networks import NetworkKind, SegmentationNetwork, load_start, network_kind, start_run
from recam_core.segment.recipe import SegmentRecipe, check_recipe
from recam_core.train.epochs import Epochs, train_epochs
from recam_core.train.recipe import Recipe
from recam_core.train.trained_folder import TrainedFolder
from recam_core.train.views import augment

WEIGHTS_FILE, RECORD_FILE = "model.safetensors", "segment.json"
FOLDER = TrainedFolder(
    "a segmentation network", "recam-segmentation", 1, RECORD_FILE, WEIGHTS_FILE, "weights_sha256", "segment train"
)

#: H x W uint8 of a picture's index: 0 background, k + 1 class k, 255 not to be learnt from; None where there is none.
MaskOf = Callable[[int], np.ndarray | None]


def labels_of(classes: ClassList) -> int:
    """How many labels a network of these classes tells apart: one more with a background."""
    return len(classes) + classes.has_background


class _Views(TorchDataset):
    """Random views of pictures and masks; (epoch, index) decides each."""

    def __init__(
        self, dataset: Dataset, indices: list[int], mask_of: MaskOf, recipe: SegmentRecipe, fill: tuple[int, int, int]
    ) -> None:
        self.dataset, self.indices, self.mask_of, self.recipe, self.fill = dataset, indices, mask_of, recipe, fill
        self.base = Recipe("bce", crop=recipe.crop, jitter=(0.0, 0.0, 0.0, 0.0))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = key
        index = self.indices[place]
        sample, mask = self.dataset.load(index), self.mask_of(index)
        if mask is None or mask.shape != sample.image.shape[:2]:
            raise UserError(
                f"{sample.id}: the mask is missing, or not of the size of the picture; make the masks from this data."
            )
        longest = max(mask.shape)
        low, high = (max(round(longest * factor), 1) for factor in self.recipe.rescale)
        rng = np.random.default_rng((self.recipe.seed, epoch, index))
        view, truth = augment(sample.image, mask, replace(self.base, resize_long=(low, high)), self.fill, rng)
        return np.array(view), np.array(truth)


def train_segmentation(
    recipe: SegmentRecipe,
    dataset: Dataset,
    mask_of: MaskOf,
    masks: str,
    out: str | Path,
    *,
    device: torch.device,
    workers: int | None = None,
    progress: ProgressFn = silent,
    made_by: str = "",
) -> dict[str, Any]:
    """Train a network and leave a folder; the same call after a kill goes on with the epoch that was cut off.

    Args:
        recipe: every setting.
        dataset: the pictures.
        mask_of: the mask of each; pictures without one are left out.
        masks: where the masks come from, for the record.
        out: the folder.
        device: where to train.
        workers: loader processes; none on a CPU, else up to 8, unless given.
        progress: called after each batch; may raise Cancelled.
        made_by: of :func:`network_made_by`, for the record, by which :func:`trained_before` finds it.

    Returns:
        The record as written.

    Raises:
        UserError: settings that cannot work, no mask at all, weights that cannot be had, a finished or another training
            in the folder, a loss that is no number.
    """
    refuse_training()
    check_recipe(recipe)
    out, classes = Path(out), dataset.classes
    indices, pixels = [], np.zeros(VOID + 1, np.int64)
    for index in range(len(dataset)):
        if (mask := mask_of(index)) is not None:
            indices.append(index)
            pixels += np.bincount(mask.ravel(), minlength=len(pixels))
    first = 0 if classes.has_background else 1
    pixels = pixels[first : first + labels_of(classes)]
    shares = pixels / max(int(pixels.sum()), 1)
    if not indices:
        raise UserError(f"{masks} has no mask of any picture of {dataset.spec}.")
    identity = _identity(recipe, dataset, indices, masks, made_by)
    state = FOLDER.cut_off(out, identity)
    torch.manual_seed(recipe.seed)
    kind = network_kind(recipe.network)
    network = kind.build(labels_of(classes))
    # What a training goes on from has its weights already; the record says where they came from.
    weights, knows_imagenet = load_start(kind, network.backbone, recipe.weights)
    if recipe.frozen:
        if weights == "none":
            raise UserError(
                "What is frozen stays as it began, and with --weights none its early layers know nothing: leave out "
                "--frozen, or start from weights."
            )
        _freeze(kind, network)
    network.to(device).to(memory_format=torch.channels_last)
    biases = {id(one) for one in network.head_biases()}
    groups: list[dict[str, Any]] = [
        {"params": [one for one in network.backbone.parameters() if one.requires_grad], "lr": recipe.lr},
        {"params": [one for one in network.head.parameters() if id(one) not in biases], "lr": 10 * recipe.lr},
        {"params": list(network.head_biases()), "lr": 20 * recipe.lr, "weight_decay": 0.0},
    ]
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "adamw":
        optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    else:
        optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)
    views = _Views(dataset, indices, mask_of, recipe, network.fill)
    batches = max(len(views) // recipe.batch_size, 1)
    epochs = max(round(recipe.steps * recipe.accumulated / batches), 1)

    priors = share_powers(shares, recipe.prior).to(device) if recipe.prior and pixels.any() else None

    def loss_of(images: Tensor, truth: Tensor) -> Tensor:
        return pixel_loss(network(network.preprocess(images)), truth, classes.has_background, priors)

    history = train_epochs(
        network,
        loss_of,
        views,
        groups,
        optimizer,
        Epochs(epochs, recipe.batch_size, recipe.seed, accumulated=recipe.accumulated),
        out,
        identity,
        state,
        device=device,
        workers=workers,
        ready=network.freeze_norm,
        progress=progress,
    )
    record = {
        "classes": list(classes.names),
        "has_background": classes.has_background,
        "data": dataset.spec,
        "masks": masks,
        "pictures": len(indices),
        "recipe": asdict(recipe),
        "weights": weights,
        "from_imagenet": knows_imagenet,
        "epochs": epochs,
        "history": history,
        "label_shares": shares.tolist(),
        "made_by": made_by,
    }

    return FOLDER.finish(out, record, network.state_dict())


def _freeze(kind: NetworkKind, network: SegmentationNetwork) -> None:
    for part in kind.early(network.backbone):
        part.requires_grad_(False)


def network_made_by(recipe: SegmentRecipe, dataset: Dataset, made_from: str) -> str:
    """Stands for all that decides what network is trained, wherever the run that it starts from and the masks lie.

    Args:
        recipe, dataset: as for :func:`train_segmentation`.
        made_from: stands for what the masks hold.
    """
    if (run := start_run(recipe.weights)) is not None:
        recipe = replace(recipe, weights=f"run {read_info(run).weights_sha256}")
    parts = [repr(recipe), made_from, dataset_digest(dataset)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def trained_before(out: Path, made_by: str) -> dict[str, Any] | None:
    """The record of a folder that holds the very network that is asked for; None where it holds none.

    Raises:
        UserError: it holds another.
    """
    return FOLDER.finished(out, made_by)


def share_powers(shares: np.ndarray, prior: float) -> Tensor:
    """The shares of labels (L, not all 0) to the power of ``prior``; one that no mask shows counts as the rarest."""
    return torch.from_numpy((np.maximum(shares, shares[shares > 0].min()) ** prior).astype(np.float32))


def pixel_loss(scores: Tensor, truth: Tensor, has_background: bool, priors: Tensor | None = None) -> Tensor:
    """Cross-entropy over the pixels that have a label. Of several ranks, the mean is that of the whole batch.

    With priors, pi^tau of each label, it is the logit-adjusted loss of Menon et al. (ICLR 2021, equation 10),

        -log softmax(s + tau log pi)_y,

    under which a network learns scores that owe less to how often a label comes, so that rare ones need fewer steps.

    Args:
        scores: B x L x H x W.
        truth: B x H x W uint8: 0 background, k + 1 class k, 255 void. Without a background 0 is no label either.
        has_background: whether label 0 of the scores is the background, else class 0.
        priors: L, of :func:`share_powers`; None for the plain cross-entropy.
    """
    if priors is not None:
        scores = scores.float() + priors.log()[:, None, None]
    target = truth.long()
    if not has_background:
        target = torch.where((target == 0) | (target == VOID), VOID, target - 1)
    known = ranks.add_up((target != VOID).sum())
    summed = F.cross_entropy(scores.float(), target, ignore_index=VOID, reduction="sum")
    # Not torch's own mean: of a batch without a label it is no number.
    return summed * ranks.world() / known.clamp(min=1)


#: Pictures in the step that :func:`training_seconds` times: as few as batch norm takes.
_TIMED_BATCH = 2


def training_seconds(recipe: SegmentRecipe, labels: int, device: torch.device) -> float:
    """How long a training will take on this machine: a step of few pictures is timed, there and back, and counted up.

    Args:
        recipe: of the training.
        labels: that the network tells apart.
        device: where it will be trained.

    Raises:
        UserError: settings that cannot work.
    """
    check_recipe(recipe)
    kind = network_kind(recipe.network)
    network = kind.build(labels)
    if recipe.frozen:
        _freeze(kind, network)
    network.to(device).to(memory_format=torch.channels_last).train()
    network.freeze_norm()
    images = torch.zeros(_TIMED_BATCH, recipe.crop, recipe.crop, 3, dtype=torch.uint8, device=device)
    truth = torch.zeros(_TIMED_BATCH, recipe.crop, recipe.crop, dtype=torch.uint8, device=device)

    def step() -> None:
        pixel_loss(network(network.preprocess(images)), truth, True).backward()

    return timed(step, device) / _TIMED_BATCH * recipe.steps * recipe.batch_size * recipe.accumulated


@dataclass(frozen=True)
class Segmentation:
    """A trained network in evaluation mode, and its record."""

    path: Path
    network: SegmentationNetwork
    classes: ClassList
    record: dict[str, Any]


def from_imagenet(record: Mapping[str, Any]) -> bool:
    """Whether what a network started from had seen ImageNet, by its record."""
    # Records from before networks could start from runs say it by their weights alone.
    return bool(record.get("from_imagenet", record.get("weights") != "none"))


def load_segmentation(folder: str | Path, device: torch.device) -> Segmentation:
    """The network of a folder. Raises UserError where there is none, or the files are damaged."""
    folder = Path(folder)
    with FOLDER.opened(folder) as record:
        classes = ClassList(tuple(map(str, record["classes"])), bool(record["has_background"]))
        kind = network_kind(str(record["recipe"]["network"]))
    network = kind.build(labels_of(classes))
    FOLDER.load(folder, network)
    network.to(device).to(memory_format=torch.channels_last)
    return Segmentation(folder, network.eval(), classes, record)


def _identity(recipe: SegmentRecipe, dataset: Dataset, indices: list[int], masks: str, made_by: str) -> str:
    ids = "\n".join(dataset.ids[index] for index in indices)
    # With the masks' place, as what they hold need not be known here; another run may lie in the place of the first.
    parts = [network_made_by(recipe, dataset, masks), ids, repr(dataset.classes), made_by]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
