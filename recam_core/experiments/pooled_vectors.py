"""What linear classifiers see of a data set: GAP(f(x)) of each picture, and of each single-label feature.

Kept in a small file a (weights, data): some megabytes, where the features themselves would be gigabytes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recam_core.cache import drop_oldest
from recam_core.checkpoint.run_folder import Run, RunInfo
from recam_core.checkpoint.tensor_file import opened_tensors, write_tensors
from recam_core.data.sample import ClassList, Dataset, Sample
from recam_core.errors import UserError
from recam_core.lock import waiting_for
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures
from recam_core.method.cam import cam
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.method.step import batch_pairs
from recam_core.model.backbones import SMALL_BACKBONE, load_imagenet
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.features import cache_lock, cache_path, check_pictures

#: Bump when what a file holds changes, so that old ones are not read.
_FORMAT = 1
#: Instead of a run: a backbone with ImageNet weights that has seen neither loss, written ``imagenet:BACKBONE``.
IMAGENET = "imagenet"


@dataclass(frozen=True)
class PooledVectors:
    """Pooled features of a data set.

    Attributes:
        pictures: N x C, GAP(f(x)) of each picture.
        labels: N x K bool.
        pairs: P x C, GAP(M_p * f(x)) of each pair of a picture and a present class p under the soft mask (equations 3
            and 4).
        image, category: P int64, the picture and the class of each pair, sorted by picture.
    """

    pictures: Tensor
    labels: Tensor
    pairs: Tensor
    image: Tensor
    category: Tensor


def named_backbone(source: str) -> str | None:
    """The backbone of ``imagenet`` (the small one) or ``imagenet:BACKBONE``; None for anything else, such as a run."""
    if source == IMAGENET:
        return SMALL_BACKBONE
    return source.removeprefix(f"{IMAGENET}:") if source.startswith(f"{IMAGENET}:") else None


def imagenet_run(backbone: str, classes: ClassList, device: torch.device | str = "cpu") -> Run:
    """A network that no data set of ours has trained: ImageNet's backbone, and an FC1 of zeros that means nothing.

    Raises:
        UserError: no such backbone, or its weights cannot be had.
    """
    network = CamNetwork(backbone, len(classes), 16)
    source = load_imagenet(network.backbone, backbone, "auto")
    with torch.no_grad():
        network.fc1.zero_()
    digest = hashlib.sha256(f"{IMAGENET}\0{backbone}\0{source}".encode())
    for name, value in network.backbone.state_dict().items():
        digest.update(name.encode() + value.detach().float().contiguous().numpy().tobytes()[:64])
    info = RunInfo(
        f"{IMAGENET}:{backbone}",
        "bce",
        "fc1",
        {},
        list(classes.names),
        classes.has_background,
        "ImageNet",
        {},
        0,
        weights_sha256=digest.hexdigest(),
    )
    return Run(Path(info.name), info, network.to(device).eval().to(memory_format=torch.channels_last))


def pooled_vectors(run: Run, dataset: Dataset, progress: ProgressFn = silent) -> PooledVectors:
    """The pooled features of a data set under a run's backbone, at scale 1: read from the cache, or computed and kept.

    Args:
        run: its network's device does the work.
        dataset: pictures with labels.
        progress: called after each picture; may raise Cancelled, which leaves no file.

    Raises:
        UserError: classes that are not the run's, a broken picture, no room on the disk.
    """
    check_pictures(run, dataset)
    path = cache_path(run, dataset, "pooled", _FORMAT, ".safetensors")
    found = _read(path, dataset)
    if found is None:
        with waiting_for(cache_lock(path), partial(progress, 0, len(dataset), "features: waiting")):
            found = _read(path, dataset)
            if found is None:
                found = _compute(run, dataset, progress)
                _keep(path, found)
    return found


@torch.inference_mode()
def _compute(run: Run, dataset: Dataset, progress: ProgressFn) -> PooledVectors:
    pictures, labels, pairs, images, categories = [], [], [], [], []

    def work(sample: Sample, found: PictureFeatures) -> tuple[Tensor, Tensor]:
        (features,) = found.scales
        here = batch_pairs(torch.from_numpy(sample.labels.copy())[None], with_row=False).to(features.device)
        masks = cam(features, run.network.fc1)[here.image, here.category]
        pooled = pooled_single_label(features, masks, here.image, here.most)
        return features.mean(dim=(2, 3))[0].cpu(), pooled.cpu()

    found = each_picture(run.network, dataset, work, (1.0,), mirror=False)
    for index, (sample, (mean, pooled)) in enumerate(found):
        present = torch.from_numpy(sample.labels.copy())
        image, category = present_pairs(present[None])
        pictures.append(mean)
        labels.append(present)
        pairs.append(pooled)
        images.append(image + index)
        categories.append(category)
        progress(index + 1, len(dataset), "computing features")
    return PooledVectors(
        torch.stack(pictures), torch.stack(labels), torch.cat(pairs), torch.cat(images), torch.cat(categories)
    )


def _keep(path: Path, found: PooledVectors) -> None:
    write_tensors(path, vars(found), {"format": json.dumps(_FORMAT)})
    drop_oldest(path.parent.glob("pooled-*.safetensors"), keep=path)


def _read(path: Path, dataset: Dataset) -> PooledVectors | None:
    """What is in a file; None where there is none that can be read."""
    try:
        with opened_tensors(path) as file:
            found = PooledVectors(
                **{name: file.get_tensor(name) for name in ("pictures", "labels", "pairs", "image", "category")}
            )
    except (UserError, KeyError, TypeError):
        return None  # damaged: computed again and overwritten
    fits = (
        found.labels.shape == (len(dataset), len(dataset.classes))
        and len(found.pictures) == len(dataset)
        and len(found.pairs) == len(found.image) == len(found.category) == int(found.labels.sum())
    )
    return found if fits else None


@dataclass(frozen=True)
class LabelledVectors:
    """Vectors of one class each.

    Attributes:
        x: N x C float32.
        y: N int64, the class.
        picture: N int64, the picture that each is of.
    """

    x: Tensor
    y: Tensor
    picture: Tensor

    def of(self, classes: Sequence[int]) -> "LabelledVectors":
        """Those of some classes, which are numbered anew in this order."""
        place = torch.full((int(max(int(self.y.max()) if len(self.y) else 0, *classes)) + 1,), -1)
        place[torch.tensor(list(classes))] = torch.arange(len(classes))
        new = place[self.y]
        return LabelledVectors(self.x[new >= 0], new[new >= 0], self.picture[new >= 0])

    def rows(self, rows: Tensor) -> "LabelledVectors":
        """Some of them."""
        return replace(self, x=self.x[rows], y=self.y[rows], picture=self.picture[rows])


def single_label_pictures(found: PooledVectors) -> LabelledVectors:
    """The pictures that show one class."""
    picture = torch.nonzero(found.labels.sum(dim=1) == 1).flatten()
    return LabelledVectors(found.pictures[picture], found.labels[picture].int().argmax(dim=1), picture)


def single_label_features(found: PooledVectors) -> LabelledVectors:
    """The features masked to each present class of each picture."""
    return LabelledVectors(found.pairs, found.category, found.image)


def counted(vectors: LabelledVectors, classes: int) -> np.ndarray:
    """K: how many vectors each class has."""
    return torch.bincount(vectors.y, minlength=classes).numpy()
