"""The rows at the top: which maps of which picture, which ways they go and what finishes them."""

from dataclasses import dataclass

import streamlit as st

from app.attributions import attribution_method, ready_methods
from app.carried import forget
from app.catalogue import Catalogue, Entry, Family
from app.links import as_list, from_list, keep, kept
from app.map_cache import Inference, make_ready, prediction_of
from app.methods import Method, method_of_entry
from app.one_picture import choose_picture
from app.pictures import Picture
from app.recipe_fields import rule_name
from recam_core.attribution.table import METHODS
from recam_core.checkpoint.run_folder import rules_of_run
from recam_core.errors import UserError
from recam_core.refine.finishes import FINISHES, check_finish
from recam_core.refine.known_boundaries import KnownBoundaries, boundaries_of_run
from recam_core.refine.ways import WAYS

#: The finish that costs nothing but a moment, and needs nothing.
USUAL_FINISH = "pamr"


@dataclass(frozen=True)
class Scene:
    """What the page is about.

    Attributes:
        family: of the run.
        entry: the run.
        method: its maps, the seeds.
        spec: of the data set; "" for a photo of one's own.
        picture: what is looked at, in the classes of the family.
        present: the classes that maps are made of.
        how: how maps are made.
        ways: of :data:`recam_core.refine.ways.WAYS`, those that are asked for.
        finish: of :data:`recam_core.refine.finishes.FINISHES`.
        boundaries: for the ways that walk; None where none were learnt on this run's features.
    """

    family: Family
    entry: Entry
    method: Method
    spec: str
    picture: Picture
    present: tuple[int, ...]
    how: Inference
    ways: tuple[str, ...]
    finish: str
    boundaries: KnownBoundaries | None


def arrive() -> None:
    """What the address says counts, whatever was chosen here before."""
    forget("masks_family")
    forget("masks_data")
    forget("masks_shown")
    st.session_state.pop("masks_family", None)
    st.session_state["masks_opening"] = True


@dataclass(frozen=True)
class Choice:
    """What the rows say, whether it can be looked at or not.

    Attributes:
        spec: of the data set; "" for a photo of one's own, None where what was chosen cannot be used, which is told.
        picture: None where there is none.
        maps: an extraction rule of the run, or an attribution method.
    """

    family: Family
    entry: Entry
    spec: str | None
    picture: Picture | None
    maps: str
    ways: tuple[str, ...]
    finish: str
    boundaries: KnownBoundaries | None


def choose(catalogue: Catalogue) -> Choice:
    """Draw the rows."""
    opening = st.session_state.pop("masks_opening", False)
    with st.container(key="masks_choice"):
        family, spec, picture = choose_picture(catalogue, "masks", "Runs that know the same classes.", opening)
        run_column, maps_column, ways_column, finish_column = st.columns([1, 1.2, 1.6, 0.9], gap="medium")
        with run_column:
            entry = _run(family, opening)
        with maps_column:
            maps = _maps(entry, opening)
        boundaries = _boundaries(entry, opening)
        with ways_column:
            ways = _ways(boundaries is not None, opening)
        with finish_column:
            finish = _finish(opening)
    return Choice(family, entry, spec, picture, maps, ways, finish, boundaries)


def scene_of(choice: Choice) -> Scene | None:
    """What the page is about; None while there is nothing to look at, and the page says why.

    Raises:
        UserError: the run cannot be used.
    """
    family, entry, spec, picture = choice.family, choice.entry, choice.spec, choice.picture
    if spec is None:
        return None
    if picture is None:
        st.info("Put in a photo to see masks of it.", icon=":material/add_photo_alternate:")
        return None
    how = Inference()
    rule = choice.maps if choice.maps not in METHODS else None
    plain_method = method_of_entry(entry, rule)
    make_ready(plain_method, picture, how)
    # A picture without labels: what the network sees in it.
    present = picture.labels or tuple(sorted(prediction_of(plain_method, picture)[1]))
    if not present:
        st.info("This picture has no labels, and the network sees none of its classes in it.", icon=":material/label:")
        return None
    method = plain_method
    if rule is None:
        ready = ready_methods([attribution_method(entry, choice.maps)], picture, present, "masks_attribution")
        if not ready:
            return None
        (method,) = ready
    return Scene(
        family, entry, method, spec, picture, present, how, choice.ways, choice.finish, choice.boundaries
    )  # fmt: skip


def _restored(key: str, parameter: str, options: list[str], usual: str, opening: bool) -> str:
    """Set a list to what the address names, or to what is usual where what it shows is no longer there; the key."""
    if opening and kept(parameter) in options:
        st.session_state[key] = kept(parameter)
    elif opening or st.session_state.get(key) not in options:
        st.session_state[key] = usual
    return key


def _run(family: Family, opening: bool) -> Entry:
    by_key = {entry.key: entry for entry in family.entries}
    with_boundaries = (one for one in family.entries if boundaries_of_run(one.info.weights_sha256))
    usual = next(with_boundaries, None) or (family.pair or family.entries)[-1]
    key = _restored(f"masks_run_{family.key}", "run", list(by_key), usual.key, opening)
    chosen = st.selectbox(
        "Method", list(by_key), format_func=lambda one: by_key[one].title, key=key, persist_state="session",
        help="The run whose maps are the seeds. A family opens with a run whose boundaries have been learnt.",
    )  # fmt: skip
    keep("run", chosen, usual.key)
    return by_key[chosen]


def _maps(entry: Entry, opening: bool) -> str:
    """An extraction rule of the run, or an attribution method."""
    rules = rules_of_run(entry.info)
    options = [*dict.fromkeys([entry.info.rule, *rules]), *METHODS]

    def words(one: str) -> str:
        if one in METHODS:
            return METHODS[one].title
        return f"CAM, {rule_name(one)}" + (" (as trained)" if one == entry.info.rule else "")

    key = _restored(f"masks_maps_{entry.key}", "maps", options, entry.info.rule, opening)
    chosen = st.selectbox(
        "Seeds", options, format_func=words, key=key, persist_state="session",
        help="The maps that masks are made of: those of an extraction rule, or of another attribution method. What "
        "takes long is told first, and made after a press.",
    )  # fmt: skip
    keep("maps", chosen, entry.info.rule)
    return chosen


def _boundaries(entry: Entry, opening: bool) -> KnownBoundaries | None:
    """The boundaries of a run: the only ones, or those that are chosen below the rows' first column."""
    found = {one.name: one for one in boundaries_of_run(entry.info.weights_sha256)}
    if len(found) < 2:
        return next(iter(found.values()), None)
    first = next(iter(found))
    key = _restored(f"masks_boundaries_{entry.key}", "boundaries", list(found), first, opening)
    chosen = st.selectbox(
        "Boundaries", list(found), key=key, persist_state="session",
        help="Which of the boundaries that were learnt on this run's features the walk keeps within.",
    )  # fmt: skip
    keep("boundaries", chosen, first)
    return found[chosen]


def _ways(has_boundaries: bool, opening: bool) -> tuple[str, ...]:
    """At least one, in the order of the table."""
    usual = ["irn"] if has_boundaries else ["direct"]
    if opening:
        st.session_state["masks_ways"] = [way for way in from_list(kept("ways")) if way in WAYS] or usual
    chosen = st.pills(
        "Ways", list(WAYS), selection_mode="multi", format_func=lambda way: WAYS[way].title, key="masks_ways",
        persist_state="session",
        help="One way is shown step by step, several stand side by side.\n"
        + "\n".join(f"- **{WAYS[way].title}**: {WAYS[way].about}" for way in WAYS),
    ) or usual  # fmt: skip
    ways = tuple(way for way in WAYS if way in chosen)
    keep("ways", as_list(ways), as_list(usual))
    return ways


def _is_installed(finish: str) -> bool:
    try:
        return bool(check_finish(finish))
    except UserError:
        return False


def _finish(opening: bool) -> str:
    here = [name for name in FINISHES if _is_installed(name)]
    key = _restored("masks_finish", "finish", here, USUAL_FINISH, opening)
    chosen = st.selectbox(
        "Finish", here, format_func=lambda one: FINISHES[one].title, key=key, persist_state="session",
        help="What follows upon the scores of each way.\n"
        + "\n".join(f"- **{FINISHES[one].title}**: {FINISHES[one].about}" for one in FINISHES),
    )  # fmt: skip
    keep("finish", chosen, USUAL_FINISH)
    return chosen
