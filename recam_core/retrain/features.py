"""The cache of features: f(x) of every picture of a data set, once per (weights, data).

The backbone stays as it is when only FC1 and FC2 are retrained, so its features are computed once, kept in half
precision on disk, and every later run starts from them at once.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from recam_core.atomic_write import replacing_file
from recam_core.cache import cache_folder, drop_oldest
from recam_core.checkpoint.run_folder import Run
from recam_core.data.check import listing_faults, refuse_faults
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.lock import waiting_for
from recam_core.method.single_label import present_pairs
from recam_core.method.truth_grid import truth_shares
from recam_core.progress import ProgressFn, silent

#: Bump when what a cache holds changes, so that old ones are not read.
FORMAT = 1


@dataclass(frozen=True)
class FeatureBlock:
    """Pictures whose feature maps have one shape.

    Attributes:
        index: n int64, their places in the data set.
        features: n x C x h x w, half precision.
        labels: n x K bool.
        truth: P x h x w, half precision: the share of each cell that is the class of each pair (see
            :func:`recam_core.method.single_label.present_pairs`), or None where a picture has no mask.
    """

    index: Tensor
    features: Tensor
    labels: Tensor
    truth: Tensor | None

    def to(self, device: torch.device) -> "FeatureBlock":
        """The block in the memory of a device."""
        truth = None if self.truth is None else self.truth.to(device)
        return FeatureBlock(self.index, self.features.to(device), self.labels.to(device), truth)


@dataclass(frozen=True)
class FeatureCache:
    """The features of a data set, grouped by shape.

    Attributes:
        blocks: one a shape of feature map.
        spec: the data set.
        weights_sha256: the weights that made them.
    """

    blocks: tuple[FeatureBlock, ...]
    spec: str
    weights_sha256: str

    def __len__(self) -> int:
        return sum(len(block.index) for block in self.blocks)

    def on(self, device: torch.device) -> "FeatureCache":
        """The cache on a CUDA device with room for it, so that no epoch copies it again; else the cache as it is."""
        if device.type != "cuda" or self.blocks[0].features.device == device:
            return self
        needed = sum(block.features.nbytes for block in self.blocks)
        # Half of what is free is left to the training itself.
        if needed > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return replace(self, blocks=tuple(block.to(device) for block in self.blocks))

    @property
    def pairs(self) -> int:
        """P: how many pairs there are of an image and a class that is present in it."""
        return sum(int(block.labels.sum()) for block in self.blocks)

    @property
    def labelled(self) -> int:
        """How many images have a present class."""
        return sum(int(block.labels.any(dim=1).sum()) for block in self.blocks)

    @property
    def has_truth(self) -> bool:
        """Whether the masking choice ``oracle`` is possible."""
        return all(block.truth is not None for block in self.blocks)


def cache_path(run: Run, dataset: Dataset, kind: str = "features", format: int = FORMAT) -> Path:
    """The file of the cache for this run and data set; it depends on the weights and on the pictures.

    Of pictures that are files, the size and time of each enter, too: the digest reads only some of them.

    Args:
        run, dataset: whose features.
        kind: the first word of the file's name.
        format: of the file, so that another one is not read as this.
    """
    key = hashlib.sha256(f"{format}\0{run.info.weights_sha256}\0{dataset_digest(dataset)}".encode())
    stamp = getattr(dataset, "picture_stamp", None)
    if stamp is not None:
        key.update("".join(stamp(index) for index in range(len(dataset))).encode())
    return cache_folder() / f"{kind}-{key.hexdigest()[:32]}.safetensors"


def cache_lock(path: Path) -> Path:
    """The lock of a cache. Caches share 256 of them: a lock's file stays behind, since somebody may wait for it."""
    kind, _, key = path.stem.partition("-")
    return path.with_name(f"{kind}-{key[:2]}.lock")


def check_pictures(run: Run, dataset: Dataset) -> None:
    """See to it that features of a data set can be computed under a run.

    Raises:
        UserError: classes that are not the run's, a broken listing, or no pictures.
    """
    if tuple(dataset.classes.names) != tuple(run.info.classes):
        raise UserError(f"The classes of {dataset.spec} are not those of the run {run.info.name}.")
    refuse_faults(listing_faults(dataset), dataset.spec)
    if len(dataset) == 0:
        raise UserError(f"{dataset.spec} has no pictures.")


def build_feature_cache(run: Run, dataset: Dataset, progress: ProgressFn = silent) -> FeatureCache:
    """The features of a data set under a run's backbone: read from the cache, or computed and cached.

    Of several processes or threads that want the same features one computes them, and the others wait for it.

    Args:
        run: its network's device does the work.
        dataset: pictures with labels.
        progress: called after each picture; may raise Cancelled, which leaves no cache.

    Raises:
        UserError: classes that are not the run's, a broken picture, no room on the disk.
    """
    check_pictures(run, dataset)
    path = cache_path(run, dataset)
    cached = _read(path, run, dataset)
    if cached is None:
        with waiting_for(cache_lock(path), partial(progress, 0, len(dataset), "features: waiting for another run")):
            cached = _read(path, run, dataset)  # whoever held the lock has made them, unless it was stopped
            if cached is None:
                return _build(path, run, dataset, progress)
    progress(len(dataset), len(dataset), "features from the cache")
    return cached


def _build(path: Path, run: Run, dataset: Dataset, progress: ProgressFn) -> FeatureCache:
    """Compute the features of a data set, and keep them."""
    blocks = tuple(_compute(run, dataset, progress))
    tensors = {}
    for number, block in enumerate(blocks):
        for name in ("index", "features", "labels", "truth"):
            if getattr(block, name) is not None:
                tensors[f"{number}.{name}"] = getattr(block, name).contiguous()
    with replacing_file(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"blocks": json.dumps(len(blocks))})
        except SafetensorError as error:
            raise UserError(f"Cannot keep the features in {path}: the disk may be full ({error}).") from error
    drop_oldest(path.parent.glob("features-*.safetensors"), keep=path)
    return FeatureCache(blocks, dataset.spec, run.info.weights_sha256)


def _read(path: Path, run: Run, dataset: Dataset) -> FeatureCache | None:
    """The cache in a file, or None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            blocks = []
            for number in range(json.loads(file.metadata()["blocks"])):
                index, features, labels = (file.get_tensor(f"{number}.{n}") for n in ("index", "features", "labels"))
                truth = file.get_tensor(f"{number}.truth") if f"{number}.truth" in names else None
                blocks.append(FeatureBlock(index, features, labels, truth))
            cache = FeatureCache(tuple(blocks), dataset.spec, run.info.weights_sha256)
            _check(cache, len(dataset))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError):
        # A damaged cache is worth nothing and costs nothing: it is computed again and overwritten.
        return None
    with suppress(OSError):  # one that may only be read is as good
        os.utime(path)
    return cache


def _check(cache: FeatureCache, pictures: int) -> None:
    """Raise ValueError for tensors that do not fit together, of a file that is whole and yet not what was written."""
    places = torch.cat([block.index for block in cache.blocks]).sort().values
    if not torch.equal(places, torch.arange(pictures)):
        raise ValueError("it is of other pictures")
    for block in cache.blocks:
        pairs = int(block.labels.sum())
        truth = (pairs, *block.features.shape[2:])
        if len(block.labels) != len(block.index) or len(block.features) != len(block.index):
            raise ValueError("a picture is missing")
        if block.truth is not None and block.truth.shape != truth:
            raise ValueError("a mask is missing")


@torch.inference_mode()
def _compute(run: Run, dataset: Dataset, progress: ProgressFn) -> Iterator[FeatureBlock]:
    """Run the backbone over the data set and group what comes out by shape."""
    groups: dict[tuple[int, int], list[tuple[int, Tensor, Tensor, Tensor | None]]] = {}
    for index in range(len(dataset)):
        sample = dataset.load(index)
        features = run.network.features(run.network.preprocess(sample.image)).float()
        labels = torch.from_numpy(sample.labels.copy())
        size = tuple(features.shape[-2:])
        truth = None
        if sample.mask is not None:
            image, category = present_pairs(labels[None])
            truth = truth_shares(torch.from_numpy(sample.mask.copy())[None], image, category, size).half()
        groups.setdefault(size, []).append((index, features[0].half().cpu().contiguous(), labels, truth))
        progress(index + 1, len(dataset), "computing features")
    # Freed group by group: at no time are two copies of everything held.
    for size in list(groups):
        indices, features, labels, truths = zip(*groups.pop(size), strict=True)
        whole = None if any(truth is None for truth in truths) else torch.cat(truths)
        yield FeatureBlock(torch.tensor(indices), torch.stack(features), torch.stack(labels), whole)
