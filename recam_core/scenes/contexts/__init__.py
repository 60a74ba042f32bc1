"""The surroundings, one file a kind of ground; with the option ``stuff`` they are classes, too."""

from recam_core.scenes.contexts.grassland import GARDEN, MEADOW, PASTURE
from recam_core.scenes.contexts.ground import Context, Strip
from recam_core.scenes.contexts.rails import RAILS
from recam_core.scenes.contexts.road import ROAD
from recam_core.scenes.contexts.water import WATER

#: The context that is no strip of ground: a low horizon under a wide sky.
SKY = "sky"
#: What lies under a picture that only has sky for a context; no class calls it its own.
PLAIN = "meadow"
#: Strips of ground by name.
CONTEXTS: dict[str, Context] = {
    "garden": GARDEN,
    PLAIN: MEADOW,
    "pasture": PASTURE,
    "rails": RAILS,
    "road": ROAD,
    "water": WATER,
}
#: What a class's surroundings are drawn from when they are drawn at random.
CHOICES: tuple[str, ...] = (*(name for name in CONTEXTS if name != PLAIN), SKY)
#: The classes that the contexts are with the option ``stuff``.
STUFF: tuple[str, ...] = tuple(sorted({context.stuff for context in CONTEXTS.values()} | {SKY}))

__all__ = ["CHOICES", "CONTEXTS", "PLAIN", "SKY", "STUFF", "Context", "Strip"]
