"""What came out of an experiment: the sentence, the chart, the table, the maps of a point."""

from html import escape

import streamlit as st

from app.catalogue import Family
from app.lab.chart_section import chart_section
from app.lab.chosen_point import looked_at
from app.lab.parts_strip import parts_strip
from app.lab.point_section import point_section
from app.lab.shown import Shown
from app.lab.table_section import table_section
from app.plain_words import plain


def result_section(job: Shown, family: Family) -> None:
    """Draw it."""
    found, marked = job.found, looked_at(job)
    st.markdown(f"### {plain(found.title)}")
    st.html(f'<p class="lab-sentence">{escape(found.sentence)}</p>')
    st.caption(f"Starting from **{plain(job.entry.title)}** ({plain(job.entry.key)}).")
    parts_strip(found.protocol, found.pictures, "networks" if found.kind == "full" else "heads")
    chart_section(job, marked)
    table_section(job, marked)
    with st.expander("What else to know", icon=":material/info:"):
        st.html(f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in found.notes)}</ul>")
        st.caption("The same experiment from the command line:")
        st.code(job.command, language="bash", wrap_lines=True)
    point_section(job, family)
