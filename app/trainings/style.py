"""The one rule of style that this page has beyond those of the app."""

import streamlit as st

_RULES = """
<style>
/* What redraws itself every second or two must not fade each time it does. */
.st-key-trainings [data-stale="true"], .st-key-training_details [data-stale="true"] { opacity: 1 !important; }
</style>
"""


def apply() -> None:
    """Send the rule with the page."""
    st.html(_RULES)
