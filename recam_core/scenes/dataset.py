"""The embedded data set: pictures drawn by the project itself, with exact masks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID, ClassList, Fault, Sample
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scenes.composition import OBJECTS_ALONE, WITH_STUFF, Composition, compose
from recam_core.scenes.contexts import STUFF
from recam_core.scenes.families import KINDS
from recam_core.scenes.options import SPLITS, SceneOptions, canonical_spec, check_split, parse_options
from recam_core.scenes.picture import STUFF_VALUES, draw, finish
from recam_core.scenes.stage import Stage

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
        known = self._attempts.get(index)
        if known is not None:
            return self._compose(index, known)
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

    def labels(self, index: int) -> np.ndarray:
        """K bools: the classes that are visible in the picture."""
        if index not in self._attempts:
            self._composition(index)
        return self._labels[index].copy()

    def mask(self, index: int) -> np.ndarray:
        """size x size uint8: k + 1 class k; the rest is background (0), or void (255) where contexts are classes."""
        return self._draw(self._composition(index), photo=False)[1]

    def load(self, index: int) -> Sample:
        """The picture with its labels and its mask."""
        composition = self._composition(index)
        stage, mask = self._draw(composition, photo=True)
        return Sample(self.ids[index], finish(stage, composition), self.labels(index), mask)

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

    Raises:
        UserError: an unknown option, a value out of range, an unknown split.
    """
    o = parse_options(options)
    return ScenesDataset(o.seed, check_split(split), o.size, o.context, o.shared_parts, o.train, o.val, o.stuff)
