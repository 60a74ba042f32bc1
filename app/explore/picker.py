"""Choosing a picture: from a data set by its thumbnail, or one's own photo."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from app.carried import SPEC_HELP, can_be_shown, matched, settled, taken_over
from app.catalogue import Family
from app.datasets import dataset, labels_of, labels_of_set, labels_progress, thumbnail_url
from app.links import keep, kept
from app.pictures import FROM_SET, OWN_PHOTO, Picture, photo_uploader, picture_of_set, picture_of_upload
from app.plain_words import plain
from app.settings import PHOTO_MB, PICTURES_A_PAGE
from app.shared_state import CHOSEN_DATA, CHOSEN_PICTURE
from recam_core.data.match_classes import ClassMatch
from recam_core.data.sample import Dataset
from recam_core.guest import guest

_COLUMNS = 3
#: Said of a picture that shows one class and no background.
_SINGLE = "a single class and no background: every method has 100 %, so it tells nothing"
#: Without kept maps, a family opens with one of so many pictures.
_LOOKED_AT = 50
_GUEST_HELP = (
    "Drawn scenes (`scenes[:OPTIONS]@SPLIT`), the `gallery`, or a data set of the page Data, by the name that it says."
)


def pick_picture(family: Family, on_photo: Callable[[], None]) -> Picture | None:
    """The controls for choosing; None until there is a picture to look at.

    Args:
        family: whose pictures are offered, and in whose classes the picture is.
        on_photo: called when a photo of one's own was put in or taken out, before the page is drawn with it.

    Raises:
        UserError: the data set, the picture or the upload cannot be used.
    """
    st.session_state.setdefault("explore_source", FROM_SET)
    source = st.segmented_control(
        "Look at",
        [FROM_SET, OWN_PHOTO],
        required=True,
        key="explore_source",
        persist_state="session",
        width="stretch",
    )
    if source == OWN_PHOTO:
        return _upload(family, on_photo)
    return _from_set(family)


# An upload -----------------------------------------------------------------------------------------------------------


def _upload(family: Family, on_photo: Callable[[], None]) -> Picture | None:
    photo = photo_uploader("explore_photo", on_photo)
    with st.expander("Add ground truth (optional)"):
        mask = st.file_uploader(
            "Mask",
            type=["png"],
            max_upload_size=PHOTO_MB,
            key="explore_mask",
            help="An indexed or 8-bit grey PNG of the photo's size: 0 background, 255 not scored, else the class's "
            "number.",
        )
        st.caption(", ".join(f"{k + 1} {plain(name)}" for k, name in enumerate(family.classes.names)))
    if photo is None:
        return None
    return picture_of_upload(
        photo.getvalue(),
        photo.name,
        None if mask is None else mask.getvalue(),
        "the mask" if mask is None else mask.name,
        family.classes,
    )


# A data set ----------------------------------------------------------------------------------------------------------


def _from_set(family: Family) -> Picture:
    spec = _spec(family)
    found, match = matched(family, spec)
    if not match.is_same and len(match.shared) < len(found.classes):
        st.caption(f"Of the {len(found.classes)} classes of these pictures, the checkpoints know {len(match.shared)}.")
    indices = _search(spec, found)
    chosen = _chosen(family, spec, found, match)
    st.session_state["explore_picture_order"] = (spec, indices, chosen)
    if not len(indices):
        st.info("No picture shows all of these classes. Take one out of the search.", icon=":material/search_off:")
    else:
        _thumbnails(spec, found, indices, chosen)
    return picture_of_set(found, chosen, match)


def _spec(family: Family) -> str:
    """The data set to look at: the family's own, unless another one was typed."""
    key = f"explore_spec_{family.key}"
    # In the address may still be the data of the family that was chosen before.
    named = bool(kept("data")) and kept("data") == st.session_state.get(key)
    elsewhere = taken_over(CHOSEN_DATA, family.key, "explore_data", named)
    if elsewhere is not None and can_be_shown(family, elsewhere):
        st.session_state[key] = "" if elsewhere == family.pictures else elsewhere
    with st.expander("Other pictures"):
        typed = st.text_input(
            "Data set",
            key=key,
            persist_state="session",
            placeholder=family.pictures,
            help=SPEC_HELP if guest() is None else _GUEST_HELP,
        ).strip()
    settled(CHOSEN_DATA, family.key, "explore_data", typed or family.pictures, named)
    keep("data", typed)
    return typed or family.pictures


def _search(spec: str, found: Dataset) -> np.ndarray:
    """Indices of the pictures that show every class searched for, in the order of the set."""
    wanted = st.multiselect(
        "Search by class",
        found.classes.names,
        key=f"explore_search_{spec}",
        persist_state="session",
        placeholder="All pictures",
        help="Only pictures that show all of these classes.",
    )
    if not wanted:
        return np.arange(len(found))
    labels = labels_of_set(spec)
    if labels.rows is None:
        labels_progress(labels)
        return np.arange(len(found))
    columns = [found.classes.names.index(name) for name in wanted]
    return np.flatnonzero(labels.rows[:, columns].all(axis=1))


def _chosen(family: Family, spec: str, found: Dataset, match: ClassMatch) -> int:
    """The index of the picture that was pressed last, or that the address names, or that the family opens with."""
    ids = list(found.ids)
    first = ids[0] if spec != family.pictures else _first(family, found, ids, match)
    named = bool(kept("picture")) and kept("picture") == st.session_state.get(f"explore_picture_{spec}")
    elsewhere = taken_over(CHOSEN_PICTURE, spec, "explore_shown", named)
    if elsewhere in ids:
        st.session_state[f"explore_picture_{spec}"] = elsewhere
    wanted = st.session_state.get(f"explore_picture_{spec}", first)
    index = ids.index(wanted if wanted in ids else first)
    settled(CHOSEN_PICTURE, spec, "explore_shown", ids[index], named)
    keep("picture", ids[index], first)
    return index


def _first(family: Family, found: Dataset, ids: list[str], match: ClassMatch) -> str:
    """What a family opens with: by its kept maps, or else the first picture that shows one of its classes."""
    if family.standing is not None and family.standing.first in ids:
        return family.standing.first
    shows_one = (id for index, id in enumerate(ids[:_LOOKED_AT]) if match.labels(labels_of(found, index)).any())
    return next(shows_one, ids[0])


def can_step() -> bool:
    """Whether there are pictures before and after the chosen one."""
    return len(st.session_state.get("explore_picture_order", ("", (), 0))[1]) > 1


def step_picture(step: int) -> None:
    """Choose the picture before (-1) or after (1) among those that the search found; the ends meet."""
    spec, indices, chosen = st.session_state.get("explore_picture_order", ("", np.zeros(0, int), 0))
    if not step or not len(indices):
        return
    place = int(np.searchsorted(indices, chosen))
    if step > 0 and (place >= len(indices) or indices[place] != chosen):
        place -= 1  # the chosen picture is not among them: the next one stands where it would be
    _choose_place(spec, indices, (place + step) % len(indices))


def choose_picture(picture_id: str) -> None:
    """Choose a picture of the set that is looked at, and turn to its page of thumbnails; a button's callback."""
    # By the specification as it was typed, under which the picker remembers its choice.
    spec, indices, _ = st.session_state.get("explore_picture_order", ("", np.zeros(0, int), 0))
    ids = list(dataset(spec).ids) if spec else []
    if picture_id not in ids:
        return
    places = np.flatnonzero(indices == ids.index(picture_id))
    if len(places):
        _choose_place(spec, indices, int(places[0]))
    else:
        _choose(spec, picture_id)  # the search does not find it


def _choose_place(spec: str, indices: np.ndarray, place: int) -> None:
    st.session_state[f"explore_page_{spec}_{len(indices)}"] = place // PICTURES_A_PAGE + 1
    _choose(spec, dataset(spec).ids[int(indices[place])])


def open_picture(family_key: str, usual: str, spec: str, picture_id: str) -> None:
    """Have the picker choose this picture of this data set when it is drawn next."""
    st.session_state["explore_source"] = FROM_SET
    st.session_state[f"explore_spec_{family_key}"] = "" if spec == usual else spec
    if picture_id:
        st.session_state[f"explore_picture_{spec or usual}"] = picture_id


def _choose(spec: str, picture_id: str) -> None:
    st.session_state[f"explore_picture_{spec}"] = picture_id
    keep("picture", picture_id)


def _thumbnails(spec: str, found: Dataset, indices: np.ndarray, chosen: int) -> None:
    """One page of thumbnails; each is a button whose picture is its background."""
    pages = -(-len(indices) // PICTURES_A_PAGE)
    page = 1
    if pages > 1:
        with st.container(key="explore_pages"):
            page = st.pagination(
                pages,
                # Open where the chosen picture is, if the search found it.
                default=int(np.flatnonzero(indices == chosen)[0]) // PICTURES_A_PAGE + 1 if chosen in indices else 1,
                max_visible_pages=3,
                key=f"explore_page_{spec}_{len(indices)}",
            )
    shown = indices[(page - 1) * PICTURES_A_PAGE : page * PICTURES_A_PAGE].tolist()
    rules = []
    with st.container(key="explore_thumbnails", gap="small"):
        for start in range(0, len(shown), _COLUMNS):
            for column, index in zip(st.columns(_COLUMNS, wrap=False), shown[start : start + _COLUMNS], strict=False):
                picture_id = found.ids[index]
                names = [found.classes.names[k] for k in np.flatnonzero(labels_of(found, index))]
                single = len(names) == 1 and not found.classes.has_background
                about = ", ".join(names) + (f" ({_SINGLE})" if single else "")
                column.button(
                    f"{plain(picture_id)}: {plain(about) or 'no label'}",
                    key=f"explore_thumb_{index}",
                    help=plain(about or picture_id),
                    on_click=_choose,
                    args=(spec, picture_id),
                    type="primary" if index == chosen else "secondary",
                    width="stretch",
                )
                if url := thumbnail_url(spec, found, index):
                    rules.append(f".st-key-explore_thumb_{index} button {{ background-image: url({url}) !important; }}")
                if single:
                    rules.append(f'.st-key-explore_thumb_{index} button::after {{ content: "1 class"; }}')
    st.html(f"<style>{''.join(rules)}</style>")
