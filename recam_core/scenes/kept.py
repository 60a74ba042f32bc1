"""Drawn scenes on disk, a file for each picture: drawing takes some thirty times as long as reading.

Of what decides a picture, the code that draws it is part: another version never reads what this one kept.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL

from recam_core.atomic_write import replacing_file, sweep
from recam_core.cache import cache_folder, drop_oldest
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.scenes.options import SceneOptions

#: Room that the pictures of a split may take (the first ones are kept), and all sets together.
MOST_OF_SPLIT, MOST_BYTES = 256 << 20, 1 << 30
#: Pictures a folder, and after how many new ones room is made.
_A_FOLDER = 256


@dataclass(frozen=True)
class KeptScene:
    """A picture as it was drawn.

    Attributes:
        attempt: the number of its composition, see :class:`recam_core.scenes.dataset.ScenesDataset`.
        labels: K bool.
        image: size x size x 3, uint8.
        mask: size x size, uint8.
    """

    attempt: int
    labels: np.ndarray
    image: np.ndarray
    mask: np.ndarray


class KeptScenes:
    """The pictures of a split that were drawn before, in this or another process."""

    def __init__(self, options: SceneOptions, split: str, classes: int):
        """Nothing is read yet.

        Args:
            options: of the set; how many pictures it has decides none of them.
            split: ``train`` or ``val``.
            classes: K.
        """
        alike = replace(options, train=1, val=1)
        named = hashlib.sha256(repr((alike, split, _DRAWN_BY)).encode()).hexdigest()
        self._size, self._classes, self._new, self._read = options.size, classes, 0, 0
        self._count = MOST_OF_SPLIT // (options.size**2 * 4)
        try:
            self._folder = cache_folder() / f"scenes-{named[:32]}"
        except RuntimeError:  # the folder of a user that there is not
            self._folder, self._count = Path(), 0

    def get(self, index: int) -> KeptScene | None:
        """A picture; None where it is not kept, or not whole."""
        if index >= self._count:
            return None
        size = self._size
        try:
            with np.load(self._file(index), allow_pickle=False) as kept:
                scene = KeptScene(int(kept["attempt"]), kept["labels"], kept["image"], kept["mask"])
        except DAMAGED_ARRAYS:
            return None
        if self._read % _A_FOLDER == 0:
            with suppress(OSError):  # so that what is in use is not what goes first
                os.utime(self._folder)
        self._read += 1
        shapes = scene.labels.shape, scene.image.shape, scene.mask.shape
        types = [array.dtype.name for array in (scene.labels, scene.image, scene.mask)]
        if shapes != ((self._classes,), (size, size, 3), (size, size)) or types != ["bool", "uint8", "uint8"]:
            return None
        return scene

    def put(self, index: int, scene: KeptScene) -> None:
        """Keep a picture, where there is room for it and one may write; nothing is lost otherwise but time."""
        if index >= self._count:
            return
        try:
            with replacing_file(self._file(index)) as temporary, temporary.open("wb") as stream:
                # Grain does not get smaller by packing.
                np.savez(stream, attempt=scene.attempt, labels=scene.labels, image=scene.image, mask=scene.mask)
        except UserError:
            return
        if self._new % _A_FOLDER == 0:
            sweep(self._file(index).parent, own=True)
            drop_oldest(self._folder.parent.glob("scenes-*"), keep=self._folder, most=MOST_BYTES)
        self._new += 1

    def _file(self, index: int) -> Path:
        return self._folder / str(index // _A_FOLDER) / f"{index}.npz"


def _drawn_by() -> str:
    """Stands for the code that draws, and for the libraries that it draws with."""
    digest = hashlib.sha256(f"{np.__version__} {PIL.__version__}".encode())
    here = Path(__file__).parent
    for file in sorted(here.rglob("*.py")):
        digest.update(f"{file.relative_to(here)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


#: Of the code as it was loaded: of a process that lives long the files may change.
_DRAWN_BY = _drawn_by()
