"""Training: networks from image-level labels, backbone and all, in a queue that outlives the page."""

import streamlit as st

from app.catalogue import read_catalogue
from app.links import TRAINING, keep
from app.models import device_words
from app.shared_state import MY_TRAININGS
from app.trainings.details import details
from app.trainings.queue import queue, send_queue_style
from app.trainings.start_form import start_form
from app.visitors import may_train
from recam_core.guest import NO_TRAININGS, guest


def main() -> None:
    """Draw the page."""
    send_queue_style()
    st.title("Training")
    st.markdown(
        "Train the whole network, backbone too, as the paper does: minutes to hours. Each training is a process of its "
        "own, one at a time on each device; it goes on when the page, the browser or the app is closed, and what is "
        "cut off can be resumed. The long steps of the page *Masks* stand in the same queue. "
        + ("Everybody who uses this app sees the same queue." if guest() is None else "You see your own trainings.")
    )
    if not may_train():
        st.info(NO_TRAININGS, icon=":material/lock:")
        return
    queue("training")
    details("training")
    with st.container(border=True, key="training_form"):
        st.markdown("#### Start a training")
        st.caption(f"On {device_words()}.")
        started = start_form(read_catalogue())
    if started is not None:
        MY_TRAININGS.setdefault(set()).add(started)
        keep(TRAINING, started)
        st.rerun()
