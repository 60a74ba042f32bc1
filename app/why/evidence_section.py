"""What speaks for A rather than B: the parts of the picture, and the channels of the features."""

from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from app.attributions import HEADS, attribution_method, methods_help, ready_methods
from app.chart import csv_button, palette, pressed, show_chart
from app.links import keep, kept
from app.map_cache import maps_of
from app.methods import Method
from app.plain_words import plain
from app.why.question import AS_MAP, FC1, FC2, MethodAnswer, Question
from recam_core.analysis.csv_tables import csv_text
from recam_core.analysis.why import Contributions, table_rows
from recam_core.attribution.table import METHODS
from recam_core.maps.activation_maps import full_size
from recam_core.views.charts.contributions import contribution_chart
from recam_core.views.colours import FOR_A, FOR_B, colour_bar, evidence_overlay, heat_overlay
from recam_core.views.pictures import data_url, draw_pin, enlarge_levels, enlarge_photo, screen_factor

#: In the place of an attribution method: the difference of the two maps, which costs nothing more.
_DIFFERENCE = "difference"
#: Bars, and lines of a table, for either class.
_SHOWN = 8
_SIDES = ("before", "after")


# Parts of the picture -------------------------------------------------------------------------------------------------


def parts_section(question: Question, answers: list[MethodAnswer]) -> None:
    """The chooser, and a picture a method."""
    a, b = map(plain, question.names)
    st.markdown(f"#### Which parts of the picture speak for {a} rather than {b}")
    way, head = _choice()
    with st.container(key="why_parts"):
        if way == _DIFFERENCE:
            _differences(question, answers)
        else:
            _attributions(question, answers, way, head)


def _choice() -> tuple[str, str]:
    """The method, and whose logits it explains."""
    ways = [_DIFFERENCE, *METHODS]
    if "why_way" not in st.session_state:
        st.session_state["why_way"] = kept("way") if kept("way") in ways else _DIFFERENCE
        st.session_state["why_head"] = kept("explains") if kept("explains") in HEADS else "rule"
    left, right, _ = st.columns([1.4, 1, 1.6], gap="medium")
    way = left.selectbox(
        "By", ways, format_func=lambda key: "Difference of the maps" if key == _DIFFERENCE else METHODS[key].title,
        key="why_way", persist_state="session",
        help="- **Difference of the maps**: what one class has less what the other has at each place, exact and for "
        "free.\n" + methods_help() + "\n\nEach attribution method explains the difference of the two logits; what "
        "takes long is told first, and made after a press.",
    )  # fmt: skip
    head = right.selectbox(
        "Explaining", list(HEADS), format_func=HEADS.__getitem__, key="why_head", persist_state="session",
        disabled=way == _DIFFERENCE, help="The logits of FC1 or FC2, or those of the weights that make the run's map.",
    )  # fmt: skip
    keep("way", way, _DIFFERENCE)
    keep("explains", head if way != _DIFFERENCE else "rule", "rule")
    return way, head


def _differences(question: Question, answers: list[MethodAnswer]) -> None:
    """The signed difference of the two classes by each run."""
    names = question.names
    a, b = map(plain, names)
    marks = "".join(
        f'<span><i style="background:rgb{colour}"></i>speaks for {escape(name)}</span>'
        for colour, name in zip((FOR_A, FOR_B), names, strict=True)
    )
    st.html(f'<div class="legend">{marks}<span>ring: the place</span></div>')
    image = question.scene.picture.image
    factor = screen_factor(image.shape[:2])
    for column, one in zip(st.columns(len(answers), gap="large"), answers, strict=True):
        evidence = one.evidence(AS_MAP)
        # A single peak would leave all else pale.
        most = float(np.quantile(np.abs(evidence), 0.98))
        picture = evidence_overlay(enlarge_photo(image, factor), evidence, most)
        share = float((evidence > 0).mean())
        column.markdown(f"**{plain(one.method.title)}**")
        with column:
            _show_picture(
                draw_pin(picture, question.column, question.row, factor),
                f"{one.method.title}: {share:.0%} of the picture speaks for {names[0]} rather than {names[1]}",
            )
        column.caption(
            f"{a} leads in {share:.0%} of the picture, {b} in the rest; full colour is a lead of {most:.2g} or more."
        )


def _attributions(question: Question, answers: list[MethodAnswer], way: str, head: str) -> None:
    """A heat map a run: what the method finds to speak for A rather than B."""
    scene = question.scene
    st.caption(f"{METHODS[way].about} In symbols, of the difference of the two logits: {plain(METHODS[way].equation)}.")
    wanted = [
        attribution_method(one.method.entry, way, head, [(question.a, question.b)])
        for one in answers
        if one.method.entry is not None
    ]
    ready = ready_methods(wanted, scene.picture, (question.a,), "why_attribution")
    if not ready:
        return
    bar = data_url(colour_bar())
    st.html(
        f'<div class="legend"><span>nothing <img class="bar" src="{bar}" alt=""> most for '
        f"{escape(question.names[0])}</span><span>ring: the place</span></div>"
    )
    for column, method in zip(st.columns(len(wanted), gap="large"), ready, strict=False):
        with column:
            _heat(question, method)


def _heat(question: Question, method: Method) -> None:
    maps = maps_of(method, question.scene.picture, (question.a,), question.scene.how)
    levels = full_size(maps)[0]
    st.markdown(f"**{plain(method.title)}** · {plain(method.about)}")
    if not levels.any():
        st.info(f"Nothing speaks for {plain(question.names[0])} here by this method.", icon=":material/blur_off:")
        return
    here = levels[question.pixels].mean() / 255
    alt = f"{method.title}: the place has {here:.0%} of the most that speaks for {question.names[0]}"
    _show_heat(question, levels, alt)
    st.caption(f"The place has {here:.0%} of the greatest value.")


# Channels -------------------------------------------------------------------------------------------------------------


def channels_section(question: Question, answers: list[MethodAnswer]) -> None:
    """Draw a column a method."""
    a, b = map(plain, question.names)
    st.markdown(f"#### Which channels speak for {a} rather than {b}")
    st.caption(
        "A map is a sum over the channels of the features: each adds its weight times its activation. The bars are "
        f"what each adds to {a} less {b} at the place; together with all other channels they sum to the difference. "
        "Press a bar, or choose a channel below, to see where it fires. The backbones are two: a channel of the run "
        "after need not be what it was before."
    )
    with st.container(key="why_channels"):
        for column, side, one in zip(st.columns(len(answers), gap="large"), _SIDES, answers, strict=False):
            with column:
                _method(question, one, side)


def weights_words(one: MethodAnswer) -> dict[str, str]:
    """What the sets of weights are called."""
    rule = one.method.rule.replace("_", " ")
    words = {AS_MAP: "as its map" if one.method.rule == "fc1" else f"as its map ({rule})", FC1: "FC1", FC2: "FC2"}
    return {kind: words[kind] for kind in one.found}


def _method(question: Question, one: MethodAnswer, side: str) -> None:
    words = weights_words(one)
    st.markdown(f"**{plain(one.method.title)}**")
    kind = st.segmented_control(
        f"Weights of {plain(one.method.title)}", list(words), default=AS_MAP, required=True,
        format_func=words.__getitem__, key=f"why_weights_{side}", label_visibility="collapsed",
        help="As its map: what decides in the map, each class divided by the maximum of its own map (equation 2). FC1 "
        "and FC2: the difference of their logits, w · f.",
    )  # fmt: skip
    found = one.found[kind if kind in words else AS_MAP]
    shares = kind == AS_MAP and one.as_shares
    a, b = map(plain, question.names)
    st.caption(
        f"{a} {found.of_a:+.3g}, {b} {found.of_b:+.3g}: {'the map leads' if shares else 'the logit leads'} by "
        f"{abs(found.difference):.3g} for {a if found.difference > 0 else b}."
    )
    listed = [*found.strongest(_SHOWN).tolist(), *found.strongest(_SHOWN, for_b=True)[::-1].tolist()]
    if not listed:
        st.info("No channel is active here.", icon=":material/blur_off:")
        return
    # A chart keeps what is pressed in it: chosen elsewhere, another channel begins a new one.
    number = st.session_state.setdefault(f"why_bars_number_{side}", 0)
    chart = f"why_bars_{side}_{number}"
    if (marked := pressed(chart)) and marked[0][0] in listed:
        st.session_state[f"why_channel_{side}"] = int(marked[0][0])
    channel = _channel(listed, side)
    show_chart(
        contribution_chart(found, *question.names, palette(), most=_SHOWN, pressed=channel),
        key=chart,
        modes=("points",),
        name=f"channels_{one.method.title}",
    )
    _fires(question, one, channel, side)
    _table(question, one, found, listed, side)


def _channel(listed: list[int], side: str) -> int:
    """The channel that is looked at: pressed or chosen, as long as it is one of those that are drawn."""
    wanted = st.session_state.get(f"why_channel_{side}")
    return wanted if wanted in listed else listed[0]


def _fires(question: Question, one: MethodAnswer, channel: int, side: str) -> None:
    """The channel's activation over the photo, and the list that chooses another one."""
    found = one.found[AS_MAP]
    listed = [
        *dict.fromkeys(
            c
            for each in one.found.values()
            for c in (*each.strongest(_SHOWN).tolist(), *each.strongest(_SHOWN, for_b=True).tolist())
        )
    ]
    st.session_state[f"why_channel_list_{side}"] = channel

    def chosen() -> None:
        st.session_state[f"why_channel_{side}"] = st.session_state[f"why_channel_list_{side}"]
        st.session_state[f"why_bars_number_{side}"] += 1

    st.selectbox(
        "Channel",
        listed if channel in listed else [channel, *listed],
        format_func=lambda c: f"channel {c}",
        key=f"why_channel_list_{side}",
        on_change=chosen,
    )
    levels = one.channel_levels(channel)
    here = levels[question.pixels].mean() / 255
    alt = f"Where channel {channel} of {one.method.title} fires; at the place it has {here:.0%} of its maximum."
    _show_heat(question, levels, alt)
    st.caption(
        f"Channel {channel} has {found.activation[channel]:.3g} here, {here:.0%} of its maximum in this picture."
    )


def _table(question: Question, one: MethodAnswer, found: Contributions, listed: list[int], side: str) -> None:
    sets = [(name, one.found[kind]) for kind, name in weights_words(one).items() if kind != AS_MAP]
    a, b = question.names
    header = ["channel", "activation"]
    for name, _ in sets:
        header += [f"{name}: {a}", f"{name}: {b}", f"{name}: contribution"]
    rows = [[*row, float(found.values[c])] for c, row in zip(listed, table_rows(sets, listed), strict=True)]
    header.append("contribution shown")
    with st.expander("Weights and contributions"):
        st.dataframe(
            pd.DataFrame(rows, columns=header),
            hide_index=True,
            key=f"why_table_{side}",
            column_config={name: st.column_config.NumberColumn(format="%.4g") for name in header[1:]},
            alt=f"Weights of {a} and {b} in each channel of {one.method.title}",
        )
        everything = range(len(found.values))
        csv_button(
            lambda: csv_text(
                header,
                [
                    [*row, float(found.values[c])]
                    for c, row in zip(everything, table_rows(sets, everything), strict=True)
                ],
            ),
            f"channels_{side}",
            key=f"why_csv_{side}",
            help="Every channel.",
        )


# Pictures -------------------------------------------------------------------------------------------------------------


def _show_heat(question: Question, levels: np.ndarray, alt: str) -> None:
    """Levels (H x W, uint8) over the photo, with the place marked."""
    image = question.scene.picture.image
    factor = screen_factor(image.shape[:2])
    picture = heat_overlay(enlarge_photo(image, factor), enlarge_levels(levels, factor), opacity=0.55)
    _show_picture(draw_pin(picture, question.column, question.row, factor), alt)


def _show_picture(image: np.ndarray, alt: str) -> None:
    """Show a picture (H x W x 3, uint8).

    Not by ``st.image``: its files are dropped as soon as another run of the script begins, and a browser that is still
    fetching one then shows a broken picture.
    """
    st.html(f'<img src="{data_url(image, "jpeg")}" alt="{escape(alt, quote=True)}" style="width:100%;display:block">')
