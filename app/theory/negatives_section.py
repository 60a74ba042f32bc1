"""What confusing negatives receive on a data set: along trainings that kept it, and under finished checkpoints."""

from dataclasses import dataclass, field

import streamlit as st

from app.catalogue import Catalogue, Entry, Family
from app.chart import palette, show_chart
from app.datasets import refuse_unseen
from app.family_choice import choose_family
from app.guard import sentences
from app.job_progress import job_progress
from app.jobs import CANCELLED, DONE, FAILED, Job, board
from app.models import device
from app.plain_words import plain
from app.recorded_pictures import recorded
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.theory.negatives import GONE, NegativeCurve, measure_negatives, read_negatives
from recam_core.views.charts.negatives import negatives_chart, negatives_csv, negatives_now_chart


@dataclass
class NegativesJob(Job):
    """Measuring finished checkpoints over a data set.

    Attributes:
        entries: the runs.
        data: specification of the pictures.
        found: by the run's title, what came out.
    """

    entries: tuple[Entry, ...]
    data: str
    found: dict[str, NegativeCurve] = field(default_factory=dict)


def negatives_section(catalogue: Catalogue) -> None:
    """Draw the section."""
    st.markdown(
        "A picture shows a cow *and* a sheep. Masked to the cow, it is a feature of a single label, and the sheep "
        "beside it is the negative that is most easily confused. How much gradient does such a negative still "
        f"receive? Under BCE it is $\\sigma(z_q)$, under SCE $\\mathrm{{softmax}}(z)_q$; below {GONE:g} it counts as "
        "gone. Each classifier is trained by one of the two: the other curve is what that loss *would* do to its "
        "logits. SCE fixes only how far logits are apart and not how high they are, so $\\sigma$ of logits that SCE "
        "trained says little by itself."
    )
    if not catalogue.families:
        st.info("There are no runs yet: the page *Explore* says how to make one.", icon=":material/inventory_2:")
        return
    left, right = st.columns([1, 2], gap="medium")
    with left:
        family = choose_family(catalogue, "theory_family", "Runs that know the same classes can be compared.")
    by_key = {entry.key: entry for entry in family.entries}
    curves = {key: _curve(entry) for key, entry in by_key.items()}
    kept = [key for key, curve in curves.items() if curve is not None and len(curve.points) > 1]
    key = f"theory_runs_{family.key}"
    usual = kept[:2] or [entry.key for entry in family.first_choice]
    st.session_state[key] = [one for one in st.session_state.get(key, usual) if one in by_key] or usual
    with right:
        chosen = st.multiselect(
            "Runs", list(by_key), format_func=lambda one: by_key[one].title + (" · curve" if one in kept else ""),
            key=key, persist_state="session", help="Those marked as curve kept it at their training.",
        )  # fmt: skip
    st.markdown("#### Along the training")
    shown = [one for one in chosen if one in kept]
    if not shown:
        st.info(
            "None of these runs kept the curve: they were trained before there was one, or elsewhere. Runs of the page "
            "Training keep it from now on; below, finished runs can be measured.",
            icon=":material/timeline:",
        )
    for column, one in zip(st.columns(2, gap="large") * (len(shown) // 2 + 1), shown, strict=False):
        with column:
            _along(by_key[one], curves[one])
    st.markdown("#### Under finished runs")
    with sentences():
        _measured(family, tuple(by_key[one] for one in chosen))


def _along(entry: Entry, curve: NegativeCurve) -> None:
    title = f"{entry.title}: {curve.head.upper()}, trained by {curve.loss.upper()}"
    show_chart(
        negatives_chart(curve, title, palette()),
        key=f"theory_along_{entry.key}",
        name=f"negatives_{entry.path.name}",
        csv=negatives_csv({entry.title: curve}),
        alt="Quantiles of the gradient on confusing negatives over the epochs, under BCE and under SCE",
    )
    last = curve.points[-1]
    st.caption(
        f"At the end, the median negative would receive {last.quantiles['bce'][2]:.3f} under BCE and "
        f"{last.quantiles['sce'][2]:.3f} under SCE; gone is that of {100 * last.gone['bce']:.0f} % and "
        f"{100 * last.gone['sce']:.0f} % of {last.features:,} features."
    )


def _curve(entry: Entry) -> NegativeCurve | None:
    return read_negatives(entry.path)


def _measured(family: Family, entries: tuple[Entry, ...]) -> None:
    """A button, the progress, and the result of the last measuring of this family."""
    here = recorded(family.entries[0].info.data, family.classes)
    options = list(dict.fromkeys([family.pictures, *([here.spec] if here.is_here else [])]))
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="bottom")
    data = left.selectbox(
        "Pictures", options, accept_new_options=True, key=f"theory_measured_{family.key}", persist_state="session",
        help="Any data set in the classes of these runs. Pictures of a single class tell nothing.",
    )  # fmt: skip
    name = f"theory_job_{family.key}"
    job = board().find(st.session_state.get(name, ""))
    runs = job is not None and not job.is_over
    pressed = right.button(
        "Measure", icon=":material/play_arrow:", key="theory_measure", disabled=runs or not entries, type="primary",
        width="stretch", help="One pass of each chosen run over the pictures, in the background.",
    )  # fmt: skip
    if pressed and entries and data:
        refuse_unseen(data.strip())
        open_dataset(data.strip())  # say what is wrong at once
        job = board().start(NegativesJob(entries, data.strip()), _work)
        st.session_state[name] = job.id
        st.rerun()
    if not isinstance(job, NegativesJob):
        st.caption("Nothing was measured yet in this session.")
    elif not job.is_over:
        job_progress(job.id, key="theory_cancel")
    elif job.state == FAILED:
        st.error(plain(job.message), icon=":material/error:")
    elif job.state == CANCELLED:
        st.caption("Cancelled.")
    if isinstance(job, NegativesJob) and job.state == DONE:
        points = {f"{title} ({curve.head.upper()})": curve.points[0] for title, curve in job.found.items()}
        show_chart(
            negatives_now_chart(points, palette()),
            key=f"theory_now_{job.id}",
            name="negatives",
            csv=negatives_csv(job.found),
            alt="Quantiles of the gradient on confusing negatives, a row a run, under BCE and under SCE",
        )
        features = next(iter(points.values())).features
        st.caption(
            f"{features:,} single-label features of {plain(job.data)}. Thick is the middle half, thin the middle 80 %."
        )


def _work(job: NegativesJob) -> None:
    dataset = open_dataset(job.data)
    for entry in job.entries:
        job.begin(f"{entry.title}, picture")
        job.found[entry.title] = measure_negatives(load_run(entry.path, device()), dataset, job.progress)
