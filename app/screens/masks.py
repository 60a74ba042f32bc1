"""Masks: from the seeds of a picture to its pseudo mask, each step to be seen."""

import streamlit as st

from app.catalogue import has_no_runs, read_catalogue
from app.guard import sentences
from app.masks.choose import arrive, choose, scene_of
from app.masks.jobs_section import jobs_section
from app.masks.result_section import result_section
from app.masks.steps_section import steps_section
from app.plain_words import plain

_ABOUT = (
    "Seeds see an object's most telling parts. A mask covers the object: the maps walk over the picture up to its "
    "boundaries, or are pulled to the contours of its colours. Each step keeps its scores, so every threshold stays "
    "open."
)


def main() -> None:
    """Draw the page: what is looked at, then its sections in their order."""
    st.title("From seeds to masks", anchor=False)
    catalogue = read_catalogue()
    if not st.session_state.get("masks_seen", False):
        arrive()
    st.session_state["masks_seen"] = True
    if has_no_runs(catalogue):
        return
    st.markdown(_ABOUT)
    entry = None
    with sentences():
        choice = choose(catalogue)
        entry = choice.entry  # which the form below begins with, whatever is wrong with the picture
        scene = scene_of(choice)
        if scene is not None:
            for note in scene.picture.notes:
                st.caption(f":material/info: {plain(note)}")
            result_section(scene)
            steps_section(scene)
    jobs_section(catalogue, entry)
