"""The steps of AdvCAM as pictures, to be played."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.maps.activation_maps import FULL, upsampled
from recam_core.refine.advcam import ClimbStep
from recam_core.views.colours import heat_overlay
from recam_core.views.pictures import data_url


@dataclass(frozen=True)
class ClimbFrame:
    """One step.

    Attributes:
        picture: as it was moved so far, as a data address.
        map: the class's map over it, in colours of which the last is the greatest value of all steps.
        gain: how many times as much the network sees of the class as in the picture itself; nan where it saw none.
    """

    picture: str
    map: str
    gain: float


def climb_frames(steps: Sequence[ClimbStep]) -> list[ClimbFrame]:
    """The steps of one class of one picture, see :class:`recam_core.refine.advcam.ClimbRecord`."""
    most = max((float(step.map.max()) for step in steps), default=0.0)
    frames = []
    for step in steps:
        plane = upsampled(step.map.astype(np.float32), step.picture.shape[:2])
        levels = np.rint(plane / most * FULL if most > 0 else plane).clip(0, FULL).astype(np.uint8)
        first = steps[0].gain
        gain = step.gain / first if first > 0 else float("nan")
        heat = heat_overlay(step.picture, levels)
        frames.append(ClimbFrame(data_url(step.picture, "jpeg"), data_url(heat, "jpeg"), gain))
    return frames
