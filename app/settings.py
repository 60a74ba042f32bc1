"""Where the app finds things, and the bounds it keeps to."""

import streamlit as st

from recam_core.data.image_io import PhotoLimits

#: Photographs are scaled down to this long side before anything is computed: maps are coarser than that anyway.
LONGEST_SIDE = 768
#: What is accepted as a photo of one's own; the server takes larger uploads, of data and of checkpoints.
UPLOAD_LIMITS = PhotoLimits(min_side=8, max_side=20_000, max_pixels=40_000_000, max_bytes=32_000_000, max_seconds=5.0)
#: The same in the megabytes of an uploader.
PHOTO_MB = UPLOAD_LIMITS.max_bytes // 1_000_000
#: Pixels of a set of drawn scenes that the app opens: reading the labels of all takes some minutes then.
MOST_DRAWN_PIXELS = 400_000_000
#: Thumbnails on one page of the picker.
PICTURES_A_PAGE = 12
#: Methods in the order of the panes.
METHOD_TITLES = {"bce": "BCE-CAM", "sce": "SCE-CAM", "recam": "ReCAM", "heads": "retrained"}
PAPER_URL = "https://arxiv.org/abs/2203.00962"


def upload_mb() -> int:
    """Megabytes that the server takes at once: ``maxUploadSize`` in .streamlit/config.toml, said nowhere else."""
    return int(st.get_option("server.maxUploadSize"))
