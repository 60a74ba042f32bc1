"""Equations that can be played with: the two losses on one set of logits, and all of them carried out on a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from app.catalogue import Catalogue, Entry, has_no_runs
from app.chart import palette, show_chart
from app.models import SharedRun, shared_run
from app.plain_words import plain
from app.theory.picture import ChosenPicture, choose_picture, choose_run
from recam_core.analysis.csv_tables import csv_text
from recam_core.data.sample import VOID
from recam_core.errors import UserError
from recam_core.theory.losses import (
    FUNCTIONS,
    LOSSES,
    STEPS,
    Descent,
    Surface,
    careless_region,
    descend,
    surface,
)
from recam_core.theory.walkthrough import logit_map, walkthrough
from recam_core.views.charts.logit_gradients import (
    QUANTITIES,
    TITLES,
    descent_chart,
    gradient_bars,
    logit_map_chart,
    logit_surface_chart,
)
from recam_core.views.equation_board import equation_board
from recam_core.views.pictures import draw_pin

_HERE = Path(__file__).resolve().parent / "lit"
_component = st.components.v2.component(
    "recam_equations",
    html=(_HERE / "equations.html").read_text(encoding="utf-8"),
    css=(_HERE / "equations.css").read_text(encoding="utf-8"),
    js=(_HERE / "equations.js").read_text(encoding="utf-8"),
)
_SOURCES = {
    "sliders": ":material/tune: Sliders",
    "picture": ":material/image: A picture",
    "pixel": ":material/my_location: A place in it",
}
_VIEWS = {"map": ":material/map: Maps", "surface": ":material/landscape: Surfaces"}
_LETTERS = "pqrstu"
#: Logits that the sliders begin with: a confident positive beside a negative that is nearly as strong.
_FIRST = (3.0, 2.5, -1.0, -2.0, -3.0, -4.0)
_REACH, _SHOWN = 8.0, 6


@dataclass(frozen=True)
class Logits:
    """What the section is about.

    Attributes:
        names: K class names.
        z, y: K logits and labels.
    """

    names: tuple[str, ...]
    z: np.ndarray
    y: np.ndarray

    @property
    def shown(self) -> list[int]:
        """Present classes and the strongest others."""
        return sorted(range(len(self.z)), key=lambda k: (not self.y[k], -self.z[k]))[:_SHOWN]


def losses_section(catalogue: Catalogue) -> None:
    """Draw the section. Raises UserError where the picture cannot be looked at."""
    st.markdown(
        "A picture shows class *p*, and the network also responds to class *q*, which it does not show. How hard does "
        "each loss still pull at both? **BCE** looks at each class by itself: $\\sigma(z_k) - y_k$. **SCE** makes them "
        "compete: $\\mathrm{softmax}(z)_k - y_k$."
    )
    source = st.segmented_control(
        "Logits from", list(_SOURCES), format_func=_SOURCES.__getitem__, default="sliders", required=True,
        key="theory_source", persist_state="session",
        help="Set them by hand, or take those of FC1: of a whole picture, or of one place.",
    )  # fmt: skip
    found = _by_sliders() if source == "sliders" else _by_network(catalogue, at_place=source == "pixel")
    if found is None:
        return
    gradients = {loss: FUNCTIONS[loss][1](found.z, found.y) for loss in LOSSES}
    values = {loss: float(FUNCTIONS[loss][0](found.z, found.y)) for loss in LOSSES}
    p, q = _pair(found)
    st.markdown(_sentence(found, gradients, p, q))
    left, right = st.columns(2, gap="large")
    shown = found.shown
    with left:
        st.markdown(f"**Gradients on the logits** (loss: BCE {values['bce']:.3f}, SCE {values['sce']:.3f})")
        show_chart(
            gradient_bars(
                [found.names[k] for k in shown], {loss: gradients[loss][shown] for loss in LOSSES}, palette()
            ),
            key="theory_bars",
            name="gradients",
            csv=_gradients_csv(found, gradients),
            alt="Gradients of BCE and SCE on the logits of the classes",
        )
    with right:
        rate = st.slider(
            "Step size of the descent", 0.1, 4.0, 0.5, 0.1, key="theory_rate",
            help="Both losses walk downhill from these logits: z ← z − step × gradient.",
        )  # fmt: skip
        descents = {loss: descend(loss, found.z, found.y, rate) for loss in LOSSES}
        show_chart(
            descent_chart(found.names, descents, [p, q], palette()),
            key="theory_descent",
            name="descent",
            alt="The logits of both classes over the steps of gradient descent by BCE and by SCE",
        )
        ends = {loss: one.logits[-1] for loss, one in descents.items()}
        st.caption(
            f"After {STEPS} steps of size {rate:g}, $z_p - z_q$ is {ends['bce'][p] - ends['bce'][q]:.1f} by BCE and "
            f"{ends['sce'][p] - ends['sce'][q]:.1f} by SCE."
        )
    _two_logits(found, descents, p, q)


def _two_logits(found: Logits, descents: dict[str, Descent], p: int, q: int) -> None:
    """Maps and surfaces over the two logits."""
    st.markdown("#### Over all pairs of logits")
    choice, kind, cut = st.columns([1, 1, 1], gap="medium", vertical_alignment="bottom")
    quantity = choice.selectbox(
        "What is shown", list(QUANTITIES), format_func=QUANTITIES.__getitem__, key="theory_quantity",
        persist_state="session",
    )  # fmt: skip
    view = kind.segmented_control(
        "As", list(_VIEWS), format_func=_VIEWS.__getitem__, default="map", required=True, key="theory_view",
        persist_state="session",
    )  # fmt: skip
    share = cut.slider(
        "Stopped caring below", 0.01, 0.45, 0.1, 0.01, key="theory_share",
        help="BCE has stopped caring about q where its gradient on z_q is below this; 1 is the most it can be.",
    )  # fmt: skip
    drawn = _surface(share)
    at = (float(found.z[p] - found.z[q]), float(found.z[p] + found.z[q]))
    paths = {
        loss: np.stack([one.logits[:, p] - one.logits[:, q], one.logits[:, p] + one.logits[:, q]], axis=1)
        for loss, one in descents.items()
    }
    for column, loss in zip(st.columns(2, gap="large"), LOSSES, strict=True):
        with column:
            st.markdown(f"**{TITLES[loss]}**: {QUANTITIES[quantity]}")
            if view == "surface":
                figure = logit_surface_chart(drawn, loss, quantity, palette(), at=at)
            else:
                figure = logit_map_chart(drawn, loss, quantity, palette(), at=at, paths={loss: paths[loss]})
            show_chart(
                figure,
                key=f"theory_{view}_{loss}",
                name=f"{loss}_{quantity}",
                alt=f"{QUANTITIES[quantity]} of {TITLES[loss]} over the difference and the sum of two logits",
            )
    inside = bool(careless_region(np.asarray(at[0]), at[1], share))
    where = ("inside" if inside else "outside of") + " it"
    where += " and beyond these axes" if max(map(abs, at)) > _REACH else ""
    st.caption(
        "In the framed wedge BCE has stopped caring about *q*, although *q* is as strong as *p* or nearly so, and SCE "
        f"has not. These logits lie {where}. The other half of the fault is on the "
        "far side: high on the right and up, BCE no longer pushes *p* away from *q* (see the gradient on z_p). "
        "Here two classes are all there are; more of them take a part of SCE's belief."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _surface(share: float) -> Surface:
    return surface(_REACH, 65, share)


def _pair(found: Logits) -> tuple[int, int]:
    """The strongest present class, and the strongest other one."""
    order = np.argsort(-found.z, kind="stable").tolist()
    p = next((k for k in order if found.y[k]), order[0])
    q = next((k for k in order if not found.y[k] and k != p), next(k for k in order if k != p))
    return p, q


def _sentence(found: Logits, gradients: dict[str, np.ndarray], p: int, q: int) -> str:
    bce, sce = (float(gradients[loss][q]) for loss in LOSSES)
    if found.y[q]:
        return "Every class is present, so there is no negative to push down; SCE shares its target among them."
    if not found.y[p]:
        return "No class is present: BCE pushes all of them down, and SCE has no target and does nothing."
    less, more = sorted((bce, sce))
    times = f"**{more / less:.1f} times** as hard" if less > 1e-9 and more / less < 1e4 else "**far harder**"
    if more - less < 0.02 * more:
        harder = "both push equally hard"
    else:
        harder = f"{'SCE' if sce > bce else 'BCE'} pushes {times}"
    return (
        f"*p* is **{plain(found.names[p])}** ($z_p$ = {found.z[p]:.2f}), *q* is **{plain(found.names[q])}** "
        f"($z_q$ = {found.z[q]:.2f}). On the negative *q*, BCE's gradient is {bce:.3f} and SCE's {sce:.3f}: {harder}. "
        f"On *p* they are {gradients['bce'][p]:.3f} and {gradients['sce'][p]:.3f}."
    )


def _gradients_csv(found: Logits, gradients: dict[str, np.ndarray]) -> str:
    rows = (
        (name, int(found.y[k]), float(found.z[k]), float(gradients["bce"][k]), float(gradients["sce"][k]))
        for k, name in enumerate(found.names)
    )
    return csv_text(["class", "present", "logit", "BCE", "SCE"], rows)


# Where logits come from -----------------------------------------------------------------------------------------------


def _by_sliders() -> Logits:
    count = st.slider("Classes", 2, _SHOWN, 3, key="theory_classes")
    z, y = np.zeros(count), np.zeros(count)
    for start in range(0, count, 3):
        for column, k in zip(st.columns(3, gap="medium"), range(start, min(start + 3, count)), strict=False):
            letter = _LETTERS[k]
            z[k] = column.slider(f"$z_{letter}$", -_REACH, _REACH, _FIRST[k], 0.1, key=f"theory_z{k}")
            y[k] = column.toggle(f"The picture shows {letter}", value=k == 0, key=f"theory_y{k}")
    return Logits(tuple(_LETTERS[:count]), z, y)


@st.cache_data(max_entries=32, show_spinner="Asking the network")
def _logit_map(weights: str, picture: str, _shared: SharedRun, _image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with _shared.lock:
        return logit_map(_shared.run.network, _image)


def _by_network(catalogue: Catalogue, at_place: bool) -> Logits | None:
    if has_no_runs(catalogue):
        return None
    chosen = choose_picture(catalogue)
    if len(chosen.family.classes) < 2:
        st.info("These runs know a single class, so there is no other one to confuse it with.")
        return None
    entry = choose_run(
        chosen.family, "theory_network", "Network", chosen.family.by_method("bce"), "Whose FC1 gives the logits."
    )
    z, maps = _logit_map(entry.info.weights_sha256, chosen.picture.key, shared_run(entry), chosen.picture.image)
    names = tuple(chosen.family.classes.names)
    y = np.zeros(len(names))
    y[list(chosen.picture.labels)] = 1
    if not at_place:
        if not y.any():
            raise UserError("This picture has no labels, so no class of it is right; choose another one.")
        _photo(chosen, None)
        return Logits(names, z, y)
    return _place(chosen, maps, names, y)


def _place(chosen: ChosenPicture, maps: np.ndarray, names: tuple[str, ...], y: np.ndarray) -> Logits:
    """The logits of one place: the network was asked once, and moving over the picture asks it nothing."""
    height, width = chosen.picture.image.shape[:2]
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        across = st.slider("Across, %", 0, 100, 50, key="theory_across", help="From the left edge of the picture.")
        down = st.slider("Down, %", 0, 100, 50, key="theory_down", help="From the upper edge of the picture.")
        column, row = (min(int(share / 100 * side), side - 1) for share, side in ((across, width), (down, height)))
        truth = None if chosen.picture.mask is None else int(chosen.picture.mask[row, column])
        if truth is not None and truth != VOID and truth > 0:
            y = np.zeros(len(names))
            y[truth - 1] = 1
            st.caption(f"The ground truth here is **{plain(names[truth - 1])}**: it is the one label of this place.")
        elif y.any():
            st.caption("This place has no class in the ground truth: the labels are those of the picture.")
        else:
            raise UserError("This picture has no labels, so no class of it is right; choose another one.")
    with right:
        _photo(chosen, (column, row))
    cell = maps[:, min(row * maps.shape[1] // height, maps.shape[1] - 1),
                min(column * maps.shape[2] // width, maps.shape[2] - 1)]  # fmt: skip
    return Logits(names, cell, y)


def _photo(chosen: ChosenPicture, pin: tuple[int, int] | None) -> None:
    image = chosen.picture.image if pin is None else draw_pin(chosen.picture.image, *pin)
    names = ", ".join(chosen.family.classes.names[k] for k in chosen.picture.labels)
    st.image(image, caption=plain(f"{chosen.picture.title}: {names or 'no label'}"), width=300)


# Carried out on a picture ---------------------------------------------------------------------------------------------


def equations_section(catalogue: Catalogue) -> None:
    """Draw the section. Raises UserError where the picture cannot be looked at."""
    if has_no_runs(catalogue):
        return
    chosen = choose_picture(catalogue)
    family, picture = chosen.family, chosen.picture
    if not picture.labels:
        st.info("This picture shows no class that these checkpoints know.", icon=":material/label:")
        return
    left, right, _ = st.columns([1, 1.2, 1.2], gap="medium")
    names = family.classes.names
    with left:
        key = f"theory_class_{chosen.spec}"
        if st.session_state.get(key) not in picture.labels:
            st.session_state[key] = picture.labels[0]
        p = st.selectbox(
            "Class k", picture.labels, format_func=lambda k: names[k], key=key, persist_state="session",
            help="Equations 2 to 7 are carried out for this class.",
        )  # fmt: skip
    with right:
        pair = family.pair
        entry = choose_run(
            family, "theory_walked", "Network", pair[1] if pair else None,
            "One with FC2 carries out all equations; one without ends with the third.",
        )  # fmt: skip
    board = _board(
        entry.info.weights_sha256, entry.info.rule, picture.key, picture.labels, p, entry, picture.image, names
    )
    _component(key="theory_equations", data=board)


@st.cache_data(max_entries=24, show_spinner="Carrying the equations out")
def _board(
    weights: str,
    rule: str,
    key: str,
    labels: tuple[int, ...],
    p: int,
    _entry: Entry,
    _image: np.ndarray,
    names: tuple[str, ...],
) -> dict:
    """Made once a picture, class and network; pointing at terms asks for nothing more."""
    shared = shared_run(_entry)
    with shared.lock:
        walk = walkthrough(shared.run.network, _image, labels, p, rule)
    return equation_board(walk, _image, names)
