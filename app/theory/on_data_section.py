"""What is measured on data sets: what confusing negatives receive, and the paper's figure 1."""

import hashlib
import shlex
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import streamlit as st

from app.carried import choose_family
from app.catalogue import Catalogue, Entry, Family, has_no_runs
from app.chart import palette, show_chart
from app.datasets import refuse_unseen
from app.guard import sentences
from app.job_progress import job_state
from app.jobs import Job, board
from app.models import device
from app.plain_words import plain
from app.recorded_pictures import recorded
from app.theory.picture import choose_run
from app.visitors import may_train
from recam_core.cache import cache_folder
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.experiments.figure1 import WHAT, Figure1, HeadSettings, check_settings, keep_figure1, kept_figures
from recam_core.experiments.figure1_full import figure1_full
from recam_core.experiments.figure1_heads import figure1
from recam_core.experiments.pooled_vectors import IMAGENET
from recam_core.experiments.protocol import data_and_report
from recam_core.guest import NO_TRAININGS, as_typed_spec, guest, refuse_training
from recam_core.theory.negatives import GONE, NegativeCurve, measure_negatives, read_negatives
from recam_core.train.recipe import preset
from recam_core.typed_path import as_typed
from recam_core.views.charts.figure1 import figure1_chart, figure1_confusion_chart
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
    if has_no_runs(catalogue):
        return
    left, right = st.columns([1, 2], gap="medium")
    with left:
        family = choose_family(catalogue, "theory_family", "Runs that know the same classes can be compared.")
    by_key = {entry.key: entry for entry in family.entries}
    found = {key: read_negatives(entry.path) for key, entry in by_key.items()}
    kept = {key: curve for key, curve in found.items() if curve is not None and len(curve.points) > 1}
    key = f"theory_runs_{family.key}"
    usual = list(kept)[:2] or [entry.key for entry in family.first_choice]
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
            _along(by_key[one], kept[one])
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
        job = board().start(NegativesJob(entries, data.strip()), _measure)
        st.session_state[name] = job.id
        st.rerun()
    if not isinstance(job, NegativesJob):
        st.caption("Nothing was measured yet in this session.")
    elif job_state(job, "theory_cancel"):
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


def _measure(job: NegativesJob) -> None:
    dataset = open_dataset(job.data)
    for entry in job.entries:
        job.begin(f"{entry.title}, picture")
        job.found[entry.title] = measure_negatives(load_run(entry.path, device()), dataset, job.progress)


_DEPTHS = {"heads": "heads", "full": "whole networks"}


@dataclass
class Figure1Job(Job):
    """Figure 1 by heads, or by whole networks.

    Attributes:
        source, data, report, what, settings: as :func:`recam_core.experiments.figure1_heads.figure1` takes them.
        epochs: of whole networks; 0 trains heads.
        kept: the name under which the result is kept, once the state is ``DONE``.
    """

    source: str
    data: str
    report: str
    what: str
    settings: HeadSettings
    epochs: int = 0
    kept: str = ""


def figure1_section(catalogue: Catalogue) -> None:
    """Draw the section."""
    st.markdown(
        "The paper's first figure: of pictures that show **one** class, classifiers trained by SCE tell apart better "
        "than those trained by BCE, above all within a hard group of classes. Here the group is found in the confusion "
        "matrix, and the same is asked of features that are masked to one class, which every picture gives."
    )
    kept = kept_figures()
    with st.expander("Train heads on other features or pictures", icon=":material/science:", expanded=not kept):
        with sentences():
            _form(catalogue)
    kept = kept_figures()
    if not kept:
        st.info("No result is kept yet.", icon=":material/bar_chart:")
        return
    if st.session_state.get("theory_figure") not in kept:
        st.session_state["theory_figure"] = next(iter(kept))
    titles = _titles(kept)
    name = st.selectbox(
        "Result", list(kept), format_func=titles.__getitem__, key="theory_figure", persist_state="session",
        help="Those that ship come first, then what was made on this computer, also by the command line."
        if guest() is None
        else "Those that ship come first, then your own.",
    )  # fmt: skip
    _result(kept[name], name)


def _titles(kept: dict[str, Figure1]) -> dict[str, str]:
    """What each is called. Of two options that read alike, Streamlit takes the last, whichever was chosen."""
    titles: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name, found in kept.items():
        title = _title(found)
        seen[title] += 1
        titles[name] = title if seen[title] == 1 else f"{title} ({seen[title]})"
    return titles


def _title(found: Figure1) -> str:
    return (
        f"{found.fit.rpartition('/')[2]}: {WHAT[found.what]}, {_DEPTHS.get(found.depth, found.depth)} on {found.source}"
    )


def _result(found: Figure1, name: str) -> None:
    st.markdown(plain(found.sentence))
    left, right = st.columns([1, 1.1], gap="large")
    with left:
        show_chart(
            figure1_chart(found, palette()),
            key=f"theory_figure1_{name}",
            name="figure1",
            csv=found.to_csv(),
            alt="Accuracy of classifiers by BCE and by SCE, of all classes and of the hard group",
        )
    with right:
        show_chart(
            figure1_confusion_chart(found, palette()),
            key=f"theory_confused_{name}",
            name="figure1_confusion",
            alt="The cross-validated confusion matrix in which the hard group was found",
        )
    for note in found.notes:
        st.caption(plain(note))


def _form(catalogue: Catalogue) -> None:
    if has_no_runs(catalogue):
        return
    first, second, third = st.columns(3, gap="medium")
    with first:
        family = choose_family(catalogue, "theory_family", "Runs that know the same classes.")
    with second:
        entry = choose_run(
            family, "theory_features", "Features of", family.by_method("bce"), "Its backbone stays as it is."
        )
        neutral = st.toggle(
            "ImageNet's backbone instead", key="theory_neutral",
            help="A run's backbone was trained by its loss. ImageNet's has seen neither; it gives pictures only.",
        )  # fmt: skip
        whole = st.toggle(
            "Train whole networks", key="theory_whole", disabled=not may_train(),
            help="Backbone and all, from ImageNet's weights, one network a loss, seed and group of classes: hours on a "
            "processor. What is finished is kept, and a cancelled training goes on from its last epoch."
            if may_train()
            else NO_TRAININGS,
        )  # fmt: skip
    with third:
        what = st.segmented_control(
            "Of", list(WHAT), default="pictures", required=True, key="theory_what", persist_state="session",
            disabled=neutral or whole, help="; ".join(f"{key}: {words}" for key, words in WHAT.items()),
        )  # fmt: skip
        group = st.number_input("Classes in the hard group", 2, 20, 3, key="theory_group")
        epochs, seeds = 0, HeadSettings().seeds
        if whole:
            epochs = int(st.number_input("Epochs", 1, 100, 3, key="theory_epochs"))
            seeds = tuple(range(int(st.number_input("Seeds", 1, 10, 2, key="theory_seeds"))))
    here = recorded(entry.info.data, family.classes)
    data_column, report_column, button_column = st.columns([1.6, 1.2, 1], gap="medium", vertical_alignment="bottom")
    data = data_column.text_input(
        "Trained on", here.spec if here.is_here else "", key=f"theory_fit_{entry.key}",
        placeholder="such as voc:FOLDER@train", help="A data set in the classes of the run.",
    )  # fmt: skip
    report = report_column.text_input("Reported on", "@val", key="theory_report", help="Another data set, or @SPLIT.")
    job = board().find(st.session_state.get("theory_figure_job", ""))
    runs = job is not None and not job.is_over
    pressed = button_column.button(
        "Train networks" if whole else "Train heads",
        icon=":material/play_arrow:",
        key="theory_train",
        type="primary",
        disabled=runs,
        width="stretch",
    )
    settings = HeadSettings(group=int(group), seeds=seeds)
    plain_pictures = neutral or whole
    source = IMAGENET if plain_pictures else str(entry.path)
    wanted = Figure1Job(source, data.strip(), report.strip(), "pictures" if plain_pictures else what, settings, epochs)
    if pressed:
        if whole:
            refuse_training()
        refuse_unseen(wanted.data)
        if not wanted.report.startswith("@"):
            refuse_unseen(wanted.report)
        fit, _ = data_and_report(wanted.data, wanted.report)  # say what is wrong at once
        check_settings(settings, len(fit.classes))
        # Hours of work do not stand before what takes seconds.
        job = board().start(wanted, _train, at_once=whole)
        st.session_state["theory_figure_job"] = job.id
        st.rerun()
    if isinstance(job, Figure1Job) and job_state(job, "theory_figure_cancel"):
        _choose_result(job)
    st.caption("The same from the command line")
    st.code(_command(wanted), language="bash", wrap_lines=True)


def _choose_result(job: Figure1Job) -> None:
    """Have the result of a job be the one that is shown; once, so that another one can be chosen after it."""
    if st.session_state.get("theory_figure_told") != job.id:
        st.session_state["theory_figure_told"] = job.id
        st.session_state["theory_figure"] = job.kept


def _command(job: Figure1Job) -> str:
    source = job.source if job.source == IMAGENET else str(as_typed(Path(job.source)))
    data, report = as_typed_spec(job.data or "SPEC"), as_typed_spec(job.report or "@val")
    words = ["python", "-m", "recam_core", "experiment", "figure1", source, "--data", data]
    words += ["--report", report, "--what", job.what, "--group", str(job.settings.group)]
    if job.epochs:
        words += ["--depth", "full", "--epochs", str(job.epochs), "--folder", "runs/figure1"]
        words += ["--seeds", *map(str, job.settings.seeds)]
    return shlex.join(words)


def _train(job: Figure1Job) -> None:
    job.begin("Computing features")

    def progress(done: int, total: int, note: str = "") -> None:
        words = "Computing features, picture"
        if "seed" in note:
            words = "Training networks, step"
        elif "classifiers" in note:
            words = "Training heads, epoch"
        if words != job.step or total != job.total:
            job.begin(words)
        job.progress(done, total)

    if job.epochs:
        recipe = replace(preset("bce", "small"), epochs=job.epochs)
        fit, report = data_and_report(job.data, job.report)
        name = hashlib.sha256(repr((fit.spec, recipe)).encode()).hexdigest()[:16]
        folder = cache_folder(private=True) / "figure1-runs" / name
        found = figure1_full(fit, report, recipe, job.settings, folder, device=device(), progress=progress)
    else:
        found = figure1(job.source, job.data, job.report, job.what, job.settings, device(), progress)
    job.kept = keep_figure1(found).stem
