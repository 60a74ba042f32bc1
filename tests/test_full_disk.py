"""A full disk: a sentence, nothing half-written, what was finished is kept, and the same command goes on."""

import json
import resource
from contextlib import contextmanager

import pytest

from recam_core.cli.main import main
from run_folders import write_run
from tiny_voc import tiny_voc


@contextmanager
def full_disk(after):
    """No file may grow beyond so many bytes: whatever writes, in Python or beneath it, meets what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("full")
    tiny_voc(place / "squares", train_pictures=4, val_pictures=2)
    write_run(place / "run", "bce")
    return place


def command(place, *words):
    return main([*map(str, words), "--data", f"voc:{place / 'squares'}@train", "--device", "cpu"])


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_masks_are_written_whole_or_not_at_all(place, tmp_path, capsys):
    words = ("masks", place / "run", "--scales", 1, "--no-mirror", "--finish", "none", "--out", tmp_path / "masks")
    with full_disk(40):
        assert command(place, *words, "--threshold", 0.3) == 2
    assert f"error: Cannot write {tmp_path / 'masks'}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert command(place, *words, "--threshold", 0.3) == 0
    # A set that is there stays until a new one is whole.
    with full_disk(40):
        assert command(place, *words, "--threshold", 0.5) == 2
    assert json.loads((tmp_path / "masks" / "masks.json").read_text())["threshold"] == 0.3
    assert not left_over(tmp_path)


@pytest.mark.parametrize("what", ["boundaries", "segment"])
def test_a_training_keeps_its_last_epoch_and_goes_on(place, tmp_path, capsys, monkeypatch, what):
    from recam_core.train import epochs as module

    words = {
        "boundaries": (
            *("boundaries", place / "run", "--scales", 1, "--no-mirror", "--preset", "small", "--finish", "none"),
            *("--epochs", 2, "--foreground", 0.6, "--background", 0.4),
        ),
        "segment": (
            *("segment", "train", "--preset", "small", "--weights", "none", "--network", "lite0"),
            *("--steps", 2, "--batch-size", 4, "--crop", 64),
        ),
    }[what]
    out, real, saved = tmp_path / "out", module.save_state, []

    def save(folder, state):
        """The disk is full in the second epoch."""
        saved.append(state["history"][-1]["epoch"])
        with full_disk(4096 if saved == [1, 2] else resource.RLIM_INFINITY):
            real(folder, state)

    monkeypatch.setattr(module, "save_state", save)
    assert command(place, *words, "--out", out) == 2
    told = capsys.readouterr().err
    assert "error: Cannot write" in told
    assert "The last finished epoch before is kept." in told
    assert not left_over(out / "state")
    # What is left of the disk takes the state, but not the weights at the end ...
    record = {"boundaries": "boundaries.json", "segment": "segment.json"}[what]
    save_file = "recam_core.checkpoint.tensor_file.save_file"
    import safetensors.torch

    def full(*given):
        with full_disk(4096):
            safetensors.torch.save_file(*given)

    monkeypatch.setattr(save_file, full)
    assert command(place, *words, "--out", out) == 2
    assert "the disk may be full" in capsys.readouterr().err
    assert not (out / record).exists()
    assert not left_over(out)
    # ... and then there is room: no epoch is trained again.
    monkeypatch.setattr(save_file, safetensors.torch.save_file)
    assert command(place, *words, "--out", out) == 0
    assert saved == [1, 2, 2]
    assert [entry["epoch"] for entry in json.loads((out / record).read_text())["history"]] == [1, 2]
