"""The ways from seeds to scores of pseudo masks: directly, or by a walk within learnt boundaries; a way is an entry in
:data:`WAYS`. Any finish may follow upon any way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import Dataset, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import FULL, ActivationMaps
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.method.extraction import gives_log_odds
from recam_core.model.network import CamNetwork
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import FINISHES, Levels, check_finish, finished_levels, from_levels
from recam_core.refine.random_walk import random_walk

#: The rule whose values the maps of a walk are like: activations, of which the greatest is 1.
_ACTIVATIONS = "fc1"


@dataclass(frozen=True)
class Way:
    """One way from seeds to scores.

    Attributes:
        title: for people.
        about: what it does, in a sentence.
        needs_boundaries: whether boundaries must have been learnt for it.
    """

    title: str
    about: str
    needs_boundaries: bool


WAYS = {
    "direct": Way("direct", "The seeds themselves.", False),
    "irn": Way("IRN", "The maps walk over the picture, but not across the boundaries that IRN's heads see.", True),
}


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
        if WAYS[way].needs_boundaries and not has_boundaries:
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
) -> Iterator[tuple[Sample, dict[Route, Levels]]]:
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
    walks = any(WAYS[route.way].needs_boundaries for route in routes)
    for sample, made in maps_of_dataset(network, dataset, [rule], settings, limit):
        maps = {"direct": (made[rule], rule)}
        if walks and boundaries is not None:
            maps["irn"] = walked(made[rule], boundaries.boundary(sample.image), rule), _ACTIVATIONS
        yield (
            sample,
            {
                route: finished_levels(maps[route.way][0], sample.image, route.finish, maps[route.way][1])
                for route in routes
            },
        )
