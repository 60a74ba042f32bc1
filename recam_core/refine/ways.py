"""The ways from seeds to scores of pseudo masks: directly, or by a walk within learnt boundaries; a way is an entry in
:data:`WAYS`. Any finish may follow upon any way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.method.extraction import class_weights, gives_log_odds
from recam_core.model.network import CamNetwork
from recam_core.refine.advcam import climbed_maps
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import FINISHES, Pixels, check_finish, finished_pixels, from_levels
from recam_core.refine.random_walk import random_walk

#: The rule whose values the maps of a walk are like: activations, of which the greatest is 1.
_ACTIVATIONS = "fc1"


@dataclass(frozen=True)
class Way:
    """One way from seeds to scores.

    Attributes:
        title: for people.
        about: what it does, in a sentence.
        climbs: whether the maps are those of AdvCAM.
        walks: whether they walk within boundaries, which must have been learnt.
    """

    title: str
    about: str
    climbs: bool = False
    walks: bool = False


WAYS = {
    "direct": Way("direct", "The seeds themselves."),
    "advcam": Way(
        "AdvCAM", "Each picture is moved so that its classes are seen better, and the maps are added up.", climbs=True
    ),
    "irn": Way(
        "IRN", "The maps walk over the picture, but not across the boundaries that IRN's heads see.", walks=True
    ),
    "advcam+irn": Way("AdvCAM, IRN", "The maps of AdvCAM, to the power of 1.5, walk.", climbs=True, walks=True),
}
#: What the maps of AdvCAM are raised to before they walk.
_CLIMBED_POWER = 1.5


@dataclass(frozen=True)
class Route:
    """A way and what finishes it.

    Attributes:
        way: of :data:`WAYS`.
        finish: of :data:`recam_core.refine.finishes.FINISHES`.
    """

    way: str
    finish: str

    @property
    def title(self) -> str:
        """For people; "" of the seeds as they are."""
        parts = [WAYS[self.way].title] if self.way != "direct" else []
        parts += [FINISHES[self.finish].title] if self.finish != "none" else []
        return ", ".join(parts)


def routes_of(ways: Sequence[str], finishes: Sequence[str], has_boundaries: bool) -> list[Route]:
    """Every way with every finish, each once. Raises UserError for one that is unknown, or lacks its boundaries."""
    for way in ways:
        if way not in WAYS:
            raise UserError(f"There is no way '{way}'; there are {', '.join(WAYS)}.")
        if WAYS[way].walks and not has_boundaries:
            raise UserError(
                f"The way '{way}' needs boundaries: `boundaries RUN --data SPEC --out DIR` learns them from seeds."
            )
    return list(dict.fromkeys(Route(way, check_finish(finish)) for way in ways for finish in finishes))


def walked(maps: ActivationMaps, boundary: np.ndarray, rule: str) -> ActivationMaps:
    """Maps after the walk, divided by their maximum over all classes together, as published thresholds are meant.

    Maps of probabilities walk as probabilities.

    Args:
        maps: of a picture.
        boundary: on the grid of the maps, h x w float32, 0..1.
        rule: the extraction rule that made the maps.
    """
    values = from_levels(maps.activations.astype(np.float32), rule)
    found = random_walk(1 - values if gives_log_odds(rule) else values, boundary)
    most = found.max(initial=0)
    levels = np.rint(found / most * FULL).astype(np.uint8) if most > 0 else np.zeros_like(maps.activations)
    return ActivationMaps(maps.id, maps.size, maps.classes, levels)


def refined_of_dataset(
    network: CamNetwork,
    dataset: Dataset,
    rule: str,
    routes: Sequence[Route],
    settings: MapSettings,
    boundaries: BoundaryNetwork | None = None,
    limit: int | None = None,
) -> Iterator[tuple[Sample, dict[Route, Pixels]]]:
    """Yield each picture with what each route makes of its maps: the arg-max class and the activation of each pixel.

    Args:
        network: in evaluation mode; its device is used (walks and finishes take the CPU).
        dataset: the pictures.
        rule: extraction rule.
        routes: see :func:`routes_of`.
        settings: how maps are made.
        boundaries: for the ways that need them.
        limit: only the first so many pictures; None for all.

    Raises:
        UserError: what :func:`recam_core.maps.dataset_maps.maps_of_dataset` refuses.
    """
    ways, has_background = {route.way for route in routes}, dataset.classes.has_background
    weight = class_weights(rule, network.fc1, network.fc2) if any(WAYS[way].climbs for way in ways) else None
    for sample, made in maps_of_dataset(network, dataset, [rule], settings, limit):
        maps = {"direct": (made[rule], rule)}
        if weight is not None:
            classes, scales, mirror = made[rule].classes, settings.scales, settings.mirror
            climbed = climbed_maps(network, sample.image, weight, classes, scales=scales, mirror=mirror, id=sample.id)
            maps["advcam"] = climbed, _ACTIVATIONS
        if boundaries is not None and any(WAYS[way].walks for way in ways):
            boundary = boundaries.boundary(sample.image)
            if "irn" in ways:
                maps["irn"] = walked(made[rule], boundary, rule), _ACTIVATIONS
            if "advcam+irn" in ways:
                raised = np.rint((climbed.activations / FULL) ** _CLIMBED_POWER * FULL).astype(np.uint8)
                maps["advcam+irn"] = walked(replace(climbed, activations=raised), boundary, _ACTIVATIONS), _ACTIVATIONS
        yield (
            sample,
            {
                route: finished_pixels(*maps[route.way], sample.image, route.finish, has_background=has_background)
                for route in routes
            },
        )
