"""Colour maps as look-up tables: 8-bit values to colours."""

from functools import lru_cache

import numpy as np

#: What is offered, the perceptually even one first. The value is the name that matplotlib knows it by.
COLOUR_MAPS: dict[str, str] = {"viridis": "viridis", "turbo": "turbo", "grey": "gray"}


@lru_cache(maxsize=len(COLOUR_MAPS))
def colour_table(name: str) -> np.ndarray:
    """256 x 3 uint8 (read-only): the colour of each 8-bit value.

    Raises:
        KeyError: ``name`` is not in :data:`COLOUR_MAPS`.
    """
    from matplotlib import colormaps

    table = np.rint(colormaps[COLOUR_MAPS[name]](np.arange(256))[:, :3] * 255).astype(np.uint8)
    table.flags.writeable = False
    return table


def colourise(values: np.ndarray, name: str = "viridis") -> np.ndarray:
    """H x W uint8 values -> H x W x 3 uint8 colours."""
    return colour_table(name)[values]
