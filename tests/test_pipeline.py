"""The pipeline: from image-level labels of twelve small pictures to a scored network; what is skipped, what goes on."""

import json
import sys

import pytest

from recam_core import pipeline
from recam_core.cli.main import main
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.pipeline import PRESETS, PipelinePlan, Preset, Step, run_steps, steps_of
from tiny_voc import tiny_voc

TINY = Preset(
    "tiny",
    ("--preset", "small", "--backbone", "timm:resnet10t", "--weights", "none", "--epochs", "1", "--crop", "64"),
    recam=("--background", "0"),
    boundaries=("--preset", "small", "--epochs", "1", "--finish", "none", "--foreground", "0.5", "--background", "0.3"),
    segment=("--preset", "small", "--weights", "none", "--steps", "2", "--batch-size", "2", "--crop", "64"),
    scales=("--scales", "1.0", "--no-mirror"),
    test_scales=("--scales", "1.0", "--no-mirror"),
)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    tiny_voc(tmp_path / "squares", train_pictures=8, val_pictures=4)
    monkeypatch.setitem(PRESETS, "small", TINY)
    data = f"voc:{tmp_path / 'squares'}"
    return PipelinePlan(f"{data}@train", tmp_path / "out", "small", f"{data}@val", f"{data}@val", device="cpu")


@pytest.mark.slow
def test_from_labels_to_a_scored_network(plan, capfd):
    table = plan.out / "table.json"
    command = ["pipeline", "--data", plan.data, "--select", plan.select, "--val", plan.val, "--preset", "small"]
    command += ["--out", str(plan.out), "--device", "cpu", "--method", "bce", "--json", str(table)]
    assert main(command) == 0
    said = capfd.readouterr().out
    first = json.loads(table.read_text())
    assert [row["what"] for row in first["rows"]] == [*pipeline.ROUTES.values()] * 2 + ["network"]
    assert all(0 <= row["miou"]["bce"] <= 1 for row in first["rows"])
    assert all(each["peak_bytes"] > 1e8 and each["seconds"] > 0 for each in first["steps"].values())
    assert "there already" not in said
    # Once more: nothing is done again, and the same is told.
    assert main(command) == 0
    said = capfd.readouterr().out
    assert said.count("there already") == len(first["steps"])
    assert json.loads(table.read_text()) == first


def test_the_steps_are_those_of_the_published_way(plan):
    names = [step.name for step in steps_of(plan, open_dataset(plan.data))]
    assert names[:2] == ["train-bce", "train-recam"]
    assert [name for name in names if name.endswith("-recam")] == [
        f"{part}-recam" for part in ("train", "threshold", "boundaries", "masks", "network", "val", "score")
    ]
    paper = PipelinePlan(plan.data, plan.out, "coco2014", plan.select, None)
    commands = {step.name: " ".join(step.command) for step in steps_of(paper, open_dataset(plan.data))}
    assert "--lambda 0.1 --batch-size 6" in commands["train-recam"]
    assert "--scales 0.5 1.0 1.5 2.0" in commands["masks-bce"]
    assert "--steps 100000" in commands["network-bce"]
    without = PipelinePlan("scenes:stuff=1@train", plan.out, "small")
    commands = {step.name: step.command for step in steps_of(without, open_dataset("scenes:stuff=1@val"))}
    assert "--select" not in commands["masks-bce"]
    assert "--foreground" in commands["boundaries-bce"]
    with pytest.raises(UserError, match="--select"):
        steps_of(PipelinePlan(plan.data, plan.out, "small"), open_dataset(plan.data))


@pytest.fixture
def small_program(monkeypatch):
    """Instead of this program's commands: `write WORDS --json FILE`, and `fail`."""
    script = (
        "import sys, pathlib; sys.argv[1] == 'fail' and sys.exit(2); pathlib.Path(sys.argv[4]).write_text(sys.argv[2])"
    )
    monkeypatch.setattr(pipeline, "PROGRAM", (sys.executable, "-I", "-S", "-c", script))


def step(tmp_path, name, words, needs=(), does="write"):
    return Step(name, (does, words, "--json", str(tmp_path / f"{name}.txt")), needs, None)


def there(said):
    return ["there already" in words for words in said]


def test_a_step_that_fails_is_told_and_the_next_call_goes_on_there(tmp_path, small_program):
    out, said = tmp_path / "out", []
    good, bad = step(tmp_path, "good", "a"), step(tmp_path, "bad", "b", ("good",), does="fail")
    with pytest.raises(UserError, match="step bad failed"):
        run_steps([good, bad], out, said.append)
    assert there(said) == [False, False]
    said.clear()
    done = run_steps([good, step(tmp_path, "bad", "b", ("good",))], out, said.append)
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
    assert there(said) == [False, False, True]
    # A result that was deleted is made again.
    (tmp_path / "two.txt").unlink()
    said.clear()
    run_steps([other, two, apart], out, said.append)
    assert there(said) == [True, False, True]
    assert (tmp_path / "two.txt").is_file()


def test_a_folder_of_other_settings_is_made_anew_and_one_that_was_cut_off_is_kept(tmp_path, monkeypatch):
    folder = tmp_path / "out" / "bce"
    seen = []

    class Command:
        def __init__(self, words):
            seen.append(folder.is_dir())
            folder.mkdir(parents=True, exist_ok=True)
            self.pid, self.returncode = 1, None

    class Usage:
        ru_maxrss = 1

    monkeypatch.setattr(pipeline.subprocess, "Popen", Command)
    monkeypatch.setattr(pipeline.os, "wait4", lambda pid, options: (pid, status.pop(0), Usage))
    status = [256, 0, 0]
    steps = [Step("train", ("train", "bce"), (), folder)]
    with pytest.raises(UserError):
        run_steps(steps, tmp_path / "out", lambda words: None)
    run_steps(steps, tmp_path / "out", lambda words: None)  # goes on in its folder
    run_steps([Step("train", ("train", "sce"), (), folder)], tmp_path / "out", lambda words: None)
    assert seen == [False, True, False]
