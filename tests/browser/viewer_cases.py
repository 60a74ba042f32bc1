"""Pictures for tests of the viewer: the page shows them, and a test computes the same in Python."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from recam_core.data.sample import ClassList
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import ActivationMaps, grid_size
from recam_core.views.viewer_payload import ViewerPayload, pane_of_maps, viewer_payload

REPO_ROOT = Path(__file__).resolve().parent.parent.parent
PHOTOS = REPO_ROOT.parent / "shared" / "data" / "msrc_v2"
METHODS = (("bce", "BCE-CAM", 0.21), ("sce", "SCE-CAM", 0.3), ("recam", "ReCAM", 0.34))


@dataclass(frozen=True)
class Case:
    """One picture with its maps by each of METHODS."""

    title: str
    image: np.ndarray
    mask: np.ndarray | None
    classes: ClassList
    maps: tuple[ActivationMaps, ...]
    thresholds: tuple[float | None, ...]

    def payload(self) -> ViewerPayload:
        """For the viewer, with the photo as it is."""
        panes = [
            pane_of_maps(maps, key=key, title=title, threshold=threshold, about="weights of FC1")
            for (key, title, _), maps, threshold in zip(METHODS, self.maps, self.thresholds, strict=True)
        ]
        return viewer_payload(self.title, self.image, self.classes, panes, self.mask, exact_photo=True)


def smooth(seed: int, count: int, height: int, width: int, step: int = 8) -> np.ndarray:
    """count x height x width, uint8: soft hills that reach 255."""
    rng = np.random.default_rng(seed)
    planes = np.zeros((count, height, width), dtype=np.uint8)
    for plane in planes:
        coarse = Image.fromarray(rng.random((height // step + 2, width // step + 2)).astype(np.float32))
        fine = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
        plane[:] = np.rint(255 * (fine - fine.min()) / np.ptp(fine))
    return planes


def maps_of(seed: int, size: tuple[int, int], classes: np.ndarray) -> tuple[ActivationMaps, ...]:
    """Made-up maps by each method that are alike, but not the same."""
    height, width = grid_size(size)
    ground = smooth(seed, len(classes), height, width).astype(np.float32)
    made = []
    for place in range(len(METHODS)):
        own = smooth(seed + 100 + place, len(classes), height, width)
        planes = np.rint(0.75 * ground + 0.25 * own).astype(np.uint8)
        made.append(ActivationMaps("picture", size, classes, planes))
    return tuple(made)


def _scene(position: int) -> Case:
    """A shipped scene of confusable classes; the maps are made up, which keeps the page quick and every code busy."""
    dataset = open_dataset("scenes@val")
    crowded = [index for index in range(60) if dataset.labels(index).sum() >= 3]
    sample = dataset.load(crowded[position])
    maps = maps_of(1 + position, sample.image.shape[:2], np.flatnonzero(sample.labels))
    return Case(
        f"scene {sample.id}", sample.image, sample.mask, dataset.classes, maps, tuple(own for _, _, own in METHODS)
    )


def _photo() -> Case:
    """A photograph with its mask, of classes without a background."""
    dataset = open_dataset(f"voc:{PHOTOS}@val")
    index = next(index for index in range(len(dataset)) if dataset.labels(index).sum() >= 3)
    sample = dataset.load(index)
    maps = maps_of(7, sample.image.shape[:2], np.flatnonzero(sample.labels))
    return Case(f"photo {sample.id}", sample.image, sample.mask, dataset.classes, maps, (None, None, None))


def _large() -> Case:
    """512 x 512 pixels, four of twenty classes and some void: what the benchmark draws."""
    image = np.moveaxis(smooth(3, 3, 512, 512, step=24), 0, -1).copy()
    regions = smooth(4, 1, 512, 512, step=64)[0]
    mask = np.choose(np.digitize(regions, (70, 120, 160, 200)), (0, 3, 8, 12, 16)).astype(np.uint8)
    mask[:6] = 255
    classes = ClassList(tuple(f"class {k}" for k in range(20)))
    maps = maps_of(11, (512, 512), np.array([2, 7, 11, 15]))
    return Case("large", image, mask, classes, maps, tuple(own for _, _, own in METHODS))


def _hostile() -> Case:
    """Names that would be markup if they were taken for it, no ground truth, and classes beyond the number keys."""
    names = (
        "<img src=x onerror=alert(1)>",
        "</script><b>bold",
        *(f"class {k} of a very long name indeed" for k in range(10)),
    )
    image = np.moveaxis(smooth(5, 3, 60, 93), 0, -1).copy()
    maps = maps_of(13, (60, 93), np.arange(len(names)))
    return Case('<script>alert("title")</script>', image, None, ClassList(names), maps, (0.3, 0.3, None))


@lru_cache(maxsize=8)
def case(name: str) -> Case:
    """``scene0``, ``scene1`` ..., ``photo``, ``large`` or ``hostile``."""
    if name.startswith("scene"):
        return _scene(int(name.removeprefix("scene")))
    return {"photo": _photo, "large": _large, "hostile": _hostile}[name]()
