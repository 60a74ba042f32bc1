"""The learning rate over the steps of a training."""


def lr_factor(step: int, steps: int, warmup: float, power: float) -> float:
    """What each learning rate is multiplied with: a linear warm-up, then (1 - progress)^power (poly decay).

    Args:
        step: from 0.
        steps: of the whole training.
        warmup: share of the steps that the warm-up takes.
        power: 0.9 in the paper.
    """
    rising = int(steps * warmup)
    if step < rising:
        return (step + 1) / (rising + 1)
    return (1 - (step - rising) / max(steps - rising, 1)) ** power
