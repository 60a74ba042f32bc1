"""The paper's tables: what is trained, what is taken as it is, and that the figures are those of an evaluation."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.experiments.ablation import ablation, ablation_text, notes_of, sentence_of
from recam_core.experiments.ablation_plan import AblationPlan, Row, ablation_tables, head_recipe, report_specs
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads, save_heads
from recam_core.scores.evaluate import Tally
from recam_core.train.recipe import METHODS, preset
from tiny_voc import tiny_voc

SMALL = {"backbone": "timm:test_resnet", "weights": "none", "batch_size": 4, "crop": 48, "resize_long": (40, 56)}
RATES = {"lr_backbone": 1e-3, "lr_fc1": 1e-2, "epochs": 1}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    spec = f"voc:{tiny_voc(folder / 'data')}@train"
    bases = {name: dataclasses.replace(preset(name, "small"), **SMALL, **RATES) for name in METHODS}
    bases["recam"] = dataclasses.replace(bases["recam"], lr_fc2=1e-2, rule="sum")
    heads = HeadRecipe(update="both", rule="sum", epochs=2)
    return AblationPlan(spec, report_specs(spec, ["@val"]), folder / "runs", seeds=(0, 1), bases=bases, heads=heads)


@pytest.fixture(scope="module")
def full(plan):
    return ablation(plan)


def evaluated(run, rule: str, data: str, select: str):
    """By hand: the threshold of one part, the scores on another."""
    sides = {}
    for spec in (select, data):
        dataset = open_dataset(spec)
        tally = Tally(dataset.classes)
        for sample, maps in maps_of_dataset(run.network, dataset, [rule], MapSettings()):
            tally.add(maps[rule], sample.mask)
        sides[spec] = tally
    threshold = sides[select].evaluation().best.threshold
    return sides[data].evaluation(threshold=threshold).fixed


def row(found, label: str):
    return next(one for one in found.rows if one["label"] == label)


def test_one_seed_is_said_and_so_is_a_threshold_chosen_on_what_is_reported(tmp_path):
    data, select = "scenes@train", "scenes@train.select"
    plan = AblationPlan(data, (select,), tmp_path, seeds=(0,))
    found = {("recam-sum", 0): {select: {"miou": 0.61}}, ("bce-fc1", 0): {select: {"miou": 0.6}}}
    assert sentence_of(plan, found) == f"On {select} ReCAM gains 1.0 points of mIoU (one seed) against BCE-CAM."
    assert any("chose the threshold" in note for note in notes_of(plan, select))
    assert not any(
        "chose the threshold" in note for note in notes_of(dataclasses.replace(plan, reports=("scenes@val",)), select)
    )


def test_a_training_a_name_and_seed(plan, full):
    runs = {path.parent.name: read_info(path.parent) for path in plan.folder.glob(f"*/{INFO_FILE}")}
    lambdas, masks = ("lambda0", "lambda0.1", "lambda10"), ("mask-none", "mask-power2", "mask-hard0.3")
    names = ("bce", "sce", "recam", "fc2-bce", *lambdas, *masks, "background0.2")
    assert set(runs) == {f"{name}-seed{seed}" for name in names for seed in (0, 1)}
    for name, info in runs.items():
        assert info.seed == int(name[-1])
        if info.method == "recam":
            assert info.parent_sha256 == runs[f"bce-seed{info.seed}"].weights_sha256
    assert runs["fc2-bce-seed1"].recipe["fc2_loss"] == "bce"
    assert runs["lambda10-seed0"].recipe["weight"] == 10
    assert runs["mask-none-seed0"].recipe["mask"] == "none"
    assert runs["background0.2-seed0"].recipe["background"] == 0.2
    assert runs["background0.2-seed0"].network["background_row"]
    assert len({info.weights_sha256 for info in runs.values()}) == len(runs)


def test_the_figures_are_those_of_an_evaluation(plan, full):
    select = plan.data + ".select"
    found = {}
    for label, name, rule in (("BCE-CAM", "bce", "fc1"), ("ReCAM (FC2 with SCE)", "recam", "sum")):
        scores = [evaluated(load_run(plan.folder / f"{name}-seed{s}"), rule, plan.reports[0], select) for s in (0, 1)]
        found[label] = row(full, label)
        assert found[label]["miou_seeds"] == pytest.approx([one.miou for one in scores])
        assert found[label]["miou"] == pytest.approx(np.mean([one.miou for one in scores]))
        assert found[label]["miou_spread"] == pytest.approx(np.std([one.miou for one in scores], ddof=1))
        assert found[label]["wrong_class"] == pytest.approx(np.mean([one.wrong_class for one in scores]))
    gains = np.subtract(*(found[label]["miou_seeds"] for label in ("ReCAM (FC2 with SCE)", "BCE-CAM")))
    assert found["ReCAM (FC2 with SCE)"]["gain_seeds"] == pytest.approx(gains.tolist())
    assert found["BCE-CAM"]["gain"] == 0
    mean = 100 * np.mean(gains)
    if min(gains) > 0 or max(gains) < 0:
        assert f"{'gains' if mean > 0 else 'loses'} {abs(mean):.1f} points" in full.sentence
    else:
        assert "gains nothing that all seeds agree on" in full.sentence


def test_tables_share_what_is_the_same(full):
    shared = [one for one in full.rows if (one["run"], one["rule"]) == ("recam", "sum")]
    assert {one["table"] for one in shared} == {"loss", "lambda", "masks", "rules", "background"}
    assert len({one["miou"] for one in shared}) == 1
    assert row(full, "lambda 0")["rule"] == "fc1", "nothing trains FC2 there"


def test_what_is_there_is_not_made_again(plan, full, monkeypatch):
    monkeypatch.setattr("recam_core.experiments.full_training.train", lambda *a, **k: pytest.fail("trained again"))
    monkeypatch.setattr("recam_core.experiments.full_training.count_exact", lambda *a, **k: pytest.fail("scored again"))
    assert ablation(plan).rows == full.rows


def test_finished_runs_are_taken_from_elsewhere(plan, full, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(
        "recam_core.experiments.ablation.dispatch", lambda work, works, *rest: begun.append(works) or []
    )
    other = dataclasses.replace(plan, folder=tmp_path, have=(plan.folder,), tables=("loss",))
    with pytest.raises(KeyError):
        ablation(other)
    assert [type(one).__name__ for one in begun[0]] == ["ScoreTask"] * 8, "nothing is left to train"
    longer = {name: dataclasses.replace(recipe, epochs=2) for name, recipe in plan.bases.items()}
    begun.clear()
    with pytest.raises(KeyError):
        ablation(dataclasses.replace(other, bases={**plan.bases, "sce": longer["sce"]}))
    assert [one.recipe.method for one in begun[0]] == ["sce", "sce"], "another recipe is another run"


def test_a_record_that_only_names_its_start_is_taken_beside_it(plan, full, tmp_path, monkeypatch):
    begun = []
    dispatched = "recam_core.experiments.ablation.dispatch"
    monkeypatch.setattr(dispatched, lambda work, works, *rest: begun.append(works) or [])
    for name in ("bce", "recam", "sce", "fc2-bce"):
        shutil.copytree(plan.folder / f"{name}-seed0", tmp_path / "old" / name)
        record = tmp_path / "old" / name / INFO_FILE
        values = json.loads(record.read_text())
        del values["parent_sha256"]
        values["parent"] = values["parent"] and "bce"
        record.write_text(json.dumps(values | {"name": name}))
    older = dataclasses.replace(plan, folder=tmp_path, have=(tmp_path / "old",), seeds=(0,), tables=("loss",))
    with pytest.raises(KeyError):
        ablation(older)
    assert [type(one).__name__ for one in begun[0]] == ["ScoreTask"] * 4, "nothing is left to train"


def test_heads_are_those_of_a_retraining(plan, full, tmp_path):
    found = ablation(dataclasses.replace(plan, depth="heads", seeds=(0,), tables=("loss", "masks")))
    run = load_run(plan.folder / "bce-seed0")
    cache = build_feature_cache(run, open_dataset(plan.data))
    rows = {one.label: one for table in ablation_tables("sum").values() for one in table}
    for label, name in (("FC2 with BCE", "fc2-bce"), ("none (copied features)", "mask-none"), ("SCE-CAM", "sce")):
        recipe = head_recipe(rows[label], plan.heads, 0)
        save_heads(tmp_path / name, run, plan.data, retrain_heads(cache, run, recipe), half=False)
        scores = evaluated(load_run(tmp_path / name), recipe.rule, plan.reports[0], plan.data + ".select")
        assert row(found, label)["miou"] == pytest.approx(scores.miou, abs=2e-3)
    assert row(found, "BCE-CAM")["miou_seeds"][0] == row(full, "BCE-CAM")["miou_seeds"][0]
    assert row(found, "BCE-CAM")["miou_spread"] is None


def test_sce_on_copied_features_is_the_softmax_loss_of_the_sce_cam():
    recipe = head_recipe(Row("SCE-CAM", "sce", "fc1"), HeadRecipe(update="both"), 3)
    assert (recipe.mask, recipe.rule, recipe.update, recipe.loss) == ("none", "fc2", "fc2", "sce")


def test_wrong_wishes_are_refused(plan):
    for changes, words in [
        ({"depth": "deep"}, "no depth"),
        ({"seeds": (1, 1)}, "once"),
        ({"reports": ()}, "report on"),
        ({"tables": ("colours",)}, "no table"),
        ({"rule": "best"}, "no extraction rule"),
        ({"data": plan.data + ".fit"}, "whole split"),
        ({"depth": "heads", "heads": HeadRecipe(), "tables": ("lambda",)}, "lambda changes nothing"),
    ]:
        with pytest.raises(UserError, match=words):
            ablation(dataclasses.replace(plan, **changes))
    with pytest.raises(UserError, match="twice"):
        report_specs("scenes@train", ["@val", "scenes@val"])
    assert "lambda" not in ablation_tables("sum", sweep_lambda=False)
    with pytest.raises(UserError, match="named twice"):
        ablation_tables("sum", masks=("hard:0.3", "hard:0.30"))


def test_tables_of_other_values():
    tables = ablation_tables("sum", ("lambda", "masks"), (0.5, 2), ("power:3", "soft"), (2.0, "soft"))
    assert [(row.name, dict(row.changes)) for row in tables["lambda"]] == [
        ("lambda0.5", {"weight": 0.5}),
        ("recam", {}),
    ]
    assert [(row.name, dict(row.changes)) for row in tables["masks"]] == [
        ("mask-power3", {"mask": "power:3"}),
        ("recam", {}),
    ]


def test_tables_as_text(full):
    text, marked = ablation_text(full), ablation_text(full, markdown=True)
    value = row(full, "SCE-CAM")
    assert f"{100 * value['miou']:.1f} ± {100 * value['miou_spread']:.1f}" in text
    assert text.count("ReCAM (FC2 with SCE)") == 1
    assert marked.count("| --- |") >= 4
    assert "| BCE-CAM | " in marked
    assert full.to_csv().splitlines()[0].startswith("table,label,run,rule,data,seeds,miou")
    json.dumps(full.to_json())


def test_from_the_command_line(plan, capsys, tmp_path):
    """At heads' depth only the BCE run is a training of its own; wrong options begin nothing."""
    command = ["experiment", "ablation", "--data", plan.data, "--folder", str(tmp_path / "runs")]
    for wrong, words in [
        (["--workers", "0"], "1 or more"),
        (["--seeds", "-1"], "whole numbers"),
        (["--rule", "best"], "rule"),
        (["--recam-epochs", "0"], "epochs"),
    ]:
        assert main([*command, *wrong]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    heads = ["--depth", "heads", "--update", "fc2", "--seeds", "0", "--tables", "loss", "--epochs", "1"]
    files = ["--json", str(tmp_path / "all.json"), "--csv", str(tmp_path / "tables.csv")]
    assert main([*command, *heads, *files]) == 0
    printed = capsys.readouterr().out
    kept = json.loads((tmp_path / "all.json").read_text())
    assert kept["sentence"] in printed
    assert f"{100 * kept['rows'][0]['miou']:.1f}" in printed
    assert len((tmp_path / "tables.csv").read_text().splitlines()) == 1 + 4
    assert read_info(tmp_path / "runs" / "bce-seed0").recipe["epochs"] == 1
