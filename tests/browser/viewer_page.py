"""A page with nothing but the viewer: ``?case=scene0`` chooses the picture, ``?view={...}`` the view."""

import json

import streamlit as st

from app.viewer import viewer
from viewer_cases import case

st.set_page_config(page_title="viewer", layout="wide")
SCENES = 4
name = st.query_params.get("case", "scene0")
if name.startswith("scene"):
    place = st.session_state.setdefault("place", int(name.removeprefix("scene")))
    name = f"scene{place % SCENES}"
given = json.loads(st.query_params.get("view", "{}"))
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
result = viewer(case(name).payload(), given, key="viewer", can_step=True)
st.button("Run again", key="again")
st.text_input("A field", key="field")
with st.container(key="heard"):
    st.code(json.dumps({"runs": st.session_state["runs"], "case": name, **result}), language="json")
if result["step"]:
    st.session_state["place"] += result["step"]
    st.rerun()
