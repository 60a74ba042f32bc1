"""A training in plain words."""

import time

from recam_core.queue.listing import Training

#: State -> word, icon and colour of its badge.
BADGES = {
    "waiting": ("waiting", ":material/hourglass_empty:", "gray"),
    "running": ("running", ":material/play_circle:", "blue"),
    "done": ("done", ":material/check_circle:", "green"),
    "failed": ("failed", ":material/error:", "red"),
    "cancelled": ("cancelled", ":material/cancel:", "orange"),
    "killed": ("killed", ":material/power_off:", "orange"),
}


def duration(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``12 min``, ``3 h 05 min``."""
    seconds = max(seconds, 0)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def ago(moment: float) -> str:
    """How long ago it was."""
    gone = time.time() - moment
    return f"{duration(gone)} ago" if gone < 48 * 3600 else time.strftime("on %Y-%m-%d", time.localtime(moment))


def standing(training: Training, before: int) -> str:
    """Where it stands, in a line (names as they are); ``before`` counts those that wait longer for the same device."""
    status = training.status
    if training.is_stopping:
        return "Stopping after this step"
    if training.state == "waiting" and status.awaits:
        return f"Waiting for the run {status.awaits}, which another training is to make"
    if training.state == "waiting":
        if not before:
            return f"{status.doing or 'Waiting'}: next on {training.job.device}"
        return f"Waiting for {training.job.device}, behind {before} other{'s' if before > 1 else ''}"
    if training.state == "running":
        if not status.steps:
            return f"{status.doing}, begun {ago(status.began)}"
        left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
        if training.job.grid is not None:
            return f"{status.doing}; {status.epoch} of {status.epochs} trainings finished{left}"
        return f"{status.doing}: epoch {status.epoch} of {status.epochs}, step {status.step} of {status.steps}{left}"
    kept = _kept(training)
    when = ago(status.ended or status.updated or training.job.created)
    if training.state == "done":
        took = f", in {duration(status.ended - status.began)}" if status.began and status.ended else ""
        return f"Finished {when}{took}"
    if training.state == "killed":
        return f"Its process is gone since about {when}; {kept}"
    return f"{when[0].upper()}{when[1:]}; {kept}"


def _kept(training: Training) -> str:
    """What there is of one that is over."""
    if training.job.grid is not None:
        finished, total, what = training.status.epoch, training.status.epochs, "training"
    else:
        finished, total, what = len(training.epochs()), training.job.recipe.get("epochs", "?"), "epoch"
    return f"{finished} of {total} {what}s finished, and kept" if finished else f"no {what} was finished"
