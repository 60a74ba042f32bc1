"""What a form asks for: an experiment that is ready to run, its command line, and what it will cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.lab.lab_job import Perform
from recam_core.experiments.protocol import FIT, REPORT, SELECT
from recam_core.retrain.head_recipe import HeadRecipe, completed

#: Seconds on two cores, measured on the drawn scenes (320 x 240 pixels): a picture through the backbone at one scale,
#: a picture in an epoch of FC1 and FC2 (about ten heads side by side), an epoch of FC2 alone (it takes all pictures at
#: once), and a head on a scored picture.
_FEATURES, _BOTH, _FC2, _SCORING = 0.09, 0.0012, 0.0035, 0.0005
#: Of exact scoring: a picture through the backbone at two scales with mirror images, and a head on it.
_EXACT_FEATURES, _EXACT_SCORING = 0.35, 0.005
#: Reading what is kept, and drawing pictures anew for the intervals.
_FIXED = 4.0


@dataclass(frozen=True)
class Asked:
    """An experiment that is ready to run.

    Attributes:
        perform: what it does, once the bench is open.
        words: of the command line, after the run and the data.
        settings: how many are tried.
        seeds: how often each.
        trainings: how many times features are gone through, heads that share them counted once.
        base: the settings that are not varied.
    """

    perform: Perform
    words: tuple[str, ...]
    settings: int
    seeds: int
    trainings: int
    base: HeadRecipe

    def cost_words(self, pictures: Mapping[str, int], exact: bool) -> str:
        """About how long it takes on two cores.

        Args:
            pictures: how many each part has.
            exact: whether all pixels are scored.
        """
        first = _FEATURES * sum(pictures.values())
        seeds = f" with {self.seeds} seeds each" if self.seeds > 1 else ""
        other = "" if exact else f", or {_rounded(self._seconds(pictures, True))} with every pixel scored"
        return (
            f"{self.settings} settings{seeds}: about {_rounded(self._seconds(pictures, exact))} on two cores{other}. "
            f"The first time on these {sum(pictures.values()):,} pictures, their features take {_rounded(first)} more."
        )

    def _seconds(self, pictures: Mapping[str, int], exact: bool) -> float:
        recipe, heads = completed(self.base), self.settings * self.seeds
        scored = pictures[SELECT] + pictures[REPORT]
        epoch = _BOTH * pictures[FIT] if recipe.update == "both" else _FC2 * max(1, pictures[FIT] / 250)
        scoring = _EXACT_FEATURES + heads * _EXACT_SCORING if exact else heads * _SCORING
        return _FIXED + self.trainings * recipe.epochs * epoch + scored * scoring


def _rounded(seconds: float) -> str:
    """A duration that claims no more than it knows."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 3300:
        minutes = max(1, round(seconds / 60))
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{seconds / 3600:.1f} hours"
