"""The table of attribution methods. A new method is one entry."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from recam_core.attribution.asked import Asked, AttributionSettings
from recam_core.attribution.layer_maps import cam, grad_cam
from recam_core.attribution.region_cam import passes as region_passes
from recam_core.attribution.region_cam import region_cam
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
        own_views: whether it makes its scales and mirror images itself, and is asked once, of the picture as it is.
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
    own_views: bool = False
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
        AttributionMethod(
            "region_cam",
            "Region-CAM",
            "Where the gradients of all stages and the CAM point, carried on to all places whose features are alike: "
            "whole objects rather than their most telling parts. Its thresholds lie higher than those of a CAM.",
            "A_8 · A_16 · (2/3 CAM + 1/3 Σ_l S_l), S_l = Σ_c ReLU(∂z_k/∂F_l,c), A(i, j) ∝ ReLU(cos(F(i), F(j)))^4",
            "Cai and Abhayaratne, arXiv 2510.25134",
            region_cam,
            lambda classes, size, settings: region_passes(classes, settings.scales, settings.mirror),
            needs_linear=True,
            needs_network=True,
            own_views=True,
        ),
    )
}


def method_of(key: str) -> AttributionMethod:
    """The method of this key. Raises UserError for one that is not there."""
    if key not in METHODS:
        raise UserError(f"There is no attribution method '{key}': choose one of {', '.join(METHODS)}.")
    return METHODS[key]
