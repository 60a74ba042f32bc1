"""How long a training still needs, from what its steps and the pictures it scores took so far."""

import time
from collections.abc import Callable

#: Seconds of work before which nothing is said.
_ENOUGH = 2.0


class TimeLeft:
    """Steps and scored pictures are timed apart: after an epoch of steps comes a stretch of pictures.

    Until the first epoch is scored nobody knows what scoring takes, and it counts as nothing.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; the time until the first step, which loads, is not counted.

        Args:
            epochs: of the whole training.
            clock: seconds from anywhere.
        """
        self._epochs, self._clock = epochs, clock
        self._last: float | None = None
        self._steps = self._pictures = 0
        self._on_steps = self._on_pictures = 0.0
        self._steps_left = self._scorings_left = self._per_scoring = self._scored = 0

    def stepped(self, done: int, total: int) -> None:
        """A step was made, the ``done``-th of ``total``."""
        gone = self._gone()
        if gone is not None:
            self._steps, self._on_steps = self._steps + 1, self._on_steps + gone
        per_epoch = max(total // self._epochs, 1)
        self._steps_left, self._scored = total - done, 0
        self._scorings_left = self._epochs - (done - 1) // per_epoch

    def scored(self, done: int, total: int) -> None:
        """After an epoch, a picture was scored, the ``done``-th of ``total``."""
        gone = self._gone()
        if gone is not None:
            self._pictures, self._on_pictures = self._pictures + 1, self._on_pictures + gone
        self._per_scoring, self._scored = total, done

    def seconds(self) -> float | None:
        """Seconds that are left; None until enough was seen to say."""
        if not self._steps or self._on_steps + self._on_pictures < _ENOUGH:
            return None
        left = self._steps_left * self._on_steps / self._steps
        if self._pictures:
            pictures = self._scorings_left * self._per_scoring - self._scored
            left += pictures * self._on_pictures / self._pictures
        return left

    def _gone(self) -> float | None:
        before, self._last = self._last, self._clock()
        return None if before is None else self._last - before
