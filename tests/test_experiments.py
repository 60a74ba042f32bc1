"""Experiments over heads: parts that never mix, figures that the runs confirm, sentences that the figures support."""

import csv
import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.axes import AXES, axis
from recam_core.experiments.experiment import Experiment, select_words, start_notes, text_table
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.grid import GRID, PAIR, most_confused, pair_figures
from recam_core.experiments.lab import REFERENCE, HeadLab, open_lab
from recam_core.experiments.noise import Difference, Draws, points
from recam_core.experiments.protocol import Protocol, check_apart, choose_best, open_parts, protocol_for
from recam_core.experiments.questions import ask
from recam_core.experiments.study import Outcome, find_pair
from recam_core.method.extraction import share_of_double_negatives
from recam_core.progress import Cancelled
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads, save_heads
from recam_core.train.loop import train
from tiny_data import TinyDataset
from tiny_recipe import tiny_recipe
from tiny_voc import tiny_voc

QUICK = HeadRecipe(epochs=15, lr=0.1)
BOTH = HeadRecipe(update="both", epochs=3, batch_size=4)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A BCE run and the data that it was trained on."""
    folder = tmp_path_factory.mktemp("experiments")
    spec = f"voc:{tiny_voc(folder / 'data', 24, 10)}@train"
    recipe = tiny_recipe(epochs=2, batch_size=4)
    train(recipe, open_dataset(spec), folder / "bce")
    return folder / "bce", spec


@pytest.fixture(scope="module")
def lab(started):
    run, spec = started
    return open_lab(load_run(run), protocol_for(spec))


@pytest.fixture(scope="module")
def measured(lab) -> Outcome:
    """A grid, before anything is said of it."""
    return ask("grid", x=axis("mask", ["none", "soft", "oracle"]), y=axis("rule"), base=QUICK).measured(lab)


@pytest.fixture(scope="module")
def tried(measured) -> Experiment:
    return GRID.answer("grid", measured)


def advice(measured: Outcome, *pair: str) -> Experiment:
    """Of the pair by its names; by default, of the one that is confused most."""
    return PAIR.answer("pair", dataclasses.replace(measured, values={**measured.values, "pair": pair}))


@pytest.fixture(scope="module")
def swept(lab) -> Experiment:
    return ask("lambda", (0,), BOTH, values=(0.1, 1.0, 10.0)).run(lab)


@pytest.fixture(scope="module")
def masked(lab) -> Experiment:
    return ask("masks", base=QUICK, values=("none", "soft")).run(lab)


def test_the_parts_follow_from_the_training_data():
    assert protocol_for("scenes@train") == Protocol("scenes@train.fit", "scenes@train.select", "scenes@val")
    assert protocol_for("scenes") == protocol_for("scenes@train", "@val") == protocol_for("scenes@train", "scenes")
    assert protocol_for("voc:/a@b@train", "@test").report == "voc:/a@b@test"
    assert protocol_for("voc:/a@train", "voc:/b@val").report == "voc:/b@val"


@pytest.mark.parametrize(
    ("data", "report", "words"),
    [
        ("scenes@val", None, "nothing can be reported"),
        ("scenes@train", "scenes@train", "nothing can be reported"),
        ("scenes@train", "@train.select", "nothing can be reported"),
        ("scenes@train", "@train.fit", "nothing can be reported"),
        ("scenes@train.fit", None, "whole split"),
        ("nothing@train", None, "does not name"),
    ],
)
def test_reporting_where_settings_are_chosen_is_refused(data, report, words):
    with pytest.raises(UserError, match=words):
        protocol_for(data, report)


def test_pictures_in_two_parts_are_refused(started, tmp_path):
    _, spec = started
    root = spec.partition(":")[2].rpartition("@")[0]
    splits = tmp_path / "data" / "ImageSets" / "Segmentation"
    tiny_voc(tmp_path / "data", 24, 10)
    (splits / "mixed.txt").write_text((splits / "val.txt").read_text() + (splits / "train.txt").read_text())
    with pytest.raises(UserError, match="must not share pictures"):
        open_parts(protocol_for(f"voc:{tmp_path / 'data'}@train", "@mixed"))
    # The same pictures in a copy of the folder are found, too; other pictures of the same name are no fault.
    with pytest.raises(UserError, match="must not share pictures"):
        open_parts(Protocol(f"{spec}.fit", f"{spec}.select", f"voc:{tmp_path / 'data'}@train"))
    assert root not in str(tmp_path)
    # So is a copy of one picture under another name.
    other = tiny_voc(tmp_path / "other", 24, 30)
    (other / "ImageSets" / "Segmentation" / "val.txt").write_text("squares_50\nrenamed\n")
    for folder, ending in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        shutil.copy(other / folder / f"squares_3.{ending}", other / folder / f"renamed.{ending}")
    with pytest.raises(UserError, match=r"'squares_3' is in .* must not share pictures"):
        open_parts(protocol_for(spec, f"voc:{other}@val"))
    (other / "ImageSets" / "Segmentation" / "val.txt").write_text("squares_50\nsquares_51\n")
    open_parts(protocol_for(spec, f"voc:{other}@val"))

    class Brighter(TinyDataset):
        def load(self, index: int):
            sample = super().load(index)
            return dataclasses.replace(sample, image=sample.image + np.uint8(1))

    one, other = TinyDataset(spec="voc:a@train"), Brighter(spec="voc:b@train")
    other.ids = one.ids
    check_apart({"fit": one, "report": other})


def test_what_the_start_knows_of_the_parts_is_said(started, tmp_path, monkeypatch):
    run, spec = started
    info = load_run(run).info
    (note,) = start_notes(info, protocol_for(spec))
    assert "the select part included" in note
    folder = spec.removeprefix("voc:").removesuffix("@train")
    monkeypatch.chdir(folder)
    assert start_notes(info, protocol_for("voc:../data@train")) == [note]
    assert start_notes(info, protocol_for(f"voc:{tmp_path}@train")) == []
    (note,) = start_notes(info, protocol_for("voc:../data@val", "@train"))
    assert "figures are reported" in note
    assert start_notes(dataclasses.replace(info, data="a disk"), protocol_for(spec)) == []
    scenes = dataclasses.replace(info, data="scenes@train")
    assert len(start_notes(scenes, protocol_for("scenes:train=300,val=120@train"))) == 1
    assert start_notes(scenes, protocol_for("scenes:seed=1@train")) == []


def test_nothing_is_chosen_on_the_part_that_reports():
    assert choose_best([0.2, float("nan"), 0.5, 0.5], "select") == 2
    for part in ("report", "fit", "val"):
        with pytest.raises(UserError, match="only"):
            choose_best([0.1, 0.2], part)
    with pytest.raises(UserError, match="no setting"):
        choose_best([float("nan")], "select")


def test_the_report_part_has_no_say_in_what_is_chosen(started, monkeypatch):
    """With other ground truth on the report part, choice and thresholds stay as they are."""
    run, spec = started
    lab = open_lab(load_run(run), protocol_for(spec))
    axes = axis("mask", ["none", "soft", "hard:0.5"]), axis("rule")
    before = ask("grid", x=axes[0], y=axes[1], base=QUICK).run(lab)
    truth = lab.truths["report"]
    turned = tuple(np.where(values == 255, values, (values.astype(int) + 1) % 4).astype(np.uint8)
                   for values in truth.values)  # fmt: skip
    lab.truths["report"] = dataclasses.replace(truth, values=turned)
    after = ask("grid", x=axes[0], y=axes[1], base=QUICK).run(lab)
    assert after.chosen == before.chosen
    for one, other in zip(before.rows, after.rows, strict=True):
        assert one["threshold"] == other["threshold"]
        assert one["chosen"] == other["chosen"]
        assert (one["miou"] == other["miou"]) == (one["part"] == "select")


def check_shape(found: Experiment, settings: int) -> None:
    """What every experiment promises."""
    assert len(found.rows) == 2 * (settings + 1)
    assert found.sentence.endswith(".")
    assert "nan" not in found.sentence
    assert found.protocol.report in found.sentence
    keys = {row["key"] for row in found.rows}
    assert keys == {REFERENCE, *(one.label for one in found.settings)}
    points_of_chart = [key for panel in found.chart.panels.values() for series in panel for key in series.keys] + [
        key for heat in found.chart.heats for line in heat.keys for key in line
    ]
    assert set(points_of_chart) == keys - {REFERENCE}
    for panel in found.chart.panels.values():
        for series in panel:
            lengths = {len(getattr(series, name)) for name in ("x", "y", "low", "high", "keys")}
            assert len(lengths) == 1
    for key in keys:
        assert found.setting(key).label == key
    assert sum(row["chosen"] for row in found.rows) == (2 if found.chosen else 0)
    json.dumps(found.to_json(), allow_nan=False)
    lines = list(csv.reader(found.to_csv().splitlines()))
    assert len(lines) == len(found.rows) + 1


def test_lambda_sweep(lab):
    found = ask("lambda", (0, 1, 2), BOTH, values=(0.1, 1.0, 10.0)).run(lab)
    check_shape(found, 4)
    assert [one.setting.values["lambda"] for one in found.settings] == [0, 0.1, 1, 10]
    assert found.chart.x_scale == "log0"
    assert {len(one.heads) for one in found.settings} == {3}
    row = next(row for row in found.rows if row["key"] == "lambda 1" and row["part"] == "report")
    each = [score.scores.miou for score in found.setting("lambda 1").report]
    assert row["miou"] == pytest.approx(np.mean(each))
    assert row["miou_spread"] == pytest.approx(np.std(each, ddof=1))
    assert row["data"] == lab.protocol.report
    assert row["gain_low"] <= row["gain_high"]
    best = max(found.settings, key=lambda one: one.miou("select"))
    assert found.chosen == best.label
    assert found.sentence.lower().startswith(best.label)


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        ((), "from 0.1 to 10 lambda makes no difference beyond the noise."),
        (({0.1, 10.0},), "; 2 other values above 0 are within the noise of it."),
        (({1.0, 10.0}, {0.1, 10.0}), "from 0.1 to 1 lambda makes no difference beyond the noise."),
        (({0.1, 1.0}, {1.0, 10.0}), "against lambda 0."),
    ],
)
def test_a_range_of_lambdas_is_called_alike_if_all_of_it_is(lab, swept, monkeypatch, apart, words):
    """As if lambda 1 were the best where settings are chosen, and certain differences were beyond the noise."""
    worst, *_, best = sorted(swept.settings, key=lambda one: one.miou("select"))
    found = [
        dataclasses.replace(one, select=(best if one.setting.values["lambda"] == 1 else worst).select)
        for one in swept.settings
    ]
    lambdas = {id(one.report): one.setting.values["lambda"] for one in found}

    def difference(draws, one, other, figure):
        pair = {lambdas.get(id(one)), lambdas.get(id(other))}  # the table compares with the run as it is, too
        return Difference(0.1, 0.05, 0.2) if 0.0 in pair or pair in apart else NOISE

    monkeypatch.setattr(HeadLab, "measure", lambda *_: (swept.reference, found))
    monkeypatch.setattr(Draws, "difference", difference)
    told = ask("lambda", (0,), BOTH, values=(0.1, 1.0, 10.0)).run(lab)
    assert told.chosen == "lambda 1"
    assert told.sentence.endswith(words)


def test_the_best_point_of_a_sweep_is_what_the_run_says(started, tmp_path):
    """The chosen point trained alone, kept as a run and evaluated: the same figure."""
    run, spec = started
    protocol = protocol_for(spec)
    source = load_run(run)
    found = ask("lambda", (0, 1), BOTH, values=(0.3, 3.0)).run(open_lab(source, protocol, exact=True))
    assert found.exact
    best = found.setting(found.chosen)
    for seed, score in enumerate(best.report):
        cache = build_feature_cache(source, open_dataset(protocol.fit))
        result = retrain_heads(cache, source, best.setting.recipes[seed])
        name = tmp_path / f"best{seed}"
        save_heads(name, source, protocol.fit, result, half=False)
        file = tmp_path / "out.json"
        threshold = str(score.scores.threshold)
        rule = "fc1" if best.setting.values["lambda"] == 0 else best.setting.recipes[seed].rule
        options = ["--threshold", threshold, "--rule", rule, "--json", str(file)]
        assert main(["evaluate", str(name), "--data", protocol.report, *options]) == 0
        evaluated = json.loads(file.read_text())["evaluations"][0]["fixed"]
        assert evaluated["miou"] == pytest.approx(score.scores.miou, abs=2e-3)


def test_intervals_of_one_seed_are_said_to_be_of_pictures_alone(lab):
    def said(seeds, base):
        notes = ask("masks", seeds, base, values=("none", "soft")).run(lab).notes
        return any(note.startswith("With one seed") for note in notes)

    assert said((0,), BOTH)
    assert not said((0, 1), BOTH)
    assert not said((0,), QUICK), "FC2 alone has one solution"


def test_fc2_alone_does_not_depend_on_lambda_and_the_lab_says_why(lab):
    found = ask("lambda", (0, 1), dataclasses.replace(QUICK, update="fc2"), values=(0.1, 10.0)).run(lab)
    assert "cannot depend on lambda" in found.notes[0]
    rows = {row["key"]: row for row in found.rows if row["part"] == "report"}
    assert rows["lambda 0.1"]["miou"] == rows["lambda 10"]["miou"]
    assert rows["lambda 0.1"]["seeds"] == 1
    assert rows["lambda 0"]["miou"] == rows[REFERENCE]["miou"]
    # All above 0 are the same head: none is the best alone.
    assert found.chosen == "lambda 0" or ", as 1 other)" in found.sentence
    assert select_words(found.settings[1], found.settings).endswith(", as 1 other")
    assert ", as" not in select_words(found.settings[0], found.settings[:1])


def test_masks(lab):
    found = ask("masks", base=QUICK, values=("none", "soft", "hard:0.3", "power:2", "oracle")).run(lab)
    check_shape(found, 5)
    assert found.chosen != "oracle"
    assert "the best mask besides the oracle" in found.sentence
    assert not found.setting("oracle").setting.fair
    soft, none = found.setting("soft"), found.setting("none")
    draws = Draws(lab.pictures("report"))
    for name in ("false_positive_rate", "false_negative_rate"):
        assert points(draws.difference(soft.report, none.report, FIGURES[name][0])) in found.sentence


def test_the_question_of_the_masks_is_added_where_it_is_missing(lab):
    found = ask("masks", base=QUICK, values=("hard:0.3",)).run(lab)
    assert {one.label for one in found.settings} == {"hard:0.3", "none", "soft"}


LOWER, HIGHER, NOISE = Difference(-0.1, -0.2, -0.05), Difference(0.1, 0.05, 0.2), Difference(0.01, -0.1, 0.1)


@pytest.mark.parametrize(
    ("positives", "negatives", "words"),
    [
        (NOISE, NOISE, "within the noise"),
        (LOWER, NOISE, "lowers false positives and, as suspected, leaves false negatives"),
        (LOWER, HIGHER, "as suspected, does not lower false negatives"),
        (LOWER, LOWER, "does not fail"),
        (HIGHER, LOWER, "the reverse"),
        (HIGHER, HIGHER, "raises both"),
        (NOISE, LOWER, "lowers false negatives and leaves false positives"),
        (NOISE, HIGHER, "raises false negatives and leaves false positives"),
        (HIGHER, NOISE, "raises false positives and leaves false negatives"),
    ],
)
def test_every_answer_about_masks_is_worded(lab, masked, monkeypatch, positives, negatives, words):
    def difference(draws, one, other, figure):
        return positives if figure is FIGURES["false_positive_rate"][0] else negatives

    monkeypatch.setattr(HeadLab, "measure", lambda *_: (masked.reference, list(masked.settings)))
    monkeypatch.setattr(Draws, "difference", difference)
    sentence = ask("masks", base=QUICK, values=("none", "soft")).run(lab).sentence
    assert words in sentence
    assert f"by {points(positives)} and the false negative rate by {points(negatives)}" in sentence


def test_rules(lab):
    found = ask("rules", base=QUICK).run(lab)
    check_shape(found, 5)
    head = found.setting("product").heads[0]
    share = float(share_of_double_negatives(head.fc1, head.fc2).mean())
    assert {row["double_negatives"] for row in found.rows if row["key"] == "product"} == {share}
    assert f"{100 * share:.1f} %" in found.sentence
    rows = {row["key"]: row for row in found.rows if row["part"] == "report"}
    assert rows["fc1"]["miou"] == rows[REFERENCE]["miou"]
    assert rows["fc1"]["gain"] == 0


def test_loss_on_fc2(lab):
    found = ask("loss", base=QUICK, values=(0.5, 2.0)).run(lab)
    check_shape(found, 4)
    assert {one.setting.recipes[0].loss for one in found.settings} == {"sce", "bce"}
    assert {one.setting.recipes[0].mask for one in found.settings} == {"soft"}


def test_rounds(lab):
    found = ask("rounds", base=QUICK, values=(2,), rules=("fc2", "sum")).run(lab)
    check_shape(found, 4)
    assert [one.setting.values["rounds"] for one in found.settings] == [1, 2, 1, 2]
    assert len(found.setting("fc2, 2 rounds").heads[0].history) == 30


def test_grid(lab, tried):
    check_shape(tried, 15)
    select, report = tried.chart.heats
    assert (select.part, report.part) == ("select", "report")
    assert np.shape(report.values) == (5, 3)
    for line, keys in zip(report.values, report.keys, strict=True):
        for value, key in zip(line, keys, strict=True):
            assert value == tried.setting(key).miou("report")
    assert "oracle" not in tried.chosen
    assert "the best of 10 settings" in tried.sentence, "the oracle is no rival"
    assert any("never chosen" in note for note in tried.notes)
    fair = [value for line in select.values for value in line[:2]]
    assert tried.setting(tried.chosen).miou("select") == max(fair)


def test_every_axis_can_be_varied(lab):
    for name in AXES:
        values = [str(value) for value in AXES[name][:2]]
        other = axis("loss", ["sce"]) if name != "loss" else axis("mask", ["soft"])
        row = {"background": 0.2} if name == "background-power" else {}
        base = dataclasses.replace(BOTH if name == "update" else QUICK, epochs=2, **row)
        found = ask("grid", x=axis(name, values), y=other, base=base).run(lab)
        assert len(found.settings) == 2


def test_axes_are_checked(lab):
    for name, values, words in [
        ("colour", [], "cannot vary"),
        ("lambda", ["much"], "not a value"),
        ("lambda", ["-1"], "lambda must be"),
        ("lambda", ["nan"], "lambda must be"),
        ("mask", ["fog"], "no mask"),
        ("rounds", ["99"], "rounds"),
        ("lr", ["0", "0.02"], "above 0"),
        ("epochs", ["0"], "above 0"),
        ("mask", ["soft", "soft"], "twice"),
        ("mask", ["hard", "hard:0.3"], "twice"),
    ]:
        with pytest.raises(UserError, match=words):
            axis(name, values)
    with pytest.raises(UserError, match="two different"):
        ask("grid", x=axis("mask"), y=axis("mask"), base=QUICK).run(lab)
    many = axis("lr", [str(0.001 * step) for step in range(1, 30)])
    with pytest.raises(UserError, match="most"):
        ask("grid", x=many, y=axis("weight-decay", [str(0.01 * step) for step in range(20)]), base=QUICK)
    with pytest.raises(UserError, match="never chosen"):
        ask("grid", x=axis("mask", ["oracle"]), y=axis("rule"), base=QUICK).run(lab)
    with pytest.raises(UserError, match="more than one round"):
        ask("grid", x=axis("rounds"), y=axis("update"), base=QUICK).run(lab)
    with pytest.raises(UserError, match="twice"):
        ask("masks", base=QUICK, values=("soft", "soft", "none")).run(lab)


def test_pair_advice(lab, measured, tried):
    one, other = most_confused(tried.reference)
    found = advice(measured)
    check_shape(found, 15)
    names = lab.run.info.classes
    assert found.title == f"Advice for {names[one - 1]} and {names[other - 1]}"
    figures = pair_figures(one, other)
    confusion = tried.reference.report[0].scores.confusion
    expected = (confusion[one, other] + confusion[other, one]) / confusion[[one, other]].sum()
    assert float(figures.confused(confusion, True)) == pytest.approx(expected)
    if found.chosen:
        rows = {row["key"]: row for row in found.rows if row["part"] == "select"}
        chosen, before = rows[found.chosen], rows[REFERENCE]
        assert chosen["confused"] < before["confused"]
        assert chosen["pair_iou"] >= before["pair_iou"]
        allowed = [row for key, row in rows.items() if key != REFERENCE and "oracle" not in key
                   and row["pair_iou"] >= before["pair_iou"]]  # fmt: skip
        assert chosen["confused"] == min(row["confused"] for row in allowed)
    else:
        assert found.sentence.startswith("None of")
    assert advice(measured, "Blue", " red").title == "Advice for blue and red"


def test_advice_says_what_the_others_lose_also_where_the_best_setting_is_advised(lab, measured, tried):
    reference = tried.reference
    draws = Draws(lab.pictures("report"))
    # A setting whose maps of the class beside the pair are others than those of the run as it is.
    pair, chosen, cost = next(
        (pair, one, cost)
        for pair in ((1, 2), (1, 3), (2, 3))
        for one in tried.settings
        if one.setting.fair
        and (cost := draws.difference(one.report, reference.report, pair_figures(*pair).others)).value ** 2 > 0
    )
    # It is advised where the run as it is takes all of the pair for each other, and it is the only other setting.
    (before,) = reference.select
    confusion = before.scores.confusion.copy()
    for value, taken_for in (pair, pair[::-1]):
        whole = confusion[value].sum()
        confusion[value] = 0
        confusion[value, taken_for] = whole
    before = dataclasses.replace(before, scores=dataclasses.replace(before.scores, confusion=confusion))
    reference = dataclasses.replace(reference, select=(before,))
    alone = dataclasses.replace(measured, reference=reference, settings=(chosen,))
    found = advice(alone, *(lab.run.info.classes[value - 1] for value in pair))
    assert found.chosen == chosen.label
    assert f"the other classes' mean IoU changes by {points(cost)} against no retraining" in found.sentence
    assert "nothing" not in found.sentence


def test_advice_without_the_pair_where_it_is_reported(started):
    run, spec = started
    lab = open_lab(load_run(run), protocol_for(spec))
    truth = lab.truths["report"]
    blue = tuple(np.where(np.isin(values, (1, 2)), 255, values).astype(np.uint8) for values in truth.values)
    lab.truths["report"] = dataclasses.replace(truth, values=blue)
    study = ask("pair", x=axis("mask", ["none", "soft"]), y=axis("rule"), base=QUICK, pair=lab.run.info.classes[:2])
    found = study.run(lab)
    check_shape(found, 10)
    assert "has no pixel of them" in found.sentence


def test_one_picture_gives_no_interval(started, tmp_path):
    """Every draw of a single picture is that picture; an interval without width would make any difference certain."""
    run, _ = started
    tiny_voc(tmp_path / "data", 24, 25)
    (tmp_path / "data" / "ImageSets" / "Segmentation" / "one.txt").write_text("squares_48\n")
    lab = open_lab(load_run(run), protocol_for(f"voc:{tmp_path / 'data'}@train", "@one"))
    assert lab.pictures("report") == 1
    found = ask("masks", base=QUICK, values=("none", "soft")).run(lab)
    assert "what masking changes is within the noise" in found.sentence
    assert "no interval from one picture" in found.sentence
    rows = [row for row in found.rows if row["part"] == "report"]
    assert all(math.isnan(row["gain_low"]) for row in rows)
    assert "nan" not in text_table(found)
    json.dumps(found.to_json(), allow_nan=False)
    without = dataclasses.replace(found, rows=({**rows[0], "miou": float("nan"), "miou_spread": float("nan")},))
    assert "nan" not in text_table(without)
    assert points(Difference(float("nan"), float("nan"), float("nan"))) == "an unknown number of points"


def test_pairs_are_checked(lab):
    classes = lab.run.info.class_list
    for names in (["red"], ["red", "red"], ["red", "green", "blue"]):
        with pytest.raises(UserError, match="two different"):
            find_pair(names, classes)
    with pytest.raises(UserError, match="no class 'purple'"):
        find_pair(["red", "purple"], classes)


def test_an_experiment_can_be_cancelled(lab):
    def stop(done: int, total: int, note: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ask("rules", base=QUICK).run(lab, stop)


@pytest.mark.parametrize(
    "arguments",
    [
        ["lambda", "--values", "1", "--seeds", "0", "--epochs", "2"],
        ["masks", "--values", "none", "soft", "--epochs", "5"],
        ["rules", "--epochs", "5"],
        ["loss", "--values", "1", "--epochs", "5"],
        ["grid", "--x", "mask", "none", "soft", "--y", "lambda", "0", "1", "--epochs", "5"],
        ["pair", "--x", "mask", "none", "soft", "--pair", "red,green", "--epochs", "5"],
        ["rounds", "--values", "1", "2", "--rules", "fc2", "--epochs", "5"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_experiment_runs_from_the_command_line(started, tmp_path, capsys, arguments):
    run, spec = started
    kind, *options = arguments
    files = ["--json", str(tmp_path / "out.json"), "--csv", str(tmp_path / "out.csv")]
    assert main(["experiment", kind, str(run), "--data", spec, *options, *files]) == 0
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["sentence"] in printed
    assert written["parts"]["report"].endswith("@val")
    lines = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [line["key"] for line in lines] == [row["key"] for row in written["rows"]]
    assert all(math.isfinite(float(line["miou"])) for line in lines)


def test_a_lambda_that_does_nothing_is_said(started, capsys):
    run, spec = started
    masks = ["experiment", "masks", str(run), "--data", spec, "--values", "none", "soft", "--epochs", "2"]
    for words, is_said in ((["--lambda", "2"], True), (["--lambda", "2", "--update", "both"], False), ([], False)):
        assert main([*masks, *words]) == 0
        assert ("Lambda does nothing here" in capsys.readouterr().err) == is_said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["masks", "--report", "@train"], "nothing can be reported"),
        (["masks", "--values", "fog"], "no mask"),
        (["rules", "--rules", "best"], "rule"),
        (["lambda", "--seeds", "-1"], "Seeds"),
        (["lambda", "--values", "-1"], "lambda"),
        (["grid", "--x", "colour"], "cannot vary"),
        (["pair", "--pair", "red"], "two different"),
        (["rounds", "--values", "0"], "rounds"),
        (["loss", "--values", "-1"], "learning rate"),
        (["loss", "--values", "0", "1"], "learning rate"),
        (["loss", "--values", "nan"], "learning rate"),
        (["masks", "--lambda", "0"], "lambda above 0"),
        (["rules", "--lambda", "0"], "lambda above 0"),
        (["loss", "--lambda", "0", "--update", "both"], "lambda above 0"),
        (["rounds", "--lambda", "0"], "lambda above 0"),
        (["grid", "--lambda", "0", "--update", "both"], "lambda above 0"),
        (["grid", "--lambda", "0", "--x", "lr", "--y", "epochs"], "lambda above 0"),
        (["lambda", "--values", "0"], "lambda above 0"),
        (["rounds", "--values", "1"], "rounds above 1"),
        (["masks", "--report", "@nosuch"], "nosuch"),
        (["masks", "--values", "soft", "soft"], "named twice"),
        (["rules", "--rules", "sum", "sum"], "named twice"),
        (["lambda", "--values", "1", "1"], "named twice"),
        (["lambda", "--values", "1e9"], "lambda"),
        (["grid", "--x", "mask", "--y", "mask"], "two different settings"),
        (["grid", "--x", "mask", "oracle"], "oracle"),
    ],
)
def test_bad_input_is_a_sentence_before_features_are_computed(started, capsys, monkeypatch, arguments, words):
    run, spec = started
    monkeypatch.setattr("recam_core.experiments.lab.build_feature_cache", lambda *_: pytest.fail("features were made"))
    kind, *options = arguments
    assert main(["experiment", kind, str(run), "--data", spec, *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
