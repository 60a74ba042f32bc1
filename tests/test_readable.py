"""Pictures that cannot be read: left out of all that is made of the others, and told at the end."""

import json

import pytest

from recam_core.cli.main import main
from recam_core.cli.options import LEFT_OUT
from recam_core.data import readable as module
from recam_core.data.readable import readable
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.report.mask_set import MaskSet
from run_folders import write_run
from tiny_voc import tiny_voc


def tear(root, id):
    """Cut a photograph off in the middle, as a full disk or a broken download does."""
    file = root / "JPEGImages" / f"{id}.jpg"
    file.write_bytes(file.read_bytes()[:-200])


@pytest.fixture
def place(tmp_path):
    tiny_voc(tmp_path / "squares", train_pictures=5, val_pictures=3)
    write_run(tmp_path / "run", "bce")
    tear(tmp_path / "squares", "squares_2")
    (tmp_path / "squares" / "JPEGImages" / "squares_6.jpg").unlink()
    return tmp_path


def test_what_can_be_read_stays_in_its_order(place):
    data = open_dataset(f"voc:{place / 'squares'}@train")
    part, faults = readable(data)
    assert part.ids == ["squares_0", "squares_1", "squares_3", "squares_4"]
    assert part.spec == data.spec
    assert [fault.kind for fault in faults] == ["damaged file"]
    assert "squares_2" in str(faults[0])
    # So many that can be read are enough.
    assert readable(data, limit=2) == (data, [])
    assert readable(data, limit=3)[0].ids[:3] == ["squares_0", "squares_1", "squares_3"]
    drawn = open_dataset("scenes@val")
    assert readable(drawn) == (drawn, [])


def test_where_most_cannot_be_read_something_else_is_wrong(place):
    for id in ("squares_0", "squares_1"):
        tear(place / "squares", id)
    with pytest.raises(UserError, match="3 of 5 pictures cannot be used"):
        readable(open_dataset(f"voc:{place / 'squares'}@train"))


def test_of_many_pictures_it_is_kept_until_a_file_changes(place, monkeypatch):
    monkeypatch.setattr(module, "FEW", 1)
    monkeypatch.setenv("RECAM_CACHE", str(place / "cache"))
    spec, read = f"voc:{place / 'squares'}@train", []

    def ids():
        read.clear()
        return readable(open_dataset(spec), progress=lambda *where: read.append(where))[0].ids

    assert (len(ids()), len(read)) == (4, 5)
    assert (len(ids()), len(read)) == (4, 0)
    tear(place / "squares", "squares_3")
    assert (len(ids()), len(read)) == (3, 5)


def command(place, *words, split="train"):
    return main([*map(str, words), "--data", f"voc:{place / 'squares'}@{split}", "--device", "cpu"])


def test_commands_do_the_rest_and_tell_at_the_end(place, capsys):
    quick, torn = ("--scales", 1, "--no-mirror"), place / "squares" / "JPEGImages" / "squares_2.jpg"
    masks, net, edges = place / "masks", place / "net", place / "edges"
    small = ("--preset", "small", "--steps", 1, "--batch-size", 2, "--crop", 64, "--weights", "none")
    sure = ("--foreground", 0.6, "--background", 0.4, "--epochs", 1)
    select = f"voc:{place / 'squares'}@val"
    for words, split, left in (
        (("masks", place / "run", *quick, "--finish", "none", "--select", select, "--out", masks), "train", 2),
        (
            ("boundaries", place / "run", *quick, "--preset", "small", "--finish", "none", *sure, "--out", edges),
            "train",
            1,
        ),
        (("segment", "train", *small, "--masks", masks, "--out", net), "train", 1),
        (("segment", "eval", net, *quick), "train", 1),
        (("segment", "predict", net, *quick, "--out", place / "predicted"), "val", 1),
        (("evaluate", place / "run", *quick), "train", 1),
    ):
        assert command(place, *words, split=split) == LEFT_OUT, words
        told = capsys.readouterr().err
        assert f"Left out, since they cannot be read ({left}):" in told
        assert ("squares_6" if split == "val" else str(torn)) in told
    written = MaskSet(masks, open_dataset(select).classes)
    assert [written.mask(f"squares_{index}") is None for index in range(5)] == [False, False, True, False, False]
    assert json.loads((net / "segment.json").read_text())["pictures"] == 4
    assert command(place, "masks", place / "run", *quick, "--finish", "none", "--limit", 2) == 0


@pytest.mark.slow
def test_a_training_leaves_them_out_as_well(place, capsys):
    words = ("train", "bce", "--preset", "small", "--backbone", "timm:resnet10t", "--weights", "none", "--epochs", 1)
    assert command(place, *words, "--crop", 64, "--batch-size", 4, "--out", place / "bce") == LEFT_OUT
    assert "Training bce (timm:resnet10t) on 4 pictures" in capsys.readouterr().out
