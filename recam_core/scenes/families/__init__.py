"""The classes, one file a family; a class is one function and one entry in its family's ``KINDS``."""

from recam_core.scenes.families import boats, cattle, cycles, flyers, people, pets, road_vehicles
from recam_core.scenes.families.kind import Kind

#: Every class, sorted by name; its place in the table is its class index.
KINDS: tuple[Kind, ...] = tuple(
    sorted(
        (
            *boats.KINDS,
            *cattle.KINDS,
            *cycles.KINDS,
            *flyers.KINDS,
            *people.KINDS,
            *pets.KINDS,
            *road_vehicles.KINDS,
        ),
        key=lambda kind: kind.name,
    )
)
#: Class index by name.
INDEX: dict[str, int] = {kind.name: index for index, kind in enumerate(KINDS)}
