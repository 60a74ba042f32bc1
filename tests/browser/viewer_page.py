"""A page with nothing but the viewer: ``?case=scene0`` chooses the picture, ``?view={...}`` the view."""

import json

import streamlit as st

from app.viewer import viewer
from viewer_cases import case

SCENES = 4

st.set_page_config(page_title="viewer", layout="wide")
name = st.query_params.get("case", "scene0")
if name.startswith("scene"):
    place = st.session_state.setdefault("place", int(name.removeprefix("scene")))
    name = f"scene{place % SCENES}"
given = st.session_state.setdefault("given", json.loads(st.query_params.get("view", "{}")))
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
result = {"view": given, "step": 0}
above = st.container()
if not st.checkbox("Hide the viewer"):
    with above:
        result = viewer(case(name).payload(), given, key="viewer", can_step=True)
    # As pages do that put the view into their address: what was reported is given back.
    st.session_state["given"] = result["view"]
st.button("Run again")
st.button("Contours, please", on_click=lambda: st.session_state.update(given={"overlay": "contour"}))
st.text_input("A field")
with st.container(key="heard"):
    st.code(json.dumps({"runs": st.session_state["runs"], "case": name, **result}), language="json")
if result["step"]:
    st.session_state["place"] += result["step"]
    st.rerun()
