"""Two processes under torchrun against one: trainings equal up to rounding, maps and scores exact; errors told once."""

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rank_work import BCE, FAILED, WithoutLabels, work
from recam_core import device, ranks
from recam_core.errors import UserError
from recam_core.gate import gate_of
from recam_core.progress import Cancelled
from recam_core.train.loop import train
from tiny_voc import tiny_voc

TESTS = Path(__file__).resolve().parent
FOLDERS = ("stores", "masks", "predicted")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What one process makes, and a training that was cut off in it."""
    place = tmp_path_factory.mktemp("ranks")
    tiny_voc(place / "squares", train_pictures=6, val_pictures=5)
    work(place, "one")

    def after_an_epoch(moment):
        if moment.done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        train(BCE, WithoutLabels(7), place / "two" / "bce", watch=after_an_epoch)
    return place


@pytest.fixture(scope="module")
def told(place):
    """What two processes say while they make the same (going on where one process was cut off), until one fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    environment |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*launch, str(TESTS / "rank_work.py"), str(place)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,  # ranks wait for each other for thrice as long
        check=False,
    )


@pytest.mark.parametrize("run", ["bce", "recam", "boundaries", "network"])
def test_trainings_equal_those_of_one_process(place, told, run):
    one, two = (load_file(next((place / name / run).glob("*.safetensors"))) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        # A step is 1e-4 and more. In the mean: AdamW makes whole steps of single gradients that are all rounding.
        assert float((two[name] - value).abs().float().mean()) < 4e-6, name
    one, two = (history(place / name / run) for name in ("one", "two"))
    assert [set(entry) for entry in one] == [set(entry) for entry in two]
    for mine, theirs in zip(one, two, strict=True):
        for name in set(mine) - {"seconds"}:
            assert theirs[name] == pytest.approx(mine[name], rel=1e-4), name
    assert not (place / "two" / run / "state").exists()


def history(run: Path) -> list[dict]:
    if (run / "metrics.json").is_file():
        return json.loads((run / "metrics.json").read_text())
    return json.loads(next(run.glob("*.json")).read_text())["history"]


def test_what_negatives_receive_is_counted_over_all_pictures(place, told):
    files = (place / name / "recam" / "negatives.json" for name in ("one", "two"))
    one, two = (json.loads(file.read_text())["points"] for file in files)
    assert [point["features"] for point in one] == [point["features"] for point in two]
    assert one[0]["bce"] == pytest.approx(two[0]["bce"], abs=1e-3)


def test_maps_masks_and_scores_are_exactly_those_of_one_process(place, told):
    made = [file for name in FOLDERS for file in (place / "one" / name).rglob("*") if file.is_file()]
    made += [*(place / "one").glob("*.json"), *(place / "one").glob("*.npz")]
    assert len(made) == 3 + (5 + 5 + 4) + (5 + 3) + 4 + 2
    for file in made:
        other = place / "two" / file.relative_to(place / "one")
        assert filecmp.cmp(file, other, shallow=False), file


def test_all_processes_refuse_what_one_cannot_do(place, told):
    said = [json.loads((place / f"refused-{rank}.json").read_text()) for rank in (0, 1)]
    assert said[0] == said[1]
    assert "A batch of 1 cannot be shared by 2 processes" in said[0]["small"]
    assert "the picture is damaged" in said[0]["broken"]
    assert "do not see the same" in said[0]["other"]


def test_an_error_of_one_process_ends_all_and_is_told_once(told):
    assert told.returncode != 0
    assert told.stderr.count(FAILED) == 1
    assert told.stderr.count("is done by one process") == 1
    assert told.stderr.count("Traceback") == 1  # torchrun's own, when all is over
    # The first process alone prints.
    assert told.stdout.count("Masks (the seeds) written to") == 1


def test_without_torchrun_nothing_is_sent_or_loaded():
    script = "import sys\nfrom recam_core import ranks\nwith ranks.joined(): assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=TESTS.parent, timeout=120)
    assert list(ranks.in_order(iter("abc"), 3)) == list("abc")
    assert ranks.share(range(5)) == range(5)


def test_each_process_takes_the_gpu_of_its_number(monkeypatch):
    monkeypatch.setattr(ranks, "_here", ranks._Here(rank=3, world=4, local=1))
    assert gate_of(torch.device("cuda:1")) is None  # two commands would wait for each other's cards
    monkeypatch.setattr(device, "device_names", lambda: ["cuda:0", "cuda:1", "cpu"])
    assert [device.device_name(choice) for choice in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    with pytest.raises(UserError, match="a GPU of its own"):
        device.device_name("cuda:0")
    monkeypatch.setattr(device, "device_names", lambda: ["cuda:0", "cpu"])
    with pytest.raises(UserError, match=r"fewer GPUs \(1\) than processes"):
        device.device_name("auto")
    monkeypatch.setattr(device, "device_names", lambda: ["cpu"])
    assert device.device_name("auto") == "cpu"
