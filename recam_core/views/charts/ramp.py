"""Colours between colours, and several scales of them end to end, as one colour scale of Plotly."""

from collections.abc import Iterable, Sequence

import numpy as np

#: Weights of red, green and blue in what the eye takes for lightness (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])
#: Of each scale: so much is left at its end, that no rounding carries a tone into the next one.
_SAFE = 1e-3


def ramp(stops: Sequence[str], strength: np.ndarray) -> np.ndarray:
    """CSS colours, of the shape of ``strength`` (0..1), between evenly spaced colours written as ``#rrggbb``."""
    table = np.array([_channels(stop) for stop in stops], dtype=np.float64)
    places = np.linspace(0, 1, len(stops))
    values = np.nan_to_num(strength).ravel()
    mixed = np.stack([np.interp(values, places, table[:, channel]) for channel in range(3)], axis=1)
    text = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(mixed).astype(int).tolist()]
    return np.array(text, dtype=object).reshape(np.shape(strength))


def readable(colours: Iterable[str]) -> list[str]:
    """For each ground colour the ink that is read on it."""
    return ["#10181b" if np.dot(_LUMA, _channels(colour)) > 128 else "#ffffff" for colour in colours]


def tones(scale: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Where on :func:`end_to_end` a colour lies.

    Args:
        scale: int, which of the scales.
        strength: 0..1 along it, of the same shape; nan is 0.

    Returns:
        float64 of that shape, 0 up to the number of scales.
    """
    return scale + np.clip(np.nan_to_num(strength), 0, 1) * (1 - _SAFE)


def end_to_end(scales: Sequence[Sequence[str]]) -> list[tuple[float, str]]:
    """One colour scale of Plotly that holds several: scale k takes the tones from k to k + 1."""
    found = []
    for number, stops in enumerate(scales):
        ends = np.linspace(0, 1 - _SAFE, len(stops)) if len(stops) > 1 else np.zeros(1)
        found += [(float((number + end) / len(scales)), stop) for end, stop in zip(ends, stops, strict=True)]
        found.append(((number + 1) / len(scales), stops[-1]))
    return found


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
