"""The embedded data set: pictures drawn by the project itself, with exact masks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from recam_core.data.sample import BACKGROUND, VOID, ClassList, Fault, Sample
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scenes.backdrop import draw_hills, draw_sky
from recam_core.scenes.composition import OBJECTS_ALONE, WITH_STUFF, Composition, compose
from recam_core.scenes.contexts import CONTEXTS, SKY, STUFF
from recam_core.scenes.families import KINDS
from recam_core.scenes.kept import KeptScene, KeptScenes
from recam_core.scenes.options import SPLITS, SceneOptions, canonical_spec, check_split, parse_options
from recam_core.scenes.stage import Stage

#: Mask value of each context where contexts are classes: they follow the objects, whose values stay as they are.
STUFF_VALUES: dict[str, int] = {name: len(KINDS) + 1 + number for number, name in enumerate(STUFF)}
#: Least visible share of the picture for each of its classes. A composition that hides one is drawn anew.
LEAST_AREA = 0.012
#: Compositions tried for a picture; about one in thirty is refused, so the last one is never reached in practice.
ATTEMPTS = 200


@dataclass(frozen=True)
class Description:
    """What was put into a picture.

    Attributes:
        classes: the class indices, from far to near.
        contexts: the context that each of them was put into, in the same order.
        scenery: the names of all contexts that the picture shows.
        palette: its light.
    """

    classes: tuple[int, ...]
    contexts: tuple[str, ...]
    scenery: frozenset[str]
    palette: str


class ScenesDataset:
    """Scenes of one split; implements :class:`recam_core.data.sample.Dataset`.

    Picture ``index`` depends on the seed, the split, the index and the dials alone: not on the order of access, and
    not on the number of pictures.

    Args:
        seed, context, shared_parts, size, train, val: see :class:`SceneOptions`.
        split: ``train`` or ``val``.
        keeps: whether what is drawn is kept on disk and read from there, see :mod:`recam_core.scenes.kept`.
    Raises:
        UserError: an unknown split or a value out of range.
    """

    has_masks = True

    def __init__(
        self,
        seed: int = SceneOptions.seed,
        split: str = "train",
        size: int = SceneOptions.size,
        context: float = SceneOptions.context,
        shared_parts: float = SceneOptions.shared_parts,
        train: int = SceneOptions.train,
        val: int = SceneOptions.val,
        stuff: int = SceneOptions.stuff,
        *,
        keeps: bool = False,
    ):
        self.options = SceneOptions(
            stuff=int(stuff),
            context=float(context),
            shared_parts=float(shared_parts),
            seed=int(seed),
            train=int(train),
            val=int(val),
            size=int(size),
        )
        self.split = check_split(split)
        self.spec = canonical_spec(self.options, self.split)
        self._stuff = bool(self.options.stuff)
        objects = tuple(kind.name for kind in KINDS)
        self.classes = ClassList(objects + STUFF if self._stuff else objects, has_background=not self._stuff)
        self.ids: Sequence[str] = tuple(f"{split}_{number:05d}" for number in range(getattr(self.options, split)))
        self._attempts: dict[int, int] = {}
        self._labels = np.zeros((len(self.ids), len(self.classes)), dtype=bool)
        self._kept = KeptScenes(self.options, self.split, len(self.classes)) if keeps else None

    def __len__(self) -> int:
        return len(self.ids)

    def _compose(self, index: int, attempt: int) -> Composition:
        entropy = (self.options.seed, SPLITS.index(self.split), index, attempt)
        manner = WITH_STUFF if self._stuff else OBJECTS_ALONE
        return compose(np.random.default_rng(entropy), self.options.context, self.options.shared_parts, manner)

    def _draw(self, composition: Composition, photo: bool) -> tuple[Stage, np.ndarray]:
        """The stage and its size x size uint8 mask."""
        stage = draw(composition, self.options.size, photo, self._stuff)
        return stage, without_scant_contexts(stage.mask()) if self._stuff else stage.mask()

    def _composition(self, index: int) -> Composition:
        """The first composition of this index in which every class shows enough of itself."""
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        if index in self._attempts or self._kept_scene(index) is not None:
            return self._compose(index, self._attempts[index])
        for attempt in range(ATTEMPTS):
            composition = self._compose(index, attempt)
            _, mask = self._draw(composition, photo=False)
            area = np.bincount(mask.ravel(), minlength=len(self.classes) + 1)[1 : len(self.classes) + 1] / mask.size
            if min(area[[actor.kind for actor in composition.actors]]) >= LEAST_AREA:
                # In this order: a thread that sees the attempt relies on the labels.
                self._labels[index] = area > 0
                self._attempts[index] = attempt
                return composition
        raise UserError(f"{self.spec}: picture {self.ids[index]} could not be composed; choose another seed.")

    def _kept_scene(self, index: int) -> KeptScene | None:
        """A picture that was drawn before; what is known of it is known from here on."""
        if self._kept is None or not 0 <= index < len(self):
            return None
        kept = self._kept.get(index)
        if kept is not None:
            self._labels[index] = kept.labels
            self._attempts[index] = kept.attempt
        return kept

    def labels(self, index: int) -> np.ndarray:
        """K bools: the classes that are visible in the picture."""
        if index not in self._attempts and self._kept_scene(index) is None:
            self._composition(index)
        return self._labels[index].copy()

    def mask(self, index: int) -> np.ndarray:
        """size x size uint8: k + 1 class k; the rest is background (0), or void (255) where contexts are classes."""
        kept = self._kept_scene(index)
        return self._draw(self._composition(index), photo=False)[1] if kept is None else kept.mask

    def load(self, index: int) -> Sample:
        """The picture with its labels and its mask."""
        kept = self._kept_scene(index)
        if kept is None:
            composition = self._composition(index)
            stage, mask = self._draw(composition, photo=True)
            kept = KeptScene(self._attempts[index], self.labels(index), finish(stage, composition), mask)
            if self._kept is not None:
                self._kept.put(index, kept)
        return Sample(self.ids[index], kept.image, kept.labels, kept.mask)

    def describe(self, index: int) -> Description:
        """Which classes were put into which contexts."""
        composition = self._composition(index)
        return Description(
            classes=tuple(actor.kind for actor in composition.actors),
            contexts=tuple(actor.context for actor in composition.actors),
            scenery=composition.contexts,
            palette=composition.palette.name,
        )

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        """Draw everything; a picture whose labels and mask disagree would be a fault."""
        nothing = VOID if self._stuff else BACKGROUND
        for index in range(len(self)):
            sample = self.load(index)
            assert sample.mask is not None  # every scene has one
            if set(np.unique(sample.mask)) - {nothing} != set(np.flatnonzero(sample.labels) + 1):
                yield Fault(sample.id, "the mask and the labels of this picture disagree.")
            progress(index + 1, len(self), "drawing scenes")


def without_scant_contexts(mask: np.ndarray) -> np.ndarray:
    """The H x W uint8 mask, in which a context that shows less than LEAST_AREA is void: it is no label of the picture.

    About one context in 500 is so well hidden. Composing such a picture anew would favour those that hide little.
    """
    area = np.bincount(mask.ravel(), minlength=VOID + 1) / mask.size
    scant = [value for value in STUFF_VALUES.values() if 0 < area[value] < LEAST_AREA]
    return np.where(np.isin(mask, scant), np.uint8(VOID), mask) if scant else mask


def open_scenes(options: str = "", split: str | None = None) -> ScenesDataset:
    """Open the scenes of a specification: ``options`` is what follows ``scenes:``, ``split`` what follows ``@``.

    What is drawn of them is kept on disk.

    Raises:
        UserError: an unknown option, a value out of range, an unknown split.
    """
    o = parse_options(options)
    split = check_split(split)
    return ScenesDataset(o.seed, split, o.size, o.context, o.shared_parts, o.train, o.val, o.stuff, keeps=True)


# Drawing --------------------------------------------------------------------------------------------------------------


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
