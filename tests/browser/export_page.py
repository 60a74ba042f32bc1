"""A page with the exports and the link alone, on the shipped maps: ``?view={...}`` is what the viewer would report."""

import json

import numpy as np
import streamlit as st

from app.copy_link import copy_link
from app.datasets import dataset
from app.export_panel import export_panel, report_button
from app.pictures import Picture
from recam_core.analysis.analysed import find_analysed, settings_of
from recam_core.checkpoint.run_folder import read_info
from recam_core.folders import shipped_folder
from recam_core.report.picture_page import picture_page
from recam_core.views.figure_cells import FigurePane
from recam_core.views.viewer_payload import pane_of_maps, viewer_payload

st.set_page_config(page_title="exports", layout="wide")
scenes = dataset("scenes@val")


@st.cache_resource
def methods():
    found = []
    for name, title in (("bce", "BCE-CAM"), ("recam", "ReCAM")):
        info = read_info(shipped_folder() / "scenes" / name)
        found.append(find_analysed(info, info.rule, scenes, settings_of(info), name, title))
    return found


sample = scenes.load(int(st.query_params.get("picture", 122)))
has_truth = st.query_params.get("truth", "yes") == "yes"
labels = tuple(np.flatnonzero(sample.labels).tolist())
mask = sample.mask if has_truth else None
picture = Picture(sample.id, sample.image, mask, labels, (), sample.id, ("scenes@val", sample.id))


def page(title: str) -> bytes:
    shown = [
        pane_of_maps(one.store[sample.id], key=one.key, title=one.title, threshold=one.threshold) for one in methods()
    ]
    payload = viewer_payload(sample.id, sample.image, scenes.classes, shown, mask)
    return picture_page(payload, json.loads(st.query_params.get("view", "{}")), title=title, sentence="A sentence.")


export_panel(
    picture,
    lambda: [FigurePane(one.title, one.store[sample.id], one.threshold) for one in methods()],
    scenes.classes,
    json.loads(st.query_params.get("view", "{}")),
    page,
    key="export",
)
copy_link(["It holds <b>everything</b>."], key="link")
report_button(methods(), scenes, chosen=np.arange(200) < 20, about="Only the first 20 pictures.", key="report")
