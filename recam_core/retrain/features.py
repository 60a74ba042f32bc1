"""The cache of features: f(x) of every picture of a data set, once per (weights, data).

The backbone stays as it is when only FC1 and FC2 are retrained, so its features are computed once, kept in half
precision on disk, and every later run starts from them at once. They are written as they come and read by memory map:
VOC's training pictures under a ResNet-50 are 33 GB, more than many machines have memory.
"""

import hashlib
import json
import math
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recam_core.atomic_write import replacing_folder
from recam_core.cache import cache_folder, drop_oldest
from recam_core.checkpoint.run_folder import Run
from recam_core.checkpoint.tensor_file import opened_tensors, write_tensors
from recam_core.data.check import listing_faults, refuse_faults
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import Dataset, Sample
from recam_core.device import free_bytes
from recam_core.errors import UserError
from recam_core.guest import is_own
from recam_core.lock import waiting_for
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures
from recam_core.method.masks import truth_shares
from recam_core.method.single_label import present_pairs
from recam_core.progress import FEATURES, KEPT_FEATURES, WAITED_FOR, Note, ProgressFn, silent

#: Bump when what a cache holds changes, so that old ones are not read.
FORMAT = 2
#: In the folder of a cache: which pictures are where. The features lie beside it, a file a shape.
PICTURES_FILE = "pictures.safetensors"
#: After how many pictures it is seen whether the disk has room for all, and every how many again; what must stay free.
FIRST_LOOK, LOOK_EVERY, SPARE_BYTES = 16, 256, 64 << 20
#: What work on cached features takes on a GPU besides them, where nothing nearer is known.
WORK_BYTES = 2 << 30
_COMPUTING = Note("computing features", FEATURES)
_WAITING = Note("features: waiting for another run", WAITED_FOR)


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
        """The block in the memory of a device; the labels stay, since pairs are counted on the CPU."""
        truth = None if self.truth is None else self.truth.to(device)
        return FeatureBlock(self.index, self.features.to(device), self.labels, truth)


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

    def on(self, device: torch.device, spare: int = WORK_BYTES) -> "FeatureCache":
        """The cache on a CUDA device with room for it, so that no epoch copies it again; else the cache as it is.

        Args:
            device: where the work is done, behind its gate.
            spare: bytes that must be left for the work itself.
        """
        if device.type != "cuda" or self.blocks[0].features.device == device:
            return self
        needed = sum(
            block.features.nbytes + (0 if block.truth is None else block.truth.nbytes) for block in self.blocks
        )
        if needed > free_bytes(device) - spare:
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


def cache_path(run: Run, dataset: Dataset, kind: str = "features", format: int = FORMAT, suffix: str = "") -> Path:
    """The folder (or file) of the cache for this run and data set; it depends on the weights and on the pictures.

    Of pictures that are files, the size and time of each enter, too: the digest reads only some of them.

    Args:
        run, dataset: whose features.
        kind: the first word of its name.
        format: of what is in it, so that another one is not read as this.
        suffix: of a file's name.
    """
    key = hashlib.sha256(f"{format}\0{run.info.weights_sha256}\0{dataset_digest(dataset)}".encode())
    stamp = getattr(dataset, "picture_stamp", None)
    if stamp is not None:
        key.update("".join(stamp(index) for index in range(len(dataset))).encode())
    return cache_folder(is_own(dataset.spec)) / f"{kind}-{key.hexdigest()[:32]}{suffix}"


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
        few = ", ".join(run.info.classes[:6]) + (", ..." if len(run.info.classes) > 6 else "")
        raise UserError(
            f"The classes of {dataset.spec} are not those of the run {run.info.name}; give pictures whose classes are "
            f"these, in this order: {few}."
        )
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
        with waiting_for(cache_lock(path), partial(progress, 0, len(dataset), _WAITING)):
            cached = _read(path, run, dataset)  # whoever held the lock has made them, unless it was stopped
            if cached is None:
                return _build(path, run, dataset, progress)
    progress(len(dataset), len(dataset), Note("features from the cache", KEPT_FEATURES))
    return cached


def _build(path: Path, run: Run, dataset: Dataset, progress: ProgressFn) -> FeatureCache:
    """Compute the features of a data set, keep them as they come, and read them."""

    def work(sample: Sample, features: PictureFeatures) -> tuple[Tensor, Tensor | None]:
        (whole,) = features.scales
        truth = None
        if sample.mask is not None:
            image, category = present_pairs(torch.from_numpy(sample.labels.copy())[None])
            masks = torch.from_numpy(sample.mask.copy())[None]
            truth = truth_shares(masks, image, category, (whole.shape[-2], whole.shape[-1])).half()
        return whole[0].half().cpu().contiguous(), truth

    with replacing_folder(path) as temporary:
        shards = _Shards(temporary, dataset)
        for done, (sample, found) in enumerate(each_picture(run.network, dataset, work, (1.0,), mirror=False), 1):
            shards.add(sample.labels, *found)
            progress(done, len(dataset), _COMPUTING)
        shards.close()
    drop_oldest(_kept(path.parent), keep=path)
    made = _read(path, run, dataset)
    if made is None:
        raise UserError(f"The features that were just written to {path} cannot be read again; is the disk sound?")
    return made


def _kept(folder: Path) -> list[Path]:
    return [entry for entry in folder.glob("features-*") if entry.suffix != ".lock"]


class _Shards:
    """Features on their way to the disk: a file for each shape of feature map, which grows picture by picture."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self._folder, self._spec, self._pictures = folder, dataset.spec, len(dataset)
        self._blocks: dict[tuple[int, ...], dict[str, Any]] = {}
        self._done = self._bytes = 0

    def add(self, labels: np.ndarray, features: Tensor, truth: Tensor | None) -> None:
        """Take the next picture.

        Args:
            labels: K bool.
            features: C x h x w, half precision.
            truth: P x h x w, half precision, or None.

        Raises:
            UserError: the disk has no room for all that is to come, or is full.
        """
        shape = tuple(features.shape)
        fresh = {"shape": shape, "index": [], "labels": [], "truth": True, "number": len(self._blocks)}
        block = self._blocks.setdefault(shape, fresh)
        block["index"].append(self._done)
        block["labels"].append(labels.copy())
        block["truth"] = block["truth"] and truth is not None
        for name, values in (("features", features), ("truth", truth if block["truth"] else None)):
            if values is not None:
                with open(self._folder / _shard(block["number"], name), "ab") as file:
                    self._bytes += file.write(values.contiguous().numpy().tobytes())
        self._done += 1
        if self._done == min(FIRST_LOOK, (self._pictures + 1) // 2) or self._done % LOOK_EVERY == 0:
            self._check_room()

    def _check_room(self) -> None:
        whole = self._bytes / self._done * self._pictures
        free = shutil.disk_usage(self._folder).free
        if whole - self._bytes > free - SPARE_BYTES:
            raise UserError(
                f"The features of the {self._pictures:,} pictures of {self._spec} take about {whole / 1e9:.1f} GB, and "
                f"{self._folder.parent} has {(free + self._bytes) / 1e9:.1f} GB free: make room there, name a folder "
                "on a larger disk by RECAM_CACHE, or take fewer pictures."
            )

    def close(self) -> None:
        """Write what the files of features do not say. Raises UserError where the disk is full."""
        tensors, shapes = {}, []
        for number, block in enumerate(self._blocks.values()):
            tensors[f"{number}.index"] = torch.tensor(block["index"])
            tensors[f"{number}.labels"] = torch.from_numpy(np.stack(block["labels"]).astype(bool))
            shapes.append([*block["shape"], block["truth"]])
        write_tensors(self._folder / PICTURES_FILE, tensors, {"blocks": json.dumps(shapes)})


def _shard(number: int, name: str) -> str:
    return f"{number}.{name}.f16"


def _read(path: Path, run: Run, dataset: Dataset) -> FeatureCache | None:
    """The cache in a folder, its features on the disk until they are used; None where none can be read."""
    try:
        with opened_tensors(path / PICTURES_FILE) as file:
            blocks = []
            for number, (*shape, with_truth) in enumerate(json.loads(file.metadata()["blocks"])):
                index, labels = (file.get_tensor(f"{number}.{name}") for name in ("index", "labels"))
                features = _mapped(path / _shard(number, "features"), (len(index), *shape))
                truth = None
                if with_truth:
                    truth = _mapped(path / _shard(number, "truth"), (int(labels.sum()), *shape[1:]))
                blocks.append(FeatureBlock(index, features, labels, truth))
            cache = FeatureCache(tuple(blocks), dataset.spec, run.info.weights_sha256)
            _check(cache, len(dataset))
    except (UserError, KeyError, TypeError, RuntimeError):
        # A damaged cache is worth nothing and costs nothing: it is computed again and overwritten.
        return None
    with suppress(OSError):  # one that may only be read is as good
        os.utime(path)
    return cache


def _mapped(file: Path, shape: tuple[int, ...]) -> Tensor:
    """Half-precision numbers that stay on the disk; ValueError for a file of another size."""
    size = math.prod(shape)
    if file.stat().st_size != 2 * size:
        raise ValueError(f"{file.name} is not whole")
    return torch.from_file(str(file), size=size, dtype=torch.float16).view(shape) if size else torch.zeros(shape).half()


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
