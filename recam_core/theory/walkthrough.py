"""The equations carried out on one picture, with every number in between: what an explanation of them can point at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.method.cam import cam, responses
from recam_core.method.extraction import RULES, class_weights
from recam_core.model.network import CamNetwork

#: Channels that are shown; all of them are part of every sum.
SHOWN = 6


@dataclass(frozen=True, eq=False)
class SecondClassifier:
    """Equations 4, 5 and 7, which need FC2.

    Attributes:
        w2: S, weights w' of FC2 for p.
        single: K, or K + 1 with a background row, z' of equation 4.
        single_loss: -log softmax(z')[p], the term of equation 5.
        rule: the rule of equation 7.
        w3: S, weights w''.
        recam: h x w in 0..1, equation 7.
    """

    w2: np.ndarray
    single: np.ndarray
    single_loss: float
    rule: str
    w3: np.ndarray
    recam: np.ndarray


@dataclass(frozen=True, eq=False)
class Walkthrough:
    """Equations 1 to 7 of a picture and one present class p, at scale 1.

    Attributes:
        p: the class.
        peak: row and column of the cell where w_p . f(x) is greatest.
        channels: S, numbers of the channels with the greatest share in that cell, falling.
        count: C, how many channels there are.
        features: S x h x w, f(x) of these channels.
        w: S, their weights of FC1 for p.
        products: S x h x w, w times f(x), channel by channel.
        response: h x w, w_p . f(x), the sum of the products over all C channels.
        cam: h x w in 0..1, equation 2.
        logits: K, z of equation 1.
        labels: K bools, y.
        loss: L_bce of the picture.
        masked: S x h x w, f_p(x) of equation 3.
        second: what FC2 adds; None without it.
    """

    p: int
    peak: tuple[int, int]
    channels: np.ndarray
    count: int
    features: np.ndarray
    w: np.ndarray
    products: np.ndarray
    response: np.ndarray
    cam: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    loss: float
    masked: np.ndarray
    second: SecondClassifier | None = None


@torch.inference_mode()
def logit_map(network: CamNetwork, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What FC1 says of a picture as a whole and of each place, at scale 1.

    Args:
        network: in evaluation mode.
        image: H x W x 3, uint8.

    Returns:
        z = FC1(GAP(f(x))), K, and w_k . f(x), K x h x w, whose mean over the places z is.
    """
    with device_gate(network.device):
        features = network.features(network.preprocess(image)).float()
    maps = responses(features, network.fc1.float())[0]
    return maps.mean(dim=(1, 2)).cpu().double().numpy(), maps.cpu().double().numpy()


@torch.inference_mode()
def walkthrough(
    network: CamNetwork, image: np.ndarray, present: Sequence[int], p: int, rule: str = "product"
) -> Walkthrough:
    """Carry the equations out.

    Args:
        network: in evaluation mode; without FC2 the equations end with the third.
        image: H x W x 3, uint8.
        present: numbers of the classes that the picture shows.
        p: one of them.
        rule: of equation 7; one that makes no weights gives way to the paper's product.

    Raises:
        UserError: p is not among the present classes.
    """
    if p not in present:
        raise UserError("The equations are carried out for a class that the picture shows.")
    with device_gate(network.device):
        features = network.features(network.preprocess(image)).float()
    fc1 = network.fc1.float()
    response = responses(features, fc1)[0]
    map_p = cam(features, fc1)[0, p]
    row, column = divmod(int(response[p].argmax()), response.shape[2])
    shares = fc1[p] * features[0, :, row, column]
    channels = shares.argsort(descending=True)[:SHOWN]
    shown = features[0, channels]
    logits = response.mean(dim=(1, 2))
    labels = torch.zeros(len(fc1), dtype=torch.bool)
    labels[list(present)] = True
    target = labels.to(logits.device, logits.dtype)
    second = None
    if network.fc2 is not None:
        fc2 = network.fc2.float()
        single = fc2 @ (features[0] * map_p).mean(dim=(1, 2))
        rule = rule if rule in RULES and RULES[rule].makes_weights and RULES[rule].needs_fc2 else "product"
        w3 = class_weights(rule, fc1, fc2)
        second = SecondClassifier(
            w2=_array(fc2[p, channels]),
            single=_array(single),
            single_loss=float(-single.log_softmax(0)[p]),
            rule=rule,
            w3=_array(w3[p, channels]),
            recam=_array(cam(features, w3)[0, p]),
        )
    return Walkthrough(
        p=p,
        peak=(row, column),
        channels=_array(channels),
        count=features.shape[1],
        features=_array(shown),
        w=_array(fc1[p, channels]),
        products=_array(fc1[p, channels][:, None, None] * shown),
        response=_array(response[p]),
        cam=_array(map_p),
        logits=_array(logits),
        labels=labels.numpy(),
        loss=float(torch.nn.functional.binary_cross_entropy_with_logits(logits, target)),
        masked=_array(shown * map_p),
        second=second,
    )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
