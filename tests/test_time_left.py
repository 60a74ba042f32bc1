"""What a training says of the time that it still needs."""

import pytest

from recam_core.queue.reporter import TimeLeft


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def test_steps_and_scored_pictures_are_timed_apart(clock):
    left = TimeLeft(epochs=3, clock=clock)
    assert left.seconds() is None
    clock.after(50)  # loading is no step
    left.stepped(1, 12)
    assert left.seconds() is None
    for done in (2, 3, 4):
        clock.after(2)
        left.stepped(done, 12)
    assert left.seconds() == pytest.approx(8 * 2)  # what scoring takes is not known yet
    for done in range(1, 6):
        clock.after(0.5)
        left.scored(done, 5)
    assert left.seconds() == pytest.approx(8 * 2 + 2 * 5 * 0.5)
    clock.after(2)
    left.stepped(5, 12)
    assert left.seconds() == pytest.approx(7 * 2 + 2 * 5 * 0.5)


def test_at_the_end_only_the_last_pictures_are_left(clock):
    left = TimeLeft(epochs=2, clock=clock)
    for step in range(1, 5):
        clock.after(3)
        left.stepped(step, 4)
        for done in range(1, 5) if step % 2 == 0 else ():
            clock.after(1)
            left.scored(done, 4)
            if step == 4:
                assert left.seconds() == pytest.approx(4 - done)


def test_a_resumed_training_counts_the_epochs_that_are_left(clock):
    left = TimeLeft(epochs=4, clock=clock)
    for step in (7, 8, 9):  # of 3 an epoch
        clock.after(2)
        left.stepped(step, 12)
    for done in (1, 2):
        clock.after(1)
        left.scored(done, 10)
    assert left.seconds() == pytest.approx(3 * 2 + 8 * 1 + 10 * 1)


def test_nothing_is_said_before_two_seconds_of_work(clock):
    left = TimeLeft(epochs=1, clock=clock)
    for step in (1, 2, 3):
        clock.after(0.5)
        left.stepped(step, 100)
    assert left.seconds() is None
