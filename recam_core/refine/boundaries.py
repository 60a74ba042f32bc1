"""Learning boundaries from seeds: confident labels, the training of IRN's heads, and the folder that keeps them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from recam_core import ranks
from recam_core.checkpoint.run_folder import Run
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import VOID, Dataset
from recam_core.errors import UserError
from recam_core.guest import refuse_training
from recam_core.maps.activation_maps import GRID_STRIDE, ActivationMaps, seed_mask, threshold_level
from recam_core.maps.dataset_maps import MapSettings
from recam_core.progress import ProgressFn, silent
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import FINISHES, check_finish, finished_pixels, refined_labels
from recam_core.refine.pairs import PairSums, pair_sums
from recam_core.refine.seeds import seeds_of_dataset
from recam_core.train.epochs import Epochs, train_epochs
from recam_core.train.recipe import Recipe
from recam_core.train.trained_folder import TrainedFolder
from recam_core.train.views import EpochOrder, augment

HEADS_FILE, RECORD_FILE = "boundaries.safetensors", "boundaries.json"
FOLDER = TrainedFolder("boundaries", "recam-boundaries", 1, RECORD_FILE, HEADS_FILE, "heads_sha256", "boundaries")
#: From the seed threshold to the two thresholds of confident labels: a rule of thumb of those who use IRN.
ABOVE, BELOW = 0.12, 0.10


@dataclass(frozen=True)
class BoundaryRecipe:
    """The settings of a training of boundaries; the defaults are the published ones.

    Attributes:
        foreground, background: a pixel is confidently a class above the one, and confidently background where nothing
            reaches the other; what lies between says nothing. Without a background class only the first counts.
        finish: what makes the two masks follow contours; the published code takes a dense CRF (``crf``).
        epochs, batch_size, crop: as the names say; the crop in pixels, a multiple of 4.
        lr: of the edge head; the displacement head has ten times as much.
        weight_decay: of all weights.
        rescale: the range of sizes that pictures are resized to at random.
        seed: of the weights, the order and the views.
    """

    foreground: float
    background: float
    finish: str = "pamr"
    epochs: int = 3
    batch_size: int = 32
    crop: int = 512
    lr: float = 0.1
    weight_decay: float = 1e-4
    rescale: tuple[float, float] = (0.5, 1.5)
    seed: int = 0


#: What a small machine changes: pictures a batch, and the crop.
SMALL = (16, 224)


def usual_thresholds(seed_threshold: float) -> tuple[float, float]:
    """(foreground, background) thresholds of confident labels, from the threshold that is best for the seeds."""
    return min(seed_threshold + ABOVE, 0.99), max(seed_threshold - BELOW, 0.01)


def check_recipe(recipe: BoundaryRecipe, has_background: bool) -> None:
    """Refuse settings that cannot work. Raises UserError."""
    check_finish(recipe.finish)
    threshold_level(recipe.foreground)
    threshold_level(recipe.background)
    if has_background and recipe.background > recipe.foreground:
        raise UserError(
            f"A pixel is confidently background up to {recipe.background} and confidently a class above "
            f"{recipe.foreground}: the first must not be the larger."
        )
    if recipe.seed < 0:
        raise UserError("The seed is 0 or more.")
    if recipe.epochs < 1 or recipe.batch_size < 1 or recipe.crop < 64 or recipe.crop % GRID_STRIDE:
        raise UserError(
            "Boundaries take 1 epoch and picture or more, and a crop of 64 pixels or more, a multiple of 4."
        )
    if not 0 < recipe.lr < 10 or not 0.1 <= recipe.rescale[0] <= recipe.rescale[1] <= 4:
        raise UserError("The learning rate lies between 0 and 10, the sizes between 0.1 and 4.")


class ConfidentLabels:
    """One label a pixel of each picture: 0 background, k + 1 class k, 255 where the seeds are not sure.

    Attributes:
        shares: of all pixels: of a class, of the background, and of neither.
        right: how many of the pixels of a class, and of those of the background, are what the ground truth says; nan
            where none is known.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        # Of a class, background, neither; of the first two: known to the ground truth, and right.
        self._pixels = np.zeros(7, dtype=np.int64)

    def add(self, label: np.ndarray, truth: np.ndarray | None = None) -> None:
        """Keep the labels of the next picture, packed: 3,000 photographs take some 20 MB.

        Args:
            label: H x W, uint8.
            truth: its ground truth, which is asked for nothing but ``right``.
        """
        unsure, background = (label == VOID).sum(), (label == 0).sum()
        self._pixels[:3] += (label.size - unsure - background, background, unsure)
        if truth is not None:
            known, same = truth != VOID, truth == label
            for place, chosen in ((3, known & (label != 0) & (label != VOID)), (5, known & (label == 0))):
                self._pixels[place : place + 2] += chosen.sum(), (chosen & same).sum()
        stream = BytesIO()
        Image.fromarray(label).save(stream, format="PNG")
        self._packed.append(stream.getvalue())

    def merge(self, other: "ConfidentLabels") -> None:
        """Take the labels of another behind those that are here."""
        self._pixels += other._pixels
        self._packed += other._packed

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.asarray(Image.open(BytesIO(self._packed[index])))

    @property
    def shares(self) -> tuple[float, float, float]:
        pixels = self._pixels[:3]
        foreground, background, unsure = (pixels / max(int(pixels.sum()), 1)).tolist()
        return foreground, background, unsure

    @property
    def right(self) -> tuple[float, float]:
        known, right = self._pixels[3::2], self._pixels[4::2]
        foreground, background = np.divide(right, known, out=np.full(2, np.nan), where=known > 0).tolist()
        return foreground, background


def confident_labels(
    run: Run,
    dataset: Dataset,
    rule: str,
    settings: MapSettings,
    recipe: BoundaryRecipe,
    progress: ProgressFn = silent,
    kept: Mapping[str, ActivationMaps] | None = None,
) -> ConfidentLabels:
    """What the seeds of a run are sure of.

    Args:
        run, dataset, rule, settings: see :func:`recam_core.maps.dataset_maps.maps_of_dataset`.
        recipe: whose thresholds and finish count.
        progress: called after each picture; may raise Cancelled.
        kept: maps that need not be made, see :func:`recam_core.maps.kept.kept_maps`.

    Raises:
        UserError: settings that cannot work, a broken picture, or labels that name nothing to learn from.
    """
    check_recipe(recipe, dataset.classes.has_background)
    labels = ConfidentLabels()

    def made() -> Iterator[ConfidentLabels]:
        for sample, maps in seeds_of_dataset(run.network, dataset, rule, settings, kept=kept):
            one = ConfidentLabels()
            one.add(_confident(maps, rule, sample.image, recipe, dataset.classes.has_background), sample.mask)
            yield one

    for done, one in enumerate(ranks.in_order(made(), len(dataset), everywhere=True), start=1):
        labels.merge(one)
        progress(done, len(dataset), "confident labels")
    foreground, background, _ = labels.shares
    if foreground == 0 or (dataset.classes.has_background and background == 0):
        missing = "a class" if foreground == 0 else "background"
        raise UserError(
            f"No pixel is confidently {missing} at the thresholds {recipe.foreground:.2f} and {recipe.background:.2f}: "
            "boundaries cannot be learnt from that. Thresholds near the seeds' own show both."
        )
    return labels


def _confident(
    maps: ActivationMaps, rule: str, image: np.ndarray, recipe: BoundaryRecipe, has_background: bool
) -> np.ndarray:
    """H x W uint8: 0 what is surely background, k + 1 what is surely class k, else 255."""
    crf = FINISHES[recipe.finish].crf
    # A CRF takes the masks of both thresholds, as published; other finishes the maps that the masks are made of.
    finish = "none" if crf is not None else recipe.finish
    argmax, activation = finished_pixels(maps, rule, image, finish, has_background=has_background)
    sure, possible = (seed_mask(argmax, activation, at) for at in (recipe.foreground, recipe.background))
    if crf is not None:
        sure, possible = (refined_labels(image, mask, crf) for mask in (sure, possible))
    return between(sure, possible, has_background)


def between(sure: np.ndarray, possible: np.ndarray, has_background: bool) -> np.ndarray:
    """The confident labels of a picture, from its masks at the foreground and at the background threshold.

    Args:
        sure, possible: H x W uint8: 0 background, k + 1 class k.
        has_background: whether what is in neither mask is surely background.

    Returns:
        H x W uint8: 0 what is surely background, k + 1 what is surely class k, else 255.
    """
    label = np.where(sure > 0, sure, np.uint8(VOID))
    if has_background:
        label[(sure == 0) & (possible == 0)] = 0
    return label


class _Views(TorchDataset):
    """Random views of pictures with their labels on the grid of stride 4; (epoch, index) decides each."""

    def __init__(self, dataset: Dataset, labels: ConfidentLabels, recipe: BoundaryRecipe, fill: tuple[int, int, int]):
        self.dataset, self.labels, self.recipe, self.fill = dataset, labels, recipe, fill
        self.base = Recipe("bce", crop=recipe.crop, jitter=(0.0, 0.0, 0.0, 0.0), seed=recipe.seed)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = key
        sample = self.dataset.load(index)
        longest = max(sample.image.shape[:2])
        low, high = (max(round(longest * factor), 1) for factor in self.recipe.rescale)
        rng = np.random.default_rng((self.recipe.seed, epoch, index))
        settings = replace(self.base, resize_long=(low, high))
        view, label = augment(sample.image, self.labels[index], settings, self.fill, rng)
        assert label is not None  # there was one to begin with
        half = GRID_STRIDE // 2
        return np.array(view), np.array(label[half::GRID_STRIDE, half::GRID_STRIDE])


def train_boundaries(
    run: Run,
    dataset: Dataset,
    labels: ConfidentLabels,
    rule: str,
    recipe: BoundaryRecipe,
    out: str | Path,
    *,
    workers: int | None = None,
    progress: ProgressFn = silent,
    made_by: str = "",
) -> dict[str, Any]:
    """Train the heads and leave a folder; the same call after a kill goes on with the epoch that was cut off.

    Args:
        run: whose backbone the heads stand on, on the device to train on.
        dataset: the pictures.
        labels: of each, see :func:`confident_labels`.
        rule: the extraction rule that made them.
        recipe: every setting.
        out: the folder.
        workers: loader processes; none on a CPU, else up to 8, unless given.
        progress: called after each step; may raise Cancelled.
        made_by: of :func:`boundaries_made_by`, by which the same call finds what it made; "" finds nothing.

    Returns:
        The record as written.

    Raises:
        UserError: settings that cannot work, another training in the folder, a loss that is no number.
    """
    refuse_training()
    check_recipe(recipe, dataset.classes.has_background)
    out, device = Path(out), run.network.device
    if made_by and (there := learnt_before(out, made_by)) is not None:
        return there
    identity = _identity(run, dataset, labels, rule, recipe)
    state = FOLDER.cut_off(out, identity)
    torch.manual_seed(recipe.seed)
    heads = BoundaryNetwork(run.network).to(device)
    edge = [*heads.edge.parameters(), *heads.edge_all.parameters()]
    rest = [one for name, one in heads.named_parameters() if not name.startswith("edge")]
    groups = [{"params": edge, "lr": recipe.lr}, {"params": rest, "lr": 10 * recipe.lr}]
    optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)
    red, green, blue = (round(value * 255) for value in run.network.spec.mean)
    views = _Views(dataset, labels, recipe, (red, green, blue))

    def loss_of(images: Tensor, truth: Tensor) -> Tensor:
        logits, moves = heads(run.network.preprocess(images))
        mine = pair_sums(logits.float(), moves.float(), truth)
        # Of several ranks, the mean of what this gives is the loss of all pairs.
        return PairSums(mine.over * ranks.world(), ranks.add_up(mine.count)).loss

    plan = Epochs(recipe.epochs, recipe.batch_size, recipe.seed)
    history = train_epochs(
        heads,
        loss_of,
        views,
        groups,
        optimizer,
        plan,
        out,
        identity,
        state,
        device=device,
        workers=workers,
        progress=progress,
    )
    _subtract_mean(heads, run, views, recipe)
    record = {
        "run": run.info.name,
        "weights_sha256": run.info.weights_sha256,
        "rule": rule,
        "data": dataset.spec,
        "recipe": asdict(recipe),
        "shares": dict(zip(("foreground", "background", "unsure"), labels.shares, strict=True)),
        "right": {
            name: None if np.isnan(share) else share
            for name, share in zip(("foreground", "background"), labels.right, strict=True)
        },
        "history": history,
        "made_by": made_by,
    }

    return FOLDER.finish(out, record, heads.state_dict())


def boundaries_made_by(run: Run, dataset: Dataset, rule: str, settings: MapSettings, recipe: BoundaryRecipe) -> str:
    """Stands for all that decides what boundaries are learnt; arguments as :func:`confident_labels`."""
    parts = [run.info.weights_sha256, rule, repr(settings), repr(recipe), dataset_digest(dataset)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def learnt_before(out: Path, made_by: str) -> dict[str, Any] | None:
    """The record of a folder that holds the very boundaries that are asked for; None where it holds none.

    Raises:
        UserError: it holds others.
    """
    return FOLDER.finished(out, made_by)


def load_boundaries(folder: str | Path, run: Run) -> BoundaryNetwork:
    """The boundaries of a folder, on the backbone that they were learnt on, in evaluation mode.

    Raises:
        UserError: nothing there, damaged files, or the boundaries of another network.
    """
    folder = Path(folder)
    with FOLDER.opened(folder) as values:
        sha, name = str(values["weights_sha256"]), str(values["run"])
    if sha != run.info.weights_sha256:
        raise UserError(
            f"The boundaries in {folder} were learnt on the features of another run, called {name}, and fit no other "
            f"backbone than its own; learn those of {run.path}."
        )
    heads = BoundaryNetwork(run.network)
    FOLDER.load(folder, heads)
    return heads.to(run.network.device).eval()


@torch.inference_mode()
def _subtract_mean(heads: BoundaryNetwork, run: Run, views: "_Views", recipe: BoundaryRecipe) -> None:
    """Let the displacements of the training's own views have no mean: half-way between them there is no object."""
    heads.eval()
    heads.mean_displacement.zero_()
    order = EpochOrder(len(views), recipe.batch_size, recipe.seed)
    summed, pictures = torch.zeros_like(heads.mean_displacement), 0
    with ranks.agreed():
        for batch in order:
            images = torch.from_numpy(np.stack([views[key][0] for key in batch]))
            summed += heads(run.network.preprocess(images.to(run.network.device)))[1].mean(dim=(2, 3)).sum(dim=0)
            pictures += len(batch)
    heads.mean_displacement.copy_(ranks.add_up(summed) / ranks.add_up(torch.tensor(pictures)).item())


def _identity(run: Run, dataset: Dataset, labels: ConfidentLabels, rule: str, recipe: BoundaryRecipe) -> str:
    parts = [repr(recipe), rule, "\n".join(dataset.ids), run.info.weights_sha256, repr(labels.shares)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
