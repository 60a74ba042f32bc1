"""AdvCAM's steps, to be played: the picture as it is moved, the map of it, and how much of the class is seen."""

from pathlib import Path

import numpy as np
import streamlit as st

from app.masks.choose import Scene
from app.masks.climb_job import Climb, climb_of, climb_panel
from app.plain_words import plain
from recam_core.refine.ways import WAYS
from recam_core.views.climb_frames import ClimbFrame, climb_frames

_HTML = """
<section class="steps" aria-label="Steps of AdvCAM">
  <div class="pictures">
    <figure><img class="picture" alt="The picture as it has been moved"><figcaption>Picture</figcaption></figure>
    <figure><img class="map" alt="The map of it"><figcaption>Map</figcaption></figure>
    <figure class="gain">
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"><path></path><line></line></svg>
      <figcaption></figcaption>
    </figure>
  </div>
  <div class="bar"><button type="button" aria-pressed="false"></button><label><span>Step</span>
  <input type="range" min="0" step="1"><output></output></label></div>
</section>
"""
_CSS = """
:host { display: block; font-family: var(--st-font); color: var(--st-text-color); }
.pictures { display: flex; flex-wrap: wrap; gap: 0.8rem; }
figure { margin: 0; flex: 1 1 14rem; max-width: 20rem; min-width: 0; }
figure img { display: block; width: 100%; border-radius: var(--st-base-radius); }
figcaption { font-size: 0.86rem; margin-top: 0.25rem; }
.gain svg { display: block; width: 100%; aspect-ratio: 1; max-height: 20rem; box-sizing: border-box;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  background: var(--st-secondary-background-color); }
.gain path { fill: none; stroke: var(--st-primary-color); stroke-width: 2.5; vector-effect: non-scaling-stroke; }
.gain line { stroke: var(--st-text-color); stroke-width: 1; stroke-dasharray: 4 3; vector-effect: non-scaling-stroke; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.8rem; margin-top: 0.6rem; }
button { min-height: 2.2rem; min-width: 5.5rem; font: inherit; color: inherit; cursor: pointer;
  background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
:is(button, input):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
label { display: flex; align-items: center; gap: 0.6rem; flex: 1 1 16rem; font-size: 0.9rem; }
input { flex: 1; min-width: 6rem; accent-color: var(--st-primary-color); }
output { min-width: 4.5rem; font-variant-numeric: tabular-nums; }
"""
_component = st.components.v2.component(
    "recam_climb", html=_HTML, css=_CSS, js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


@st.cache_data(max_entries=24, show_spinner=False)
def _frames(stands_for: tuple, _climb: Climb, k: int) -> list[ClimbFrame]:
    return climb_frames(_climb.steps[k])


def steps_section(scene: Scene) -> None:
    """Play what was made; nothing where no way begins with AdvCAM, or it was not made yet."""
    climb = climb_of(scene) if any(WAYS[way].climbs for way in scene.ways) else None
    if climb is None:
        return
    names = scene.family.classes.names
    st.subheader("AdvCAM, step by step", anchor=False)
    if not climb.steps:
        climb_panel(scene, again=True)
        return
    key = f"masks_played_{scene.picture.key}_{scene.entry.key}"
    k = st.selectbox(
        "Class", list(climb.steps), format_func=names.__getitem__, key=key, width=300,
        help="Each class climbs by itself: the picture is moved so that the network sees more of it.",
    )  # fmt: skip
    if k is None:
        return
    frames = _frames((scene.method.weights_key, scene.picture.key, scene.present, scene.how), climb, k)
    gain = frames[-1].gain
    times = "" if np.isnan(gain) else f" At the last step, the network sees {gain:.1f} times as much of it."
    st.caption(
        f"At scale 1, from the picture itself to its last step.{times} The maps of all steps and scales, added up, are "
        f"what AdvCAM makes of the class {plain(names[k])}."
    )
    steps = [
        {"picture": one.picture, "map": one.map, "gain": None if np.isnan(one.gain) else one.gain} for one in frames
    ]
    _component(key="masks_steps_played", data={"steps": steps, "name": names[k]}, height="content")
