"""The table of attribution methods. A new method is one entry."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from recam_core.attribution.asked import Asked, AttributionSettings
from recam_core.attribution.layer_maps import cam, grad_cam
from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES

#: (number of classes, (H, W) of the view, settings) to (forward, backward) passes of one picture through the network.
Passes = Callable[[int, tuple[int, int], AttributionSettings], tuple[int, int]]


@dataclass(frozen=True)
class AttributionMethod:
    """One way of asking a network where it looks.

    Attributes:
        key: its key in :data:`METHODS`.
        title: as pages and tables write it.
        about: one sentence for people who choose.
        equation: what it computes, in the notation of docs/attributions.md.
        paper: where it comes from.
        attribute: what it asks to n x h x w, signed, on the grid of the features or of the pixels.
        passes: what one view costs.
        scales: over which maps are summed unless settings say otherwise.
        mirror: whether mirror images are added unless settings say otherwise.
        needs_other: whether it asks for the difference of two classes (``against``).
        needs_linear: whether it works on networks only that end in pooling and a linear classifier.
        needs_network: whether it works on networks of this project only, and not on classifiers from elsewhere.
        on_pixels: whether it attributes to the picture's pixels rather than to a layer's activations.
    """

    key: str
    title: str
    about: str
    equation: str
    paper: str
    attribute: Callable[[Asked], Tensor]
    passes: Passes
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False
    needs_other: bool = False
    needs_linear: bool = False
    needs_network: bool = False
    on_pixels: bool = False


METHODS: dict[str, AttributionMethod] = {
    method.key: method
    for method in (
        AttributionMethod(
            "cam",
            "CAM",
            "The class's weights on the features at each place; exact where the network ends in pooling and a linear "
            "classifier.",
            "w_k · f(x)",
            "Zhou et al., CVPR 2016; equation 2 of ReCAM",
            cam,
            lambda classes, size, settings: (1, 0),
            scales=QUICK_SCALES,
            mirror=True,
            needs_linear=True,
        ),
        AttributionMethod(
            "grad_cam",
            "Grad-CAM",
            "The features weighed by the mean of their gradients: CAM for networks with any head.",
            "Σ_c mean(∂z_k/∂f_c) · f_c(x)",
            "Selvaraju et al., ICCV 2017",
            grad_cam,
            lambda classes, size, settings: (classes, classes),
            scales=QUICK_SCALES,
            mirror=True,
        ),
    )
}


def method_of(key: str) -> AttributionMethod:
    """The method of this key. Raises UserError for one that is not there."""
    if key not in METHODS:
        raise UserError(f"There is no attribution method '{key}': choose one of {', '.join(METHODS)}.")
    return METHODS[key]
