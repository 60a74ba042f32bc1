"""Patterns that tell areas apart without colour: each says of every pixel whether ink goes there."""

from collections.abc import Callable

import numpy as np

#: Distance between two lines or dots, in screen pixels.
PITCH = 12
#: Width of a line, in screen pixels.
LINE = 3


def _coordinates(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]


def solid(shape: tuple[int, int]) -> np.ndarray:
    """No pattern: the even tint that the area has anyway."""
    return np.zeros(shape, dtype=bool)


def rising(shape: tuple[int, int]) -> np.ndarray:
    """Lines from the lower left to the upper right."""
    row, column = _coordinates(shape)
    return (row + column) % PITCH < LINE


def falling(shape: tuple[int, int]) -> np.ndarray:
    """Lines from the upper left to the lower right."""
    row, column = _coordinates(shape)
    return (row - column) % PITCH < LINE


def crossed(shape: tuple[int, int]) -> np.ndarray:
    """Both kinds of slanted lines."""
    return rising(shape) | falling(shape)


def dotted(shape: tuple[int, int]) -> np.ndarray:
    """Round dots in rows, every other row moved by half a step."""
    row, column = _coordinates(shape)
    line, within = np.divmod(row, PITCH)
    across = (column + (line % 2) * (PITCH // 2)) % PITCH
    centre = (PITCH - 1) / 2
    return (within - centre) ** 2 + (across - centre) ** 2 <= (PITCH / 4) ** 2


def level_lines(shape: tuple[int, int]) -> np.ndarray:
    """Horizontal lines."""
    row, column = _coordinates(shape)
    return np.broadcast_to((row % PITCH < LINE) & (column >= 0), shape)


PATTERNS: dict[str, Callable[[tuple[int, int]], np.ndarray]] = {
    "solid": solid,
    "rising": rising,
    "falling": falling,
    "crossed": crossed,
    "dotted": dotted,
    "level": level_lines,
}
