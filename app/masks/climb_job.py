"""AdvCAM of one picture: what it costs, the job that makes it, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.guard import sentences
from app.job_progress import duration, job_panel
from app.jobs import Job, board
from app.map_cache import Inference
from app.masks.choose import Scene
from app.methods import Method
from app.models import LastUsed, device, device_words
from app.pictures import Picture
from recam_core.checkpoint.run_folder import load_run
from recam_core.guest import is_own
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.method.extraction import RULES, class_weights
from recam_core.refine.advcam import (
    ClimbRecord,
    ClimbStep,
    climbed_maps,
    kept_climbs,
    kept_maps_of,
    seconds_a_class,
    steps_a_class,
)
from recam_core.refine.kept_climbs import KeptClimbs

#: Climbs that are kept, each with its steps: some ten megabytes.
_REMEMBERED = 24
#: The steps are played at this long side at most.
_PLAYED_SIDE = 320
#: Whose steps are played: the picture itself.
_PLAYED_SCALE = 1.0


@dataclass(frozen=True)
class Climb:
    """What AdvCAM made of a picture.

    Attributes:
        maps: of the present classes.
        steps: by class index, those of the picture at its own size, for the eye; none of maps that were kept on disk.
    """

    maps: ActivationMaps
    steps: Mapping[int, list[ClimbStep]]


@dataclass
class ClimbJob(Job):
    """Moving one picture so that its classes are seen better.

    Attributes:
        method: whose maps.
        picture: of what.
        classes: the maps of which.
        how: at which scales.
        spec: of the data set; "" for a photo of one's own.
    """

    method: Method
    picture: Picture
    classes: tuple[int, ...]
    how: Inference
    spec: str


@st.cache_resource(show_spinner=False)
def _kept() -> LastUsed[Climb]:
    """What was made, of all sessions of this server."""
    return LastUsed(_REMEMBERED)


def _key(method: Method, picture: Picture, classes: tuple[int, ...], how: Inference) -> str:
    return repr((method.weights_key, picture.key, classes, how))


def climb_of(scene: Scene) -> Climb | None:
    """What was made of the scene's picture; None where nothing was yet, or nothing can be."""
    if why_not(scene):
        return None
    store, key = _kept(), _key(scene.method, scene.picture, scene.present, scene.how)
    found = store.get(key)
    if found is None:
        where = climbs_on_disk(scene.method, scene.how, scene.spec)
        maps = None if where is None else kept_maps_of(where, scene.picture.image, scene.present, scene.picture.title)
        if maps is not None:
            found = Climb(maps, {})
            store.put(key, found)
    return found


def climbs_on_disk(method: Method, how: Inference, spec: str) -> KeptClimbs | None:
    """Where the maps of AdvCAM of a data set by the weights of a run are kept, those of the command `masks` as well;
    None for a photo of one's own (""), of which nothing is kept."""
    if method.entry is None:
        raise TypeError(f"{method.title} is no run")
    weights, private = method.entry.info.weights_sha256, is_own(spec)
    return kept_climbs(weights, method.rule, how.scales, how.mirror, private=private) if spec else None


def why_not(scene: Scene) -> str:
    """Why these maps cannot be climbed; "" where they can."""
    if scene.method.attribution is not None:
        return "AdvCAM climbs along the weights of a class; attribution methods have none. Choose a CAM as seeds."
    if not RULES[scene.method.rule].makes_weights:
        return (
            f"AdvCAM climbs along the weights of a class, and the rule {scene.method.rule.replace('_', ' ')} makes "
            "probabilities instead. Choose another rule as seeds."
        )
    return ""


@st.cache_data(max_entries=64, ttl="1h", show_spinner="Timing one step of AdvCAM")
def _seconds(weights: str, size: tuple[int, int], how: Inference, _scene: Scene) -> float:
    shared = _scene.method.shared
    with shared.lock:
        return seconds_a_class(shared.run.network, _scene.picture.image, how.scales, how.mirror)


def seconds_to_climb(scene: Scene) -> float:
    """About how long AdvCAM of the scene's picture takes."""
    size = scene.picture.image.shape[:2]
    return _seconds(scene.entry.info.weights_sha256, size, scene.how, scene) * len(scene.present)


def climb_panel(scene: Scene, again: bool = False) -> None:
    """What AdvCAM of this picture costs, the button that begins it, and how far it is; ``again`` for its steps."""
    if reason := why_not(scene):
        st.info(reason, icon=":material/block:")
        return
    store, seconds = _kept(), seconds_to_climb(scene)
    steps = steps_a_class(scene.how.scales) * len(scene.present)
    job = ClimbJob(scene.method, scene.picture, scene.present, scene.how, scene.spec)
    once = "made once and kept" if scene.spec else "made once and kept while the app runs"
    with st.container(border=True, key="masks_climb_panel"), sentences():
        job_panel(
            ClimbJob,
            "climb",
            lambda: board().start(job, lambda job: _work(job, store)),
            key="masks_climb",
            label="Climb again" if again else "Climb",
            words=f"**AdvCAM** of this picture is {steps:,} passes there and back through the network, "
            f"about {duration(max(seconds, 1))}. "
            + ("Its maps are kept; its steps would be made anew." if again else f"Its maps are {once}."),
            caption=f"On {device_words()}; it goes on when you leave the page.",
            is_about_this=lambda ended: ended.picture.key == scene.picture.key,
        )


def _work(job: ClimbJob, store: LastUsed[Climb]) -> None:
    """On a network of its own: the panes go on using the shared one meanwhile."""
    entry = job.method.entry
    if entry is None:
        raise TypeError(f"{job.method.title} is no run")
    job.begin("AdvCAM, step")
    network = load_run(entry.path, device()).network
    weight = class_weights(job.method.rule, network.fc1, network.fc2)
    record = ClimbRecord(_PLAYED_SCALE, _PLAYED_SIDE)
    total, done = steps_a_class(job.how.scales) * len(job.classes), 0

    def step(k: int, scale: float, place: int, picture: np.ndarray, plane: np.ndarray, gain: float) -> None:
        nonlocal done
        record.add(k, scale, place, picture, plane, gain)
        done += 1
        job.progress(done, total)

    on_disk = climbs_on_disk(job.method, job.how, job.spec)
    maps = climbed_maps(
        network, job.picture.image, weight, job.classes, scales=job.how.scales, mirror=job.how.mirror,
        id=job.picture.title, on_step=step, kept=on_disk,
    )  # fmt: skip
    if on_disk is not None:
        on_disk.make_room()
    store.put(_key(job.method, job.picture, job.classes, job.how), Climb(maps, record.steps))
