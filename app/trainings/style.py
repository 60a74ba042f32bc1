"""The one rule of style that the queue has beyond those of the app, on either page that shows it."""

import streamlit as st

_RULES = """
<style>
/* What redraws itself every second or two must not fade each time it does. */
:is(.st-key-training_queue, .st-key-training_details, .st-key-lab_queue, .st-key-lab_details) [data-stale="true"] {
  opacity: 1 !important; }
</style>
"""


def apply() -> None:
    """Send the rule with the page."""
    st.html(_RULES)
