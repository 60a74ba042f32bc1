"""What a finish of masks costs a picture: PAMR and the dense CRF by size and number of classes, as ratios.

    PYTHONPATH=. python benchmarks/finishes.py [--large]

``--large`` takes 1024 x 1024 pixels as well, the most that a finish works on (larger pictures are made smaller).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from recam_core.errors import UserError
from recam_core.refine.dense_crf import DEEPLAB_CRF, IRN_CRF, crf_chances, require_dense_crf
from recam_core.refine.pamr import forget_weights, pamr

#: Height, width and classes; the last of the small ones is a picture of VOC.
SIZES = ((96, 128, 2), (188, 250, 2), (375, 500, 1), (375, 500, 2), (375, 500, 20))
LARGE = (1024, 1024, 2)
Finish = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    """Print the seconds of each finish at each size, and their ratios to PAMR at that size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="1024 x 1024 pixels, too")
    finishes: dict[str, Finish] = {"PAMR": pamr}
    sizes = SIZES + ((LARGE,) if parser.parse_args().large else ())
    try:
        require_dense_crf()
        # A label more than classes: the background's.
        finishes["CRF"] = lambda image, planes: crf_chances(image, _with_background(planes), IRN_CRF)
        finishes["CRF (DeepLab)"] = lambda image, planes: crf_chances(image, _with_background(planes), DEEPLAB_CRF)
    except UserError as error:
        print(f"PAMR alone. {error}")
    for height, width, classes in sizes:
        image, planes = picture(height, width, classes)
        seconds = {name: best_of(finish, image, planes) for name, finish in finishes.items()}
        parts = [f"{name} {each:.3f} s ({each / seconds['PAMR']:.2f}x)" for name, each in seconds.items()]
        print(f"{height} x {width}, {classes} classes: {', '.join(parts)}")


def picture(height: int, width: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches of colour with some noise, as photographs have them (noise alone would fill the lattice of a CRF), and
    maps."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (height // 24 + 1, width // 24 + 1, 3))
    image = patches.repeat(24, axis=0).repeat(24, axis=1)[:height, :width] + rng.integers(-3, 4, (height, width, 3))
    planes = rng.random((classes, height // 4 + 1, width // 4 + 1), dtype=np.float32)
    planes = planes.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return image.clip(0, 255).astype(np.uint8), np.ascontiguousarray(planes)


def best_of(finish: Finish, image: np.ndarray, planes: np.ndarray, times: int = 3) -> float:
    """The least seconds of some tries."""
    seconds = []
    for _ in range(times):
        forget_weights()
        begin = time.perf_counter()
        finish(image, planes)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _with_background(planes: np.ndarray) -> np.ndarray:
    return np.concatenate([1 - planes.max(axis=0, keepdims=True), planes])


if __name__ == "__main__":
    main()
