"""Retraining FC1 and FC2: settings, a button, a job in the background, and what to do with its result."""

from collections import deque
from dataclasses import dataclass

import streamlit as st

from app.catalogue import Entry, Family
from app.chart import palette, show_chart
from app.datasets import dataset, refuse_unseen
from app.guard import sentences
from app.job_progress import job_state
from app.jobs import DONE, Job, board
from app.links import keep, kept
from app.methods import Method, method_of_heads
from app.models import device, device_words, shared_run
from app.plain_words import plain
from app.recipe_fields import background_fields, number_field, rule_field
from app.recorded_pictures import recorded, say_missing
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.folders import runs_folder
from recam_core.guest import is_own
from recam_core.method.background import check_background
from recam_core.method.extraction import map_weights, rules_of
from recam_core.method.masks import MASKS
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.features_apart import features_apart
from recam_core.retrain.head_recipe import DEFAULTS, HeadRecipe, completed, usual_heads
from recam_core.retrain.heads import HeadResult, retrain_heads
from recam_core.retrain.named_run import check_run_name, keep_heads, retrain_command
from recam_core.scores.thresholds import choose_threshold
from recam_core.setting import settings
from recam_core.typed_path import as_typed
from recam_core.views.charts.curves import Curve, curve_chart, curves_csv

_TITLE = "Your ReCAM"
_STEPS = ("Computing features", "Training", "Choosing the threshold")
#: The line above the panes.
_GO_TO_PANES = """<script>
document.querySelector(".st-key-explore_heading")?.scrollIntoView({
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "center" });
</script>"""
_UPDATES = {"both": "FC1 and FC2", "fc2": "FC2 only"}
#: What lambda means for either choice of what is updated.
_LAMBDA_WORDS = {
    "fc2": "**FC2 only: λ is off.** $L_{bce}$ does not depend on FC2, so λ merely scales the gradient of $L_{sce}$, "
    "and Adam divides that scale out again: any λ above 0 gives the same FC2, and λ = 0 trains nothing.",
    "both": "**FC1 and FC2:** both are trained on $L_{bce} + \\lambda L_{sce}$, and FC1 makes the masks as well: λ "
    "weighs telling classes apart (large) against recognising them (small). At λ = 0 FC2 is not trained.",
}


# The work ------------------------------------------------------------------------------------------------------------


@dataclass
class RetrainJob(Job):
    """One retraining.

    Attributes:
        entry: the run whose backbone and FC1 it starts from.
        data: specification of the training pictures.
        recipe: the settings.
        result, threshold: what came out, once the state is ``DONE``.
        kept_as: the name of the run that it was kept as.
    """

    entry: Entry
    data: str
    recipe: HeadRecipe
    result: HeadResult | None = None
    threshold: float | None = None
    kept_as: str = ""


@st.cache_resource(show_spinner=False)
def _seen_in_cache() -> deque[tuple[str, str]]:
    """(weights, data) whose features were seen to be in the cache: no process need look again."""
    return deque(maxlen=100)


def _retrain(job: RetrainJob) -> None:
    """The work of one job, on a network of its own: the panes go on using the shared one meanwhile."""
    job.begin(_STEPS[0])
    # Drawn pictures are shared with the pages, so that their labels are found once; files may have changed.
    pictures = dataset(job.data) if parse_spec(job.data).kind == "scenes" else open_dataset(job.data)
    asked = (job.entry.info.weights_sha256, job.data)
    # What a guest uploaded is known, and kept, for them alone: another process sees nothing of it.
    if device().type == "cpu" and asked not in _seen_in_cache() and not is_own(job.data):
        # Minutes of Python's lock, which the pages of all visitors would wait for.
        features_apart(job.entry.path, job.data, job.progress)
        _seen_in_cache().append(asked)
    run = load_run(job.entry.path, device())
    cache = build_feature_cache(run, pictures, job.progress)
    job.begin(_STEPS[1])
    result = retrain_heads(cache, run, job.recipe, job.progress)
    job.begin(_STEPS[2])
    weight = map_weights(result.recipe.rule, result.fc1, result.fc2).to(run.network.device)
    job.threshold = choose_threshold(run.network, weight, pictures, job.progress)
    job.result = result


# The result as a pane ------------------------------------------------------------------------------------------------


def _job(family: Family) -> RetrainJob | None:
    """The job that the address names, if it is of this family."""
    job = board().find(kept("job"))
    return job if isinstance(job, RetrainJob) and job.entry.info.class_list == family.classes else None


def fourth_pane(family: Family) -> Method | None:
    """The retrained maps, once there are any."""
    job = _job(family)
    if job is None or job.state != DONE or job.result is None or job.kept_as:
        return None
    result = job.result
    try:
        shared = shared_run(job.entry)
    except UserError:
        return None  # its run was deleted meanwhile; the panel still offers to discard the result
    return method_of_heads(f"job/{job.id}", _TITLE, shared, result.fc1, result.fc2, result.recipe.rule, job.threshold)


# The panel -----------------------------------------------------------------------------------------------------------


def is_retrained(family: Family) -> bool:
    """Whether the job is over whose result the page shows."""
    job = _job(family)
    return job is not None and job.is_over


@st.fragment
def retrain_panel(family: Family, is_shown: bool) -> None:
    """Everything below the panes; its settings redraw nothing else.

    Args:
        family: whose runs are trained.
        is_shown: whether the job was over (see :func:`is_retrained`) when the panes were drawn.
    """
    if is_retrained(family) and not is_shown:
        st.rerun()  # it ended meanwhile: the panes have to show it
    with sentences(), st.container(border=True, key="explore_retrain"):
        st.markdown("#### Make your own ReCAM")
        st.markdown(
            "Train the classifiers anew on the features that a run's backbone gives of its training pictures. The "
            "backbone stays as it is, so this takes seconds. The result is a pane above, and the page goes there."
        )
        job = _job(family)
        busy = job is not None and not job.is_over
        recipe, entry, data = _recipe(family)
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(
                "Retrain", type="primary", icon=":material/model_training:", disabled=busy, key="explore_start"
            ):
                with sentences():
                    _start(entry, data, recipe)
            st.caption(f"On {device_words()}. The first time, features are computed and kept: about half a minute.")
        found = recorded(entry.info.data, entry.info.class_list)
        if data == found.spec:
            say_missing(found)
        if job is not None:
            _follow(family, job)


def _recipe(family: Family) -> tuple[HeadRecipe, Entry, str]:
    """The settings."""
    first = family.by_method("bce") or family.entries[0]
    by_key = {entry.key: entry for entry in family.entries}
    update = st.segmented_control(
        "Update",
        list(_UPDATES),
        default=usual_heads(False).update,
        required=True,
        format_func=_UPDATES.__getitem__,
        key="explore_update",
        persist_state="session",
        help="What is trained: FC1 and FC2 (some ten seconds: the masks change in every step), or FC2 alone (about a "
        "second), where λ does nothing.",
    )
    left, middle, right = st.columns(3, gap="medium")
    known = settings(HeadRecipe)
    weight = number_field(
        left,
        known["weight"],
        1.0,
        "explore_lambda",
        disabled=update == "fc2",
        help=None
        if update == "both"
        else "Off, since λ does nothing where FC2 alone is trained: any value above 0 gives the same FC2.",
    )
    mask = _mask(left)
    background, power = 0.0, HeadRecipe.background_power
    if family.classes.has_background:
        background, power = background_fields(left, usual_heads(True).background, "explore")
    has_row = background > 0
    rule = rule_field(
        middle,
        rules_of(True, has_row),
        usual_heads(has_row).rule,
        key="explore_new_rule_with_row" if has_row else "explore_new_rule",
    )
    epochs = number_field(middle, known["epochs"], DEFAULTS[update][0], f"explore_epochs_{update}")
    rate = number_field(right, known["lr"], DEFAULTS[update][1], f"explore_rate_{update}", least=0.00001)
    start = right.selectbox(
        "Features and FC1 of",
        list(by_key),
        index=list(by_key).index(first.key),
        format_func=lambda key: by_key[key].title,
        key=f"explore_start_from_{family.key}",
        persist_state="session",
        help="The run whose backbone gives the features, and whose FC1 gives the masks.",
    )
    st.caption(_LAMBDA_WORDS[update])
    entry = by_key[start]
    with st.expander("Training pictures"):
        found = recorded(entry.info.data, entry.info.class_list)
        key = f"explore_train_on_{entry.key}"
        if st.session_state.get(key, entry.info.data) == entry.info.data:
            st.session_state[key] = found.spec  # they may have come meanwhile
        data = st.text_input(
            "Data set to train on",
            key=key,
            persist_state="session",
            help="As the run was trained on, unless you name another set with the same classes, such as "
            "`voc:FOLDER@train` or `folder:FOLDER`.",
        ).strip()
    recipe = HeadRecipe(
        weight=weight if update == "both" else HeadRecipe.weight,
        mask=mask,
        rule=rule,
        update=update,
        epochs=int(epochs),
        lr=rate,
        background=background,
        background_power=power,
    )
    return recipe, entry, data


def _mask(column: st.delta_generator.DeltaGenerator) -> str:
    """The masking choice with its parameter, as the recipe writes it."""
    kind = column.selectbox(
        "Mask",
        list(MASKS),
        key="explore_new_mask",
        persist_state="session",
        help="What the features are multiplied with to become those of a single class (equation 3).\n"
        + "\n".join(f"- **{name}**: {mask.meaning}" for name, mask in MASKS.items()),
    )
    parameter = MASKS[kind].parameter
    if parameter is None:
        return kind
    name, default, smallest, largest = parameter
    value = column.number_input(
        f"{name} of the {kind} mask",
        min_value=smallest,
        max_value=largest,
        value=default,
        step=0.05 if largest <= 1 else 0.5,
        key=f"explore_parameter_{kind}",
        persist_state="session",
    )
    return f"{kind}:{value:g}"


def _start(entry: Entry, data: str, recipe: HeadRecipe) -> None:
    """Check what can be checked at once, and put the job to work."""
    recipe = completed(recipe)
    refuse_unseen(data)
    try:
        found = open_dataset(data)
    except UserError as error:
        raise UserError(
            f"The training pictures are not here: {error} Name one with the same classes under *Training pictures*."
        ) from error
    if found.classes.names != entry.info.class_list.names:
        raise UserError(
            f"{data} has other classes than {entry.title}; retraining needs the same ones in the same order."
        )
    check_background(recipe, found.classes.has_background, data)
    board().forget(kept("job"))
    keep("job", board().start(RetrainJob(entry, data, recipe), _retrain).id)
    st.rerun()


# Meanwhile, and after the end ----------------------------------------------------------------------------------------


def _follow(family: Family, job: RetrainJob) -> None:
    """Where the job stands, and what can be done with its result."""
    if not job.is_over:
        st.session_state["explore_waited_for"] = job.id
    if not job_state(job, "explore_cancel", "Cancelled. Nothing was kept of it."):
        return
    if job.kept_as:
        st.success(
            f"Kept as the run **{plain(job.kept_as)}**; it stands among the panes now.",
            icon=":material/bookmark_added:",
        )
    elif job.result is not None:
        _result(family, job, job.result)


def _result(family: Family, job: RetrainJob, result: HeadResult) -> None:
    """The loss curve, keeping and discarding, and the command that makes it again."""
    if st.session_state.pop("explore_waited_for", "") == job.id:
        _go_to_panes()
    chosen = "" if job.threshold is None else f" Background threshold {job.threshold:.2f}, chosen on training pictures."
    st.success(f"Trained in {result.seconds:.1f} s: see **{_TITLE}** above.{chosen}", icon=":material/check_circle:")
    curve, keeping = st.columns([3, 2], gap="large")
    with curve:
        names = [name for name in ("sce", "bce") if name in result.history[0]]
        epochs = tuple(row["epoch"] for row in result.history)
        losses = [Curve(f"L_{name}", epochs, tuple(row[name] for row in result.history)) for name in names]
        show_chart(
            curve_chart(losses, palette(), title="loss"),
            key="explore_losses",
            name="losses",
            csv=curves_csv(losses),
            alt="The losses over the epochs",
        )
    with keeping:
        name = st.text_input("Keep it as", placeholder="a name, such as hard-masks", key=f"explore_name_{job.id}")
        with st.container(horizontal=True):
            if st.button("Keep", icon=":material/bookmark_add:", key="explore_keep"):
                with sentences():
                    _keep(family, job, result, name)
            st.button("Discard", icon=":material/delete:", key="explore_discard", on_click=_discard, args=(job.id,))
    st.caption("The same run from the command line:")
    st.code(_command(job, result, name.strip() or "my-recam"), language="bash", wrap_lines=True)


def _go_to_panes() -> None:
    """Bring the panes into view: the result is one of them, and the button that made it is far below."""
    st.html(_GO_TO_PANES, unsafe_allow_javascript=True)
    st.toast(f"{_TITLE} is the last pane. Keep or discard it below, where it was made.", icon=":material/check_circle:")


def _command(job: RetrainJob, result: HeadResult, name: str) -> str:
    source, out = as_typed(job.entry.path), as_typed(runs_folder() / name)
    return retrain_command(source, job.data, out, result.recipe, job.threshold is not None)


def _keep(family: Family, job: RetrainJob, result: HeadResult, name: str) -> None:
    name = check_run_name(name, runs_folder())
    run, command = shared_run(job.entry).run, _command(job, result, name)
    keep_heads(runs_folder(), name, run, job.data, result, job.threshold, command)
    job.kept_as = name
    # The pane of the result becomes the pane of the run.
    st.session_state["explore_add_pane"] = (family.key, f"run/{name}")
    st.rerun()


def _discard(job_id: str) -> None:
    board().forget(job_id)
    keep("job", "")
    st.rerun()  # the panes, too
