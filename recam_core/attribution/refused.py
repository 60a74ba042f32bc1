"""Which methods a network cannot be asked by, found out by asking it once."""

from collections.abc import Callable

import numpy as np

from recam_core.attribution.maps import attribution_views, cost, raw_attributions
from recam_core.attribution.subject import Attributable
from recam_core.attribution.table import METHODS
from recam_core.errors import UserError
from recam_core.model.network import CamNetwork

#: Of the picture that is asked about. Its content matters to no rule; a blank one would have no parts to add up.
_SIDE = 96
#: Methods of more passes ask nothing of a network that could be known before.
_MOST_PASSES = 12


def refused_methods(
    network: CamNetwork | Attributable, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, str]:
    """By the method's key: the sentence why it cannot be used on this network; methods that can be used are left out.

    Each quick method is tried on a picture of noise, since what it needs (a rule for every activation, parts that add
    up) shows only then. Another picture may still be refused.

    Args:
        network: in evaluation mode.
        progress: called after each method with (methods done, all methods).
    """
    image = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    refused = {}
    for done, key in enumerate(METHODS, start=1):
        try:
            attribution_views(key, network=network)
            passes = cost(key, 1, image.shape[:2], network=network)
            if passes.forward + passes.backward <= _MOST_PASSES:
                raw_attributions(network, image, [0], key)
        except UserError as error:
            refused[key] = str(error)
        progress(done, len(METHODS))
    return refused
