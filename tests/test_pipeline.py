"""The pipeline: from image-level labels of twelve small pictures to a scored network; what is skipped, what goes on."""

import csv
import json
import subprocess
import sys
import threading
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from recam_core.atomic_write import write_json
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.data.subset import spread
from recam_core.errors import UserError
from recam_core.pipeline import cost, work
from recam_core.pipeline.plan import METHODS, PRESETS, Bounded, PipelinePlan, Preset, Step, notes_of_plan, steps_of
from recam_core.pipeline.results import miou_table, write_tables
from recam_core.pipeline.work import run_steps
from tiny_voc import tiny_voc

TINY = Preset(
    "tiny",
    ("--preset", "small", "--backbone", "timm:resnet10t", "--weights", "none", "--epochs", "1", "--crop", "64"),
    recam=("--background", "0"),
    boundaries=("--preset", "small", "--epochs", "1", "--finish", "none", "--foreground", "0.5", "--background", "0.3"),
    segment=("--preset", "small", "--weights", "none", "--steps", "2", "--batch-size", "2", "--crop", "64"),
    scales=("--scales", "1.0", "--no-mirror"),
    test=("--scales", "1.0", "--no-mirror", "--finish", "pamr"),
)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    tiny_voc(tmp_path / "squares", train_pictures=8, val_pictures=4)
    monkeypatch.setitem(PRESETS, "small", TINY)
    data = f"voc:{tmp_path / 'squares'}"
    return PipelinePlan(f"{data}@train", tmp_path / "out", "small", f"{data}@train", f"{data}@val", device="cpu")


@pytest.mark.slow
def test_from_labels_to_a_scored_network(plan, capfd):
    command = ["pipeline", "--data", plan.data, "--select", plan.select, "--val", plan.val, "--preset", "small"]
    command += ["--out", str(plan.out), "--device", "cpu", "--method", "bce", "--cores", "2"]
    assert main(command) == 0
    said = capfd.readouterr().out
    first = json.loads((plan.out / "results.json").read_text())
    assert [row["what"] for row in first["rows"]] == [*["seeds", "PAMR", "IRN", "IRN, PAMR"] * 2, "network"]
    assert [row["pictures"] for row in first["rows"]] == [8] * 4 + [4] * 5
    assert all(0 <= row["miou"]["bce"] <= 1 for row in first["rows"])
    assert all(each["peak_bytes"] > 1e8 and each["processor_seconds"] > 0 for each in first["steps"].values())
    assert "there already" not in said
    assert "network, bce: not started from ImageNet" in said
    rows = list(csv.reader((plan.out / "results.csv").open()))
    assert rows[1][3] == f"{100 * first['rows'][0]['miou']['bce']:.1f}"
    assert "| seeds |" in (plan.out / "results.md").read_text()
    # Each map was made once: what came after took it from the stores.
    for name, pictures in (("threshold-bce", 8), ("boundaries-bce", 8), ("masks-bce", 8), ("val-bce", 4)):
        assert f"Maps of {pictures} of {pictures} pictures" in (plan.out / "steps" / f"{name}.log").read_text()
    # Once more: nothing is done again, and the same is told.
    assert main(command) == 0
    said = capfd.readouterr().out
    assert said.count("there already") == len(first["steps"])
    assert json.loads((plan.out / "results.json").read_text()) == first


def commands_of(plan):
    return {step.name: " ".join(step.command) for step in steps_of(plan, open_dataset(plan.data))}


def test_the_steps_are_those_of_the_published_way(plan):
    names = [step.name for step in steps_of(plan, open_dataset(plan.data))]
    assert names[:4] == ["train-bce", "train-recam", "maps-train-bce", "maps-val-bce"]
    assert [name for name in names if name.endswith("-recam")] == [
        f"{part}-recam"
        for part in ("train", "maps-train", "maps-val", "threshold", "boundaries", "masks", "network", "val", "score")
    ]
    paper = PipelinePlan(plan.data, plan.out, "coco2014", plan.val, None)
    commands = commands_of(paper)
    assert "--lambda 0.1 --batch-size 6" in commands["train-recam"]
    assert "--scales 0.5 1.0 1.5 2.0" in commands["masks-bce"]
    assert "--steps 100000" in commands["network-bce"]
    # The pictures that thresholds are chosen on are not among the training pictures here: their maps are made, too.
    assert f"--data {plan.val}" in commands["maps-select-bce"]
    assert commands["masks-bce"].count("--maps") == 2
    with pytest.raises(UserError, match="--select"):
        steps_of(PipelinePlan(plan.data, plan.out, "small"), open_dataset(plan.data))


def test_ways_finishes_methods_and_depths_are_options(plan):
    heads = commands_of(replace(plan, depth="heads", rule="softmax"))
    assert heads["train-recam"].startswith(f"retrain {plan.out / 'bce'}")
    assert "--rule softmax" in heads["train-recam"]
    # One pass makes the maps of both, as their networks differ in their classifiers alone.
    assert [name for name in heads if name.startswith("maps")] == ["maps-train-bce-recam", "maps-val-bce-recam"]
    direct = commands_of(replace(plan, way="direct", finish="none", methods=("sce",)))
    assert [*direct] == [
        f"{part}-sce" for part in ("train", "maps-train", "maps-val", "threshold", "masks", "network", "val", "score")
    ]
    assert direct["masks-sce"].count("--way") == direct["masks-sce"].count("--finish") == 1
    climbed = commands_of(replace(plan, way="advcam", methods=("recam",)))
    assert "boundaries-recam" not in climbed
    assert "--way direct --way advcam" in climbed["masks-recam"]
    for wrong, words in (({"way": "up"}, "way 'up'"), ({"finish": "up"}, "finish 'up'"), ({"preset": "up"}, "'up'")):
        with pytest.raises(UserError, match=words):
            commands_of(replace(plan, **wrong))
    with pytest.raises(UserError, match="is for the maps of ReCAM"):
        commands_of(replace(plan, methods=("bce",), rule="softmax"))


def test_attributions_are_seeds_of_every_method_that_has_the_head(plan):
    def seeds(plan):
        commands = commands_of(plan)
        assert not any("region_cam" in words for name, words in commands.items() if name.startswith("train"))
        read = [name for name in commands if name.partition("-")[0] in ("maps", "threshold", "boundaries", "masks")]
        read += [name for name in commands if name.startswith("val")]
        return {name for name in read if "--rule region_cam-" in commands[name]}, set(read)

    every = replace(plan, depth="heads", methods=("bce", "sce", "recam"), rule="region_cam-fc1")
    named, read = seeds(every)
    assert named == read
    # Attributions share no pass: each method has stores of its own.
    assert {name for name in read if name.startswith("maps-train")} == {f"maps-train-{one}" for one in every.methods}
    named, _ = seeds(replace(plan, rule="region_cam-fc2"))
    assert {name.rpartition("-")[2] for name in named} == {"recam"}
    assert "train-bce" in commands_of(replace(plan, methods=("recam",), rule="region_cam-fc2"))
    for changes, words in (
        ({"methods": ("bce", "sce"), "rule": "region_cam-fc2"}, "is for the maps of ReCAM"),
        ({"rule": "region_cam-fc1", "way": "advcam+irn"}, "climbs along the class weights"),
        ({"rule": "softmax", "way": "advcam"}, "climbs along the class weights"),
        ({"rule": "region_cam-bogus"}, "no extraction rule 'bogus'"),
        ({"rule": "region_cam-softmax"}, "attributions need weights"),
        ({"rule": "warp-fc1"}, "attribution method with a head"),
        ({"rule": "region_cam-fc1-against-red"}, "no mask would show it"),
    ):
        with pytest.raises(UserError, match=words):
            commands_of(replace(plan, depth="heads", **changes))
    dataset = open_dataset(plan.data)
    assert not notes_of_plan(plan, dataset)
    assert "gives both the same seeds: region_cam-fc2" in notes_of_plan(replace(every, methods=METHODS), dataset)[0]
    assert not notes_of_plan(replace(every, depth="full"), dataset)


def test_the_tables_say_which_seeds_they_are_of(plan):
    for method, rule in (("bce", "fc1"), ("recam", "sum")):
        write_json(plan.out / method / "run.json", {"rule": rule})
    assert miou_table(plan, [])[0][3:] == ["bce (fc1)", "recam (sum)", "lead of recam"]
    by = replace(plan, rule="region_cam-fc2")
    assert miou_table(by, [])[0][3:5] == ["bce (fc1)", "recam (region_cam-fc2)"]
    assert write_tables(by, [], {})["seeds"] == {"bce": "fc1", "recam": "region_cam-fc2"}
    assert "bce (fc1)" in (plan.out / "results.md").read_text()


def test_attributions_cost_their_passes(plan, monkeypatch):
    def seconds(plan):
        dataset = open_dataset(plan.data)
        return cost.step_seconds(plan, dataset, steps_of(plan, dataset))

    unit = cost.UnitCosts(*[1e-6] * 10)
    monkeypatch.setattr(cost, "measured_units", lambda *_: unit)
    usual, by = seconds(plan), seconds(replace(plan, rule="layer_cam-fc2"))
    assert by["maps-train-bce"] == usual["maps-train-bce"]
    # One view of scale 1 against views of scales 1 and 2 with mirror images.
    assert by["maps-train-recam"] == pytest.approx(10 * usual["maps-train-recam"])


def test_maps_are_made_of_what_is_looked_at(plan, monkeypatch):
    some = replace(TINY, boundary_pictures=Bounded(1 / 4, 2, 2), mask_pictures=Bounded(1 / 2, 3, 5))
    monkeypatch.setitem(PRESETS, "small", some)
    for asked, pictures in ((plan, 4), (replace(plan, way="direct"), 4)):
        commands = commands_of(asked)
        for name in ("maps-train-bce", "masks-bce"):
            assert f"--pictures {pictures}" in commands[name]
        # The pictures of thresholds are others then, although they are training pictures.
        assert f"--maps {plan.out}/maps/bce-select" in commands["threshold-bce"]
        assert "--pictures" not in commands["maps-select-bce"] + commands["maps-val-bce"]
    assert "--pictures 2" in commands_of(plan)["boundaries-bce"]
    monkeypatch.setitem(PRESETS, "small", replace(some, mask_pictures=None))
    assert "--pictures" not in commands_of(plan)["maps-train-bce"]
    assert "maps-select-bce" not in commands_of(plan)


def test_only_what_the_plan_asks_for_is_timed(plan, monkeypatch):
    image = open_dataset(plan.data).load(0).image

    def units(plan):
        return cost.measured_units(plan, image, 2, 1.0, True)

    usual = units(plan)
    assert min(usual.features, usual.training, usual.edges, usual.walk, usual.finish, usual.test_finish) > 0
    assert usual.climb == 0
    monkeypatch.setitem(PRESETS, "small", replace(TINY, test=("--finish", "none")))
    bare = units(replace(plan, way="direct", finish="none"))
    assert [bare.edges, bare.boundary_training, bare.walk, bare.finish, bare.test_finish] == [0.0] * 5
    assert bare.network > 0


def test_the_small_preset_is_bounded_whatever_the_data():
    bound = Bounded(1 / 4, 10, 50)
    assert [bound.of(pictures) for pictures in (4, 100, 10_000)] == [10, 25, 50]
    plan = PipelinePlan("scenes:stuff=1@train", Path("out"), "small")
    commands = {step.name: step.command for step in steps_of(plan, open_dataset("scenes:stuff=1@val"))}
    assert "--select" not in commands["masks-bce"]
    assert "--foreground" in commands["boundaries-bce"]
    # What its few steps start from knows the classes; the published settings start from ImageNet.
    for method in ("bce", "recam"):
        words = commands[f"network-{method}"]
        assert words[words.index("--weights") + 1] == f"out/{method}"
    assert "--weights" not in commands_of(replace(plan, preset="voc2012"))["network-bce"]
    words = commands["train-bce"]  # 150 steps of 16 for 200 pictures
    assert words[words.index("--epochs") + 1] == "12"


def test_what_does_not_fit_is_told_before_anything_begins(plan, capsys, tmp_path):
    other = tiny_voc(tmp_path / "other", train_pictures=2, val_pictures=2)
    (other / "classes.txt").write_text("background\nred\ngreen\nother\n")
    command = ["pipeline", "--data", plan.data, "--preset", "small", "--out", str(plan.out), "--device", "cpu"]
    for words, said in (
        ([], "name pictures with ground truth"),
        (["--select", f"voc:{other}@val"], "classes"),
        (["--select", plan.select, "--val", plan.data.replace("@train", "@test")], "test"),
        (["--select", plan.select, "--cores", "0"], "--cores takes 1 or more"),
        (["--select", plan.select, "--rule", "bogus"], "no extraction rule 'bogus'"),
        (["--select", plan.select, "--seed", "-1"], "The seed is 0 or more"),
    ):
        assert main([*command, *words]) == 2
        assert said in capsys.readouterr().err
    assert not plan.out.exists()


def test_few_pictures_that_take_long_are_told_of_as_well(plan, monkeypatch, capsys):
    monkeypatch.setattr("recam_core.pipeline.work.run_steps", lambda *_: {})
    monkeypatch.setattr("recam_core.pipeline.cost.seconds_apart", lambda _: {"train-bce": 3600.0})
    command = ["pipeline", "--data", plan.data, "--select", plan.select, "--preset", "small", "--device", "cpu"]
    assert main([*command, "--out", str(plan.out)]) == 0
    assert "All steps together" not in capsys.readouterr().out
    monkeypatch.setitem(PRESETS, "small", replace(TINY, train_steps=Bounded(1.0, 150, 600)))
    assert main([*command, "--out", str(plan.out)]) == 0
    assert "All steps together take some 60 minutes" in capsys.readouterr().out


def test_a_process_of_its_own_times_what_was_planned(plan, monkeypatch):
    asked = replace(plan, methods=("recam",), depth="full", finish="none", seed=3)

    def apart(command, *, input, **_):
        assert command[1:] == ["-m", "recam_core.pipeline.cost"]
        monkeypatch.setattr(sys, "stdin", StringIO(input))
        said = StringIO()
        with redirect_stdout(said):
            cost.main()
        return subprocess.CompletedProcess(command, 0, said.getvalue(), "")

    def timed(plan, dataset, steps):
        assert plan == asked
        assert len(dataset) == 8
        return {step.name: 2.0 for step in steps}

    monkeypatch.setattr(cost.subprocess, "run", apart)
    monkeypatch.setattr(cost, "step_seconds", timed)
    assert cost.seconds_apart(asked) == dict.fromkeys(commands_of(asked), 2.0)


#: Instead of this program's commands, with the words behind the verb: write TEXT to the file behind --json; fail; die
#: by a kill in the middle of a folder that is made; meet: go on only when the other file is there as well.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
verb, text, _, file = sys.argv[1:5]
if verb == "fail":
    print("a reason"); sys.exit(4)
if verb == "wait":
    Path(text).touch(); time.sleep(600)
if verb == "meet":
    Path(file + ".here").touch()
    while not Path(text).exists():
        time.sleep(0.01)
if verb in ("die", "make"):
    folder = Path(sys.argv[6])
    before = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    folder.mkdir(exist_ok=True)
    (folder / text).touch()
    if (folder.parent / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    text = " ".join(before)
Path(file).write_text(text)
"""


@pytest.fixture
def small_program(monkeypatch):
    monkeypatch.setattr(work, "PROGRAM", (sys.executable, "-I", "-S", "-c", SCRIPT))


def step(tmp_path, name, words, needs=(), does="write"):
    return Step(name, (does, str(words), "--json", str(tmp_path / f"{name}.txt")), needs, None)


def there(said):
    return ["there already" in words for words in said if "done" not in words]


@pytest.mark.parametrize("cores", [1, 2])
def test_a_step_that_fails_is_told_and_the_next_call_goes_on_there(tmp_path, small_program, cores):
    out, said = tmp_path / "out", []
    good, bad = step(tmp_path, "good", "a"), step(tmp_path, "bad", "b", ("good",), does="fail")
    with pytest.raises(UserError, match="step bad failed"):
        run_steps([good, bad], out, said.append, cores)
    assert "a reason" in said or cores == 1
    said.clear()
    done = run_steps([good, step(tmp_path, "bad", "b", ("good",))], out, said.append, cores)
    assert there(said) == [True, False]
    assert (done["good"].skipped, done["bad"].skipped) == (True, False)
    assert done["bad"].peak_bytes > 1e6
    assert (tmp_path / "bad.txt").read_text() == "b"


def test_other_settings_do_a_step_and_what_hangs_on_it_again(tmp_path, small_program):
    out, said = tmp_path / "out", []
    one, two, apart = step(tmp_path, "one", "a"), step(tmp_path, "two", "b", ("one",)), step(tmp_path, "apart", "c")
    run_steps([one, two, apart], out, said.append)
    said.clear()
    other = step(tmp_path, "one", "other")
    run_steps([other, two, apart], out, said.append)
    assert sorted(there(said)) == [False, False, True]
    # A result that was deleted is made again.
    (tmp_path / "two.txt").unlink()
    said.clear()
    run_steps([other, two, apart], out, said.append)
    assert sorted(there(said)) == [False, True, True]
    assert (tmp_path / "two.txt").is_file()


def test_other_pictures_under_the_same_name_and_another_run_in_the_same_place_do_steps_again(tmp_path, small_program):
    out, squares = tmp_path / "out", tiny_voc(tmp_path / "squares", train_pictures=2, val_pictures=1)
    one = Step("one", ("make", "run.json", "--json", str(tmp_path / "one.txt"), "--out", str(out / "r")), (), out / "r")
    spec = ("--data", f"voc:{squares}@train")
    seen, two = replace(step(tmp_path, "seen", "s"), needs=()), step(tmp_path, "two", "b", ("one",))
    seen, apart = replace(seen, command=(*seen.command, *spec)), step(tmp_path, "apart", "c")
    out.mkdir()

    def again():
        said = []
        run_steps([one, seen, two, apart], out, said.append)
        return there(said)

    assert again() == [False] * 4
    assert again() == [True] * 4
    write_json(out / "r" / "run.json", {"weights_sha256": "other"})
    assert sorted(again()) == [False, True, True, True]
    assert again() == [True] * 4
    first, other = sorted((squares / "JPEGImages").iterdir())[:2]
    first.write_bytes(other.read_bytes())
    assert sorted(again()) == [False, True, True, True]
    # Pictures that cannot be read are for the steps to leave out.
    first.write_bytes(b"")
    assert sorted(again()) == [False, True, True, True]
    assert again() == [True] * 4
    # Records of before there were inputs in them are taken as they are.
    for file in (out / "steps").glob("*.json"):
        write_json(file, {name: value for name, value in json.loads(file.read_text()).items() if name != "inputs"})
    assert again() == [True] * 4


def test_a_step_that_was_killed_goes_on_in_its_folder_and_other_settings_begin_anew(tmp_path, small_program):
    folder, die = tmp_path / "out" / "bce", tmp_path / "out" / "die"
    folder.parent.mkdir()

    def training(words):
        command = ("make", words, "--json", str(tmp_path / "told.txt"), "--out", str(folder))
        return Step("train", command, (), folder, "run.json")

    def told():
        return (tmp_path / "told.txt").read_text()

    die.touch()
    with pytest.raises(UserError, match="step train failed"):
        run_steps([training("half")], tmp_path / "out", lambda words: None)
    # What it left is no result, and yet is there for it to go on with.
    assert not (tmp_path / "told.txt").exists()
    die.unlink()
    run_steps([training("half")], tmp_path / "out", lambda words: None)
    assert told() == "half"
    run_steps([training("other")], tmp_path / "out", lambda words: None)
    assert told() == ""
    # A step that came to its end although the pipeline did not hear of it is not given again: it would refuse.
    said = []
    die.touch()
    with pytest.raises(UserError):
        run_steps([training("run.json")], tmp_path / "out", said.append)
    done = run_steps([training("run.json")], tmp_path / "out", said.append)
    assert there(said) == [False, True]
    assert done["train"].skipped


def test_steps_that_processes_can_share_are_launched(tmp_path, small_program):
    write = "import sys, pathlib; pathlib.Path(sys.argv[-1]).write_text(' '.join(sys.argv[1:-1]))"
    launch = (sys.executable, "-I", "-S", "-c", write, "--nproc-per-node")
    trained, alone = step(tmp_path, "trained", "bce", does="train"), step(tmp_path, "alone", "b", ("trained",))
    run_steps([trained, alone], tmp_path / "out", lambda words: None, launch=launch)
    told = (tmp_path / "trained.txt").read_text().split()
    assert told[0] == "--nproc-per-node"
    assert told[-3:] == ["train", "bce", "--json"]
    assert (tmp_path / "alone.txt").read_text() == "b"


#: Each rank writes who it is; or the one of a number fails, and the other waits to be ended.
RANKS = """
import os, sys, time
from pathlib import Path
verb, name, _, file = sys.argv[1:5]
rank = os.environ.get("RANK", "alone")
print(f"this is {rank}")
Path(f"{file}.{rank}").write_text(os.environ["OMP_NUM_THREADS"])
if verb == "fail":
    while not Path(f"{file}.1").exists():
        time.sleep(0.01)
    if rank == name:
        print("a reason"); sys.exit(4)
    time.sleep(600)
Path(file).write_text(os.environ.get("WORLD_SIZE", "1"))
"""


def test_a_training_that_has_two_cores_is_that_of_two_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "PROGRAM", (sys.executable, "-I", "-S", "-c", RANKS))
    one = replace(step(tmp_path, "one", "x"), ranks=2)
    others = [replace(step(tmp_path, name, "x", ("one",)), ranks=2) for name in ("other", "alone")]
    done = run_steps([one, *others], tmp_path / "out", lambda words: None, cores=2)
    assert [(tmp_path / f"one.txt{end}").read_text() for end in ("", ".0", ".1")] == ["2", "1", "1"]
    assert "this is 0\n" in (tmp_path / "out" / "steps" / "one.log").read_text()
    # The other two have a core each; what two held is told together.
    assert (tmp_path / "other.txt").read_text() == (tmp_path / "alone.txt").read_text() == "1"
    assert done["one"].peak_bytes > 1.5 * done["alone"].peak_bytes


@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_of_two_processes_fails_the_other_is_ended_and_the_reason_told(tmp_path, monkeypatch, rank):
    monkeypatch.setattr(work, "PROGRAM", (sys.executable, "-I", "-S", "-c", RANKS))
    monkeypatch.setattr(work, "_GRACE", 0.2)
    said, bad = [], replace(step(tmp_path, "bad", rank, does="fail"), ranks=2)
    with pytest.raises(UserError, match="step bad failed"):
        run_steps([bad], tmp_path / "out", said.append, cores=2)
    assert "a reason" in said[-1]


def test_only_what_has_pictures_for_two_processes_is_shared(plan):
    steps = {step.name: step.ranks for step in steps_of(plan, open_dataset(plan.data))}
    assert (steps["train-bce"], steps["maps-train-bce"], steps["network-bce"]) == (2, 1, 1)
    few = spread(open_dataset(plan.data), 3)
    assert {step.ranks for step in steps_of(plan, few)} == {1}


def test_steps_that_need_nothing_of_each_other_run_side_by_side(tmp_path, small_program):
    one = step(tmp_path, "one", tmp_path / "two.txt.here", does="meet")
    two = step(tmp_path, "two", tmp_path / "one.txt.here", does="meet")
    after = step(tmp_path, "after", "c", ("one", "two"))
    done = run_steps([one, two, after], tmp_path / "out", lambda words: None, cores=2)
    assert [*done] == ["one", "two", "after"]


def test_what_runs_beside_a_step_that_fails_is_ended(tmp_path, small_program):
    long = step(tmp_path, "long", tmp_path / "begun", does="wait")
    first = step(tmp_path, "first", tmp_path / "begun", does="meet")
    bad = step(tmp_path, "bad", "b", ("first",), does="fail")
    with pytest.raises(UserError, match="step bad failed"):
        run_steps([long, first, bad], tmp_path / "out", lambda words: None, cores=2)
    assert not (tmp_path / "long.txt").exists()


def test_two_pipelines_in_one_folder_are_refused(tmp_path, small_program):
    one = step(tmp_path, "one", tmp_path / "go", does="meet")
    begun = threading.Event()
    first = threading.Thread(target=run_steps, args=([one], tmp_path / "out", lambda words: begun.set()))
    first.start()
    try:
        assert begun.wait(60)
        with pytest.raises(UserError, match="A pipeline works in"):
            run_steps([one], tmp_path / "out", lambda words: None)
    finally:
        (tmp_path / "go").touch()
        first.join()
    assert (tmp_path / "one.txt").is_file()
