"""Every setting of a segmentation network's training, and the presets."""

from dataclasses import dataclass

from recam_core.errors import UserError
from recam_core.segment.networks import network_kind

#: Of a test, as published for DeepLabV2.
PAPER_SCALES = (0.5, 0.75, 1.0)


@dataclass(frozen=True)
class SegmentRecipe:
    """The settings of one training; the defaults are DeepLabV2's as published for VOC.

    Attributes:
        network: of :data:`recam_core.segment.networks.NETWORKS`.
        weights: what its backbone starts from, see :func:`recam_core.segment.networks.load_start`.
        steps: of the optimizer; whole epochs are made of them.
        batch_size, accumulated: pictures a batch, and batches a step.
        crop: side of the crop in pixels.
        rescale: the range of sizes that pictures are resized to at random.
        optimizer: ``sgd`` or ``adamw``.
        lr: of the backbone; the head has ten times as much, its biases twenty times.
        weight_decay: of all weights.
        prior: tau of the logit-adjusted loss (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021), see
            :func:`recam_core.segment.training.pixel_loss`; 0 for the plain cross-entropy, as published.
        frozen: whether the early part of the backbone stays as it is, see
            :class:`recam_core.segment.networks.NetworkKind`: of a step a quarter of the time goes there.
        seed: of the head, the order and the views.
    """

    network: str = "deeplabv2_resnet101"
    weights: str = "auto"
    steps: int = 20_000
    batch_size: int = 5
    accumulated: int = 2
    crop: int = 321
    rescale: tuple[float, float] = (0.5, 1.5)
    optimizer: str = "sgd"
    lr: float = 2.5e-4
    weight_decay: float = 5e-4
    prior: float = 0.0
    frozen: bool = False
    seed: int = 0


#: The published one, and one that suits two CPU cores.
PRESETS = {
    "paper": SegmentRecipe(),
    "small": SegmentRecipe(
        "lite0", steps=1500, batch_size=16, accumulated=1, crop=224, rescale=(0.6, 1.0), optimizer="adamw", lr=2e-4,
        weight_decay=0.01,
    ),
}  # fmt: skip


def check_recipe(recipe: SegmentRecipe) -> None:
    """Refuse settings that cannot work. Raises UserError."""
    network_kind(recipe.network)
    if recipe.seed < 0:
        raise UserError("The seed is 0 or more.")
    if recipe.batch_size < 2:
        raise UserError("A batch of a segmentation network holds 2 pictures or more: batch norm needs them.")
    if recipe.steps < 1 or recipe.accumulated < 1 or not 64 <= recipe.crop <= 2048:
        raise UserError("A segmentation network takes 1 step or more, and a crop of 64 to 2048 pixels.")
    if recipe.optimizer not in ("sgd", "adamw") or not 0 < recipe.lr < 1:
        raise UserError("The optimizer is sgd or adamw, and the learning rate lies between 0 and 1.")
    check_prior(recipe.prior)
    if not 0.1 <= recipe.rescale[0] <= recipe.rescale[1] <= 4:
        raise UserError("Pictures are resized by 0.1 to 4.")


def check_prior(prior: float) -> None:
    """Refuse a power of the labels' shares that is none. Raises UserError."""
    if not 0 <= prior <= 1:
        raise UserError(f"The prior is a power from 0 to 1, not {prior:g}.")
