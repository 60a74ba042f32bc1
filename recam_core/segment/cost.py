"""How long the training of a segmentation network will take on this machine, from a step that is timed on it."""

import torch

from recam_core.refine.trial import timed
from recam_core.segment.networks import network_kind
from recam_core.segment.recipe import SegmentRecipe, check_recipe
from recam_core.segment.training import pixel_loss

#: Pictures in the step that is timed: as few as batch norm takes.
_BATCH = 2


def training_seconds(recipe: SegmentRecipe, labels: int, device: torch.device) -> float:
    """Time a step of a few pictures, forward and backward, and count the pictures of all steps.

    Args:
        recipe: of the training.
        labels: that the network tells apart.
        device: where it will be trained.

    Raises:
        UserError: settings that cannot work.
    """
    check_recipe(recipe)
    network = network_kind(recipe.network).build(labels).to(device).to(memory_format=torch.channels_last)
    network.train()
    network.freeze_norm()
    images = torch.zeros(_BATCH, recipe.crop, recipe.crop, 3, dtype=torch.uint8, device=device)
    truth = torch.zeros(_BATCH, recipe.crop, recipe.crop, dtype=torch.uint8, device=device)

    def step() -> None:
        pixel_loss(network(network.preprocess(images)), truth, True).backward()

    return timed(step, device) / _BATCH * recipe.steps * recipe.batch_size * recipe.accumulated
