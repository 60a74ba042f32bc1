"""The dense CRF: every pixel of a picture is a neighbour of every other, the more so the nearer and the more alike.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS 2011, by the
authors' own code, which the package pydensecrf2 wraps (the optional extra ``crf``: it is compiled where it is
installed). With k a kernel, normalised symmetrically, and w its weight, the mean field repeats

    Q_i(l)  =  exp(-U_i(l) + sum over kernels of w sum_j k(i, j) Q_j(l)) / Z_i,

U the unary energies and Q the probability of label l at pixel i, from Q = exp(-U) / Z on. One kernel looks at places,
the other at places and colours.
"""

from dataclasses import dataclass

import numpy as np

from recam_core.errors import UserError

#: No probability that goes in is taken to be smaller: what is certain could not be changed by any neighbour.
LEAST = 1e-5
#: How sure of each label IRN is, where labels go in and not probabilities.
SURE = 0.7


@dataclass(frozen=True)
class CrfSettings:
    """The numbers of a dense CRF.

    Attributes:
        near_weight, near: the weight of the kernel of places, and its standard deviation in pixels.
        alike_weight, alike, colour: the weight of the kernel of places and colours, and its standard deviations in
            pixels and in 8-bit colour levels.
        iterations: of the mean field.
    """

    near_weight: float
    near: float
    alike_weight: float
    alike: float
    colour: float
    iterations: int = 10


#: Of IRN's confident labels (jiwoon-ahn/irn, ``misc/imutils.py``), and
IRN_CRF = CrfSettings(3, 3, 10, 50, 5)
#: of DeepLabV2's predictions (kazuto1011/deeplab-pytorch, ``configs/voc12.yaml``).
DEEPLAB_CRF = CrfSettings(3, 1, 4, 67, 3)


def require_dense_crf() -> None:
    """See to it that the package is there, before anything is computed. Raises UserError where it is not."""
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError as error:  # not installed, or compiled for another numpy
        raise UserError(
            'The dense CRF needs the package pydensecrf2, which a C++ compiler builds: `pip install "recam-lab[crf]"`, '
            "or `pip install pydensecrf2` in a clone."
        ) from error


def crf_chances(image: np.ndarray, chances: np.ndarray, settings: CrfSettings) -> np.ndarray:
    """Probabilities of labels after the mean field; the unary energy is -log of those before.

    What goes in must be probabilities, up to a factor a pixel: maps divided by their maximum say nothing of how sure
    they are, and have no background (see :func:`recam_core.refine.finishes.chances_of`).

    Args:
        image: H x W x 3, uint8.
        chances: L x H x W, float32, of each label, the background's among them where there is one.
        settings: of the CRF.

    Returns:
        L x H x W, float32; the sum over the labels is 1.

    Raises:
        UserError: the package is missing.
    """
    require_dense_crf()
    from pydensecrf.densecrf import DenseCRF2D

    count, height, width = chances.shape
    crf = DenseCRF2D(width, height, count)
    crf.setUnaryEnergy(-np.log(chances.clip(LEAST, 1), dtype=np.float32).reshape(count, -1))
    crf.addPairwiseGaussian(sxy=settings.near, compat=settings.near_weight)
    crf.addPairwiseBilateral(
        sxy=settings.alike, srgb=settings.colour, rgbim=np.array(image, order="C"), compat=settings.alike_weight
    )
    # Step by step, as it holds Python's lock meanwhile: other threads, pages among them, get their turn in between.
    found, *work = crf.startInference()
    for _ in range(settings.iterations):
        crf.stepInference(found, *work)
    return np.array(found, dtype=np.float32).reshape(count, height, width)


def label_chances(labels: np.ndarray, sure: float = SURE) -> tuple[np.ndarray, np.ndarray]:
    """What goes into a dense CRF where labels are known and no probabilities.

    Args:
        labels: H x W, uint8.
        sure: the probability of the label that a pixel has; all others share the rest.

    Returns:
        The L labels that there are, uint8, and their probabilities, L x H x W float32.
    """
    values, places = np.unique(labels, return_inverse=True)
    rest = (1 - sure) / max(len(values) - 1, 1)
    chances = np.full((len(values), *labels.shape), rest, dtype=np.float32)
    np.put_along_axis(chances, places.reshape(1, *labels.shape), np.float32(sure), axis=0)
    return values, chances
