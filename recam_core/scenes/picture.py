"""From a composition to pixels."""

import numpy as np
from PIL import Image

from recam_core.data.sample import BACKGROUND, VOID
from recam_core.scenes.backdrop import draw_hills, draw_sky
from recam_core.scenes.composition import Composition
from recam_core.scenes.contexts import CONTEXTS, SKY, STUFF
from recam_core.scenes.families import KINDS
from recam_core.scenes.stage import Stage

#: Mask value of each context where contexts are classes: they follow the objects, whose values stay as they are.
STUFF_VALUES: dict[str, int] = {name: len(KINDS) + 1 + number for number, name in enumerate(STUFF)}


def draw(composition: Composition, size: int, photo: bool, stuff: bool = False) -> Stage:
    """Draw a composition from back to front; without ``photo`` only its mask.

    Each layer has random numbers of its own, so that the mask comes out the same with the photo and without. With
    ``stuff`` the mask holds the contexts, too, and void where there is neither a context nor an object.
    """
    stage = Stage(size, composition.palette, photo, VOID if stuff else BACKGROUND)
    surfaces = STUFF_VALUES if stuff else dict.fromkeys(STUFF, BACKGROUND)
    seeds = np.random.SeedSequence(composition.scenery_seed).spawn(3 + 2 * len(composition.strips))
    layers = [np.random.default_rng(seed) for seed in seeds]
    if photo or stuff:
        stage.surface = surfaces[SKY]
        draw_sky(stage, layers[0], composition.horizon, SKY in composition.contexts, composition.from_left)
        stage.surface = stage.nothing
        draw_hills(stage, layers[1], composition.horizon)
        for number, (strip, name) in enumerate(zip(composition.strips, composition.grounds, strict=True)):
            stage.surface = surfaces[CONTEXTS[name].stuff]
            CONTEXTS[name].ground(stage, layers[3 + 2 * number], strip)
    for number, (strip, name) in enumerate(zip(composition.strips, composition.grounds, strict=True)):
        CONTEXTS[name].behind(stage, layers[4 + 2 * number], strip)
        for actor in composition.actors:
            if actor.strip == number:
                if not KINDS[actor.kind].flies:
                    stage.contact_shadow(actor.place.x, actor.ground - 0.004, actor.half_width * 2.0)
                elif actor.context != SKY:
                    stage.contact_shadow(actor.place.x, min(actor.ground + 0.04, 0.98), actor.half_width * 1.3, 0.5)
                stage.figure(actor.figure, actor.kind + 1, actor.place)
    return stage


def finish(stage: Stage, composition: Composition) -> np.ndarray:
    """The photo with a veil of light, a soft vignette and paper grain: size x size x 3 uint8."""
    rng = np.random.default_rng(np.random.SeedSequence(composition.scenery_seed).spawn(3)[2])
    photo, size, palette = stage.photo(), stage.size, composition.palette
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    across = axis if composition.from_left else -axis
    warmth = (0.045 * palette.contrast + 0.02) * (-across[None, :] - axis[:, None])
    vignette = 1.0 - 0.07 * np.maximum(0.0, axis[None, :] ** 2 + axis[:, None] ** 2 - 0.7)
    grain = rng.standard_normal((size, size), dtype=np.float32) * 2.0
    coarse = rng.standard_normal((size // 2 + 1, size // 2 + 1), dtype=np.float32) * 1.6
    grain += np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:size, :size]
    wash = rng.uniform(-0.022, 0.022, (20, 20)).astype(np.float32)
    mottle = np.asarray(Image.fromarray(wash).resize((size, size), Image.Resampling.BICUBIC))
    exposure = np.float32(rng.uniform(0.93, 1.06))
    photo *= (exposure * (1.0 + warmth + mottle) * vignette)[:, :, None]
    photo += grain[:, :, None]
    return np.clip(photo + 0.5, 0, 255).astype(np.uint8)
