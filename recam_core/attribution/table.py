"""The table of attribution methods. A new method is one entry."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from recam_core.attribution.layer_maps import cam, finer_cam, grad_cam, layer_cam
from recam_core.attribution.pixel_maps import (
    deep_lift,
    guided_grad_cam,
    integrated_gradients,
    occlusion,
    smooth_grad,
    windows,
)
from recam_core.attribution.region_cam import passes as region_passes
from recam_core.attribution.region_cam import region_cam
from recam_core.attribution.subject import AttributionSettings, Query
from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES


@dataclass(frozen=True)
class Work:
    """What is to be done for one view.

    Attributes:
        classes: how many are explained.
        size: (H, W) of the view.
        settings: how.
        split: whether all work is done below the layer that is looked at.
        linear: whether the classifier is linear on pooled features.
    """

    classes: int
    size: tuple[int, int]
    settings: AttributionSettings
    split: bool = True
    linear: bool = True


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
        passes: (forward, backward) passes of one picture through the network that a view costs.
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
    attribute: Callable[[Query], Tensor]
    passes: Callable[[Work], tuple[int, int]]
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False
    needs_other: bool = False
    needs_linear: bool = False
    needs_network: bool = False
    own_views: bool = False
    on_pixels: bool = False


def _by_layer(work: Work) -> tuple[int, int]:
    """Every class by itself, where the layer lies within; the pass to it alone, where nothing costly follows it."""
    return (1, 0) if work.split else (work.classes, work.classes)


def _finer(work: Work) -> tuple[int, int]:
    return (1, 0) if work.linear else _by_layer(work)


def _samples(work: Work) -> tuple[int, int]:
    return work.classes * work.settings.samples, work.classes * work.settings.samples


def _steps(work: Work) -> tuple[int, int]:
    return work.classes * work.settings.steps, work.classes * work.settings.steps


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
            lambda work: (1, 0),
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
            _by_layer,
            scales=QUICK_SCALES,
            mirror=True,
        ),
        AttributionMethod(
            "guided_grad_cam",
            "Guided Grad-CAM",
            "Grad-CAM times gradients at the pixels that pass each ReLU in both directions: sharp, but much of what it "
            "shows are edges.",
            "max over colours |ReLU(Grad-CAM) · guided ∂z_k/∂x|",
            "Selvaraju et al., ICCV 2017; Springenberg et al., 2014",
            guided_grad_cam,
            # Each class goes through once for Grad-CAM and once for the guided gradients; one more pass looks at
            # the activations, and is not counted.
            lambda work: (2 * work.classes, 2 * work.classes),
            on_pixels=True,
        ),
        AttributionMethod(
            "layer_cam",
            "LayerCAM",
            "Each activation weighed by its own gradient where that is positive: only what speaks for the class.",
            "Σ_c ReLU(∂z_k/∂f_c(x)) · f_c(x)",
            "Jiang et al., IEEE TIP 2021",
            layer_cam,
            lambda work: (1, 0 if work.split else work.classes),
            scales=QUICK_SCALES,
            mirror=True,
        ),
        AttributionMethod(
            "finer_cam",
            "Finer-CAM",
            "Why this class and not the other: the CAM of the difference of two logits, where what both share cancels.",
            "(w_k − γ w_q) · f(x)",
            "Zhang et al., CVPR 2025",
            finer_cam,
            _finer,
            scales=QUICK_SCALES,
            mirror=True,
            needs_other=True,
        ),
        AttributionMethod(
            "integrated_gradients",
            "Integrated gradients",
            "Gradients summed on the way from a blank picture to this one; together they are the difference of the "
            "logits.",
            "x · ∫ ∂z_k/∂x (αx) dα",
            "Sundararajan et al., ICML 2017",
            integrated_gradients,
            _steps,
            on_pixels=True,
        ),
        AttributionMethod(
            "saliency",
            "SmoothGrad",
            "Which pixels the logit is most sensitive to, in whatever direction; the mean over noisy pictures.",
            "max over colours |mean over noise ∂z_k/∂x|",
            "Simonyan et al., 2013; Smilkov et al., 2017",
            smooth_grad,
            _samples,
            on_pixels=True,
        ),
        AttributionMethod(
            "occlusion",
            "Occlusion",
            "What the logit loses where a window hides a part of the picture: slow, and asks nothing of the network.",
            "z_k(x) − z_k(x with a window hidden), mean over windows",
            "Zeiler and Fergus, ECCV 2014",
            occlusion,
            lambda work: (windows(work.size, work.settings.window) + 1, 0),
            on_pixels=True,
        ),
        AttributionMethod(
            "deep_lift",
            "DeepLIFT",
            "What each pixel adds against a blank picture, by a rule for each layer; refused where the parts do not "
            "add up to the whole.",
            "Σ parts = z_k(x) − z_k(blank)",
            "Shrikumar et al., ICML 2017",
            deep_lift,
            lambda work: (2 * work.classes, 2 * work.classes),
            on_pixels=True,
        ),
        AttributionMethod(
            "region_cam",
            "Region-CAM",
            "Where the gradients of all stages and the CAM point, carried on to all places whose features are alike: "
            "whole objects rather than their most telling parts. Its thresholds lie higher than those of a CAM.",
            "A_8 · A_16 · (2/3 CAM + 1/3 Σ_l S_l), S_l = Σ_c ReLU(∂z_k/∂F_l,c), A(i, j) ∝ ReLU(cos(F(i), F(j)))^4",
            "Cai and Abhayaratne, arXiv 2510.25134",
            region_cam,
            lambda work: region_passes(work.classes, work.settings.scales, work.settings.mirror),
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
