"""Activation maps of one picture as an NPZ file, for whoever goes on in Python."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import full_size
from recam_core.views.figure_cells import FigurePane

FORMAT_VERSION = 1


def maps_npz(image: np.ndarray, mask: np.ndarray | None, panes: Sequence[FigurePane], classes: ClassList) -> bytes:
    """The bytes of an NPZ file that ``numpy.load`` opens without pickle. Of M methods and n classes that have maps:

    ``image`` H x W x 3 uint8; ``truth`` H x W uint8 (only with ground truth: 0 background, k + 1 class k, 255 void);
    ``methods`` M titles; ``thresholds`` M float64, nan where pixels go to their arg-max class; ``class_names`` K;
    ``classes`` n int64, indices from 0; ``has_map`` M x n bool; ``activations`` M x n x H x W uint8, 255 being the
    maximum of a map (under the rule ``softmax``: log-odds of 32, and 0 those of -32); ``winner``, ``level`` and
    ``seeds`` M x H x W uint8; ``id``, ``has_background``, ``format_version``.

    Args:
        image: H x W x 3, uint8.
        mask: H x W uint8 ground truth, or None.
        panes: one a method.
        classes: K classes.

    Raises:
        UserError: no method, or maps of another picture's size.
    """
    if not panes:
        raise UserError("There are no maps to write; choose a method.")
    size = image.shape[:2]
    for pane in panes:
        if pane.maps.size != size:
            raise UserError(f"The maps of {pane.title} are of a picture of another size.")
    found = np.unique(np.concatenate([pane.maps.classes for pane in panes])).astype(np.int64)
    activations = np.zeros((len(panes), len(found), *size), dtype=np.uint8)
    has_map = np.zeros((len(panes), len(found)), dtype=bool)
    for order, pane in enumerate(panes):
        places = np.searchsorted(found, pane.maps.classes)
        activations[order, places] = full_size(pane.maps)
        has_map[order, places] = True
    arrays = {
        "format_version": np.int64(FORMAT_VERSION),
        "id": np.str_(panes[0].maps.id),
        "image": image,
        "methods": np.array([pane.title for pane in panes], dtype=np.str_),
        "thresholds": np.array([np.nan if pane.threshold is None else pane.threshold for pane in panes]),
        "class_names": np.array(classes.names, dtype=np.str_),
        "has_background": np.bool_(classes.has_background),
        "classes": found,
        "has_map": has_map,
        "activations": activations,
        "winner": np.stack([pane.reading[0] for pane in panes]),
        "level": np.stack([pane.reading[1] for pane in panes]),
        "seeds": np.stack([pane.seeds for pane in panes]),
    }
    if mask is not None:
        arrays["truth"] = mask
    stream = BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()
