"""Which channels: bars that can be pressed, where the pressed one fires, and a table of weights."""

import pandas as pd
import streamlit as st

from app.chart import palette, pressed, show_chart
from app.plain_words import plain
from app.why.answers import AS_MAP, FC1, FC2, Told
from app.why.question import Question
from app.why.shown_picture import show_picture
from recam_core.analysis.csv_tables import csv_text
from recam_core.analysis.why import Contributions, table_rows
from recam_core.views.charts.contributions import contribution_chart
from recam_core.views.colours import heat_overlay
from recam_core.views.pictures import draw_pin, enlarge_levels, enlarge_photo, screen_factor

#: Bars, and lines of a table, for either class.
_SHOWN = 8
_SIDES = ("before", "after")


def channels_section(question: Question, answers: list[Told]) -> None:
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


def weights_words(one: Told) -> dict[str, str]:
    """What the sets of weights are called."""
    rule = one.method.rule.replace("_", " ")
    words = {AS_MAP: "as its map" if one.method.rule == "fc1" else f"as its map ({rule})", FC1: "FC1", FC2: "FC2"}
    return {kind: words[kind] for kind in one.found}


def _method(question: Question, one: Told, side: str) -> None:
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


def _fires(question: Question, one: Told, channel: int, side: str) -> None:
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
    levels, image = one.channel_levels(channel), question.scene.picture.image
    factor = screen_factor(image.shape[:2])
    picture = heat_overlay(enlarge_photo(image, factor), enlarge_levels(levels, factor), opacity=0.55)
    here = levels[question.pixels].mean() / 255
    show_picture(
        draw_pin(picture, question.column, question.row, factor),
        f"Where channel {channel} of {one.method.title} fires; at the place it has {here:.0%} of its maximum.",
    )
    st.caption(
        f"Channel {channel} has {found.activation[channel]:.3g} here, {here:.0%} of its maximum in this picture."
    )


def _table(question: Question, one: Told, found: Contributions, listed: list[int], side: str) -> None:
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
        st.download_button(
            "CSV",
            lambda: csv_text(
                header,
                [
                    [*row, float(found.values[c])]
                    for c, row in zip(everything, table_rows(sets, everything), strict=True)
                ],
            ),
            f"channels_{side}.csv",
            "text/csv",
            key=f"why_csv_{side}",
            icon=":material/download:",
            on_click="ignore",
            help="Every channel.",
        )
