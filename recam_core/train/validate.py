"""What is watched during training: classification on whole images, and seed mIoU where there are masks."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from recam_core.data.sample import BACKGROUND, VOID, Dataset, Sample
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import map_weights
from recam_core.method.losses import bce_loss, multi_label_sce_loss
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import evaluate_maps
from recam_core.train.recipe import Recipe


def mean_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the classes of the area under each precision-recall curve.

    Args:
        scores: N x K.
        labels: N x K bool; a class that no image has is left out.

    Returns:
        In 0..1; nan when no class has an image.
    """
    from sklearn.metrics import average_precision_score

    present = labels.any(axis=0)
    if not present.any():
        return float("nan")
    return float(average_precision_score(labels[:, present], scores[:, present], average="macro"))


#: Curves need no more pictures than this; the full score is `evaluate`'s business.
MOST_PICTURES = 100


@torch.inference_mode()
def validate(network: CamNetwork, recipe: Recipe, dataset: Dataset, progress: ProgressFn = silent) -> dict[str, Any]:
    """Classification loss and mAP, and seed mIoU at the best threshold, on (at most 100 evenly spread) pictures.

    Args:
        network: in evaluation mode.
        recipe: tells the loss and the extraction rule.
        dataset: the pictures; seed mIoU is of those that have a mask, and left out where no mask holds a pixel
            of a class.
        progress: called after each picture; may raise Cancelled.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MOST_PICTURES)).round().astype(int))
    weight = map_weights(recipe.rule, network.fc1, network.fc2)
    logits: list[Tensor] = []
    labels: list[np.ndarray] = []
    maps: list[ActivationMaps] = []
    masks: list[np.ndarray] = []

    def work(sample: Sample, features: PictureFeatures) -> tuple[Tensor, ActivationMaps | None]:
        if sample.mask is None:
            return features.logits.cpu(), None
        return features.logits.cpu(), maps_from_features(features, weight, np.flatnonzero(sample.labels), sample.id)

    pictures = each_picture(network, dataset, work, scales=(1.0,), indices=chosen.tolist())
    for done, (sample, (own, shown)) in enumerate(pictures, 1):
        logits.append(own)
        labels.append(sample.labels)
        if shown is not None and sample.mask is not None:
            maps.append(shown)
            masks.append(sample.mask)
        progress(done, len(chosen), "scoring")
    z = torch.stack(logits)
    y = np.stack(labels)
    loss = multi_label_sce_loss if recipe.method == "sce" else bce_loss
    found: dict[str, Any] = {
        "val_loss": float(loss(z, torch.from_numpy(y))),
        "val_map": mean_average_precision(z.numpy(), y),
    }
    if any(((mask != VOID) & (mask != BACKGROUND)).any() for mask in masks):  # else of the background alone
        found["val_seed_miou"] = float(evaluate_maps(maps, masks, dataset.classes).best.miou)
    return found
