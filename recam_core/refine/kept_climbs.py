"""AdvCAM's maps on disk, a file for each class of each picture: what was climbed once is not climbed again.

A climb takes seconds to minutes of one class, so each is kept as soon as it is there: a call that was killed goes on
with what is missing, and another finish, another walk or another part of the data takes what is there. Pictures are
told by their pixels, whatever data set they come from.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.cache import cache_folder, drop_oldest
from recam_core.file_reader import DAMAGED_ARRAYS

#: Bump when what is kept changes, so that old files are not read.
FORMAT = 1


class KeptClimbs:
    """The climbs along the class weights of one run and rule, in one way."""

    def __init__(self, weights_sha256: str, rule: str, how: Sequence[object], private: bool = False):
        """Nothing is read yet.

        Args:
            weights_sha256: of the run.
            rule: the extraction rule that makes the class weights.
            how: scales, mirror images and settings of the climb; their text stands for them.
            private: whether the pictures are a guest's own, see :func:`recam_core.cache.cache_folder`.
        """
        named = hashlib.sha256(repr((FORMAT, weights_sha256, rule, *how)).encode()).hexdigest()
        self._folder = cache_folder(private) / f"climbed-{named[:32]}"

    def get(self, picture: str, k: int, grid: tuple[int, int]) -> np.ndarray | None:
        """The map of class k of a picture (see :func:`picture_name`), h x w uint8; None where none is kept, whole."""
        try:
            with np.load(self._file(picture, k), allow_pickle=False) as kept:
                levels = np.asarray(kept["levels"])
        except DAMAGED_ARRAYS:
            return None
        return levels if levels.dtype == np.uint8 and levels.shape == grid else None

    def put(self, picture: str, k: int, levels: np.ndarray) -> None:
        """Keep a map (h x w uint8). Raises UserError where the disk is full."""
        with replacing_file(self._file(picture, k)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, levels=levels)

    def make_room(self) -> None:
        """Let go of the climbs that were asked for longest ago where all take too much room; after some were kept."""
        if self._folder.is_dir():
            os.utime(self._folder)
            drop_oldest(self._folder.parent.glob("climbed-*"), keep=self._folder)

    def _file(self, picture: str, k: int) -> Path:
        return self._folder / picture[:2] / f"{picture}-{k}.npz"


def picture_name(image: np.ndarray) -> str:
    """What stands for a picture (H x W x 3, uint8)."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
    digest.update(repr(image.shape).encode())
    return digest.hexdigest()
