"""Classes that a network shows nothing of: maps without any activation, counted and in words.

Such a map comes of class weights that are all zero, of a product in which no channel is left, or of a class that speaks
against every place of the picture. It looks like a finding, so it is said.
"""

from collections.abc import Sequence

import numpy as np

from recam_core.maps.activation_maps import ActivationMaps, silent_maps

#: Classes that are named; of more, only their number is told.
_NAMED = 6


class SilentCount:
    """Counts, picture by picture, how often a class got a map and how often that map was empty.

    Attributes:
        made: K, int64; pictures in which each class has a map.
        silent: K, int64; of these, the pictures in which it has no activation.
    """

    def __init__(self, classes: int):
        self.made = np.zeros(classes, dtype=np.int64)
        self.silent = np.zeros(classes, dtype=np.int64)

    def add(self, maps: ActivationMaps) -> None:
        """Count a picture's maps."""
        self.made[maps.classes] += 1
        self.silent[maps.classes[silent_maps(maps)]] += 1

    def words(self, names: Sequence[str]) -> str:
        """A sentence on the classes without activation, for all pictures together; "" where there is none."""
        found = np.flatnonzero(self.silent)
        if not len(found):
            return ""
        # Those that are wholly without come first.
        order = found[np.argsort(-(self.silent[found] / self.made[found]), kind="stable")].tolist()
        listed = _listed([f"{names[k]} ({_pictures(int(self.silent[k]), int(self.made[k]))})" for k in order])
        words = f"No activation for {listed}: such a map is zero everywhere and claims no pixel."
        if (self.silent[found] == self.made[found]).any():
            words += " Class weights that are all zero, or a training that failed, leave a class without any."
        return words


def no_activation_words(maps: ActivationMaps, names: Sequence[str]) -> str:
    """A sentence on the classes without activation in one picture; "" where there is none.

    Args:
        maps: of the picture.
        names: of all K classes.
    """
    found = [names[k] for k in maps.classes[silent_maps(maps)].tolist()]
    return f"No activation for {_listed(found)}: the map is zero everywhere and claims no pixel." if found else ""


def _pictures(silent: int, made: int) -> str:
    if silent == made:
        return "in its only picture" if made == 1 else f"in all {made:,} of its pictures"
    return f"in {silent:,} of {made:,} pictures"


def _listed(words: Sequence[str]) -> str:
    if len(words) > _NAMED:
        return f"{', '.join(words[:_NAMED])} and {len(words) - _NAMED} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
