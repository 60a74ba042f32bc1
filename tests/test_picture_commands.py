"""What the pages do with pictures, by the command line: which are behind a confusion, figures of them, tags."""

import base64
import csv
import html
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recam_core.analysis.taken_back import change_sentence, what_changed
from recam_core.checkpoint.run_folder import load_run
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
from recam_core.maps.inference import activation_maps
from recam_core.method.extraction import class_weights
from run_folders import write_run
from tiny_data import TinyDataset

PICTURES = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data and two runs."""
    place = tmp_path_factory.mktemp("place")
    export_folder(TinyDataset(PICTURES), place / "data")
    write_run(place / "one", "bce", seed=1, threshold=0.5)
    write_run(place / "two", "recam", seed=7, threshold=0.4)
    return place


@pytest.fixture
def call(place, tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")
    monkeypatch.setenv("RECAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(place)
    return lambda *arguments: main([str(argument) for argument in arguments])


def seeds_by_hand(place: Path, run: str):
    """(id, mask, seeds) of every picture, from the network itself."""
    loaded = load_run(place / run)
    network = loaded.network
    weight = class_weights(loaded.info.rule, network.fc1.detach(), None if run == "one" else network.fc2.detach())
    dataset = open_dataset(f"folder:{place / 'data'}")
    for index in range(len(dataset)):
        sample = dataset.load(index)
        maps = activation_maps(network, sample.image, weight, np.flatnonzero(sample.labels), id=sample.id)
        yield sample.id, sample.mask, seed_mask(*argmax_and_activation(maps), loaded.info.threshold)


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--truth", "red"], lambda mask, seeds: (mask == 1) & (seeds != 1)),
        (["--taken-for", "red"], lambda mask, seeds: (mask != 1) & (mask != 255) & (seeds == 1)),
        (["--truth", "background", "--taken-for", "green"], lambda mask, seeds: (mask == 0) & (seeds == 2)),
        (["--truth", "blue", "--taken-for", "background"], lambda mask, seeds: (mask == 3) & (seeds == 0)),
    ],
)
def test_pictures_behind_a_confusion_are_listed_worst_first(call, place, tmp_path, capsys, options, wrong):
    expected = {id: int(wrong(mask, seeds).sum()) for id, mask, seeds in seeds_by_hand(place, "two")}
    expected = {id: count for id, count in expected.items() if count}
    assert expected
    file = tmp_path / "cell.csv"
    assert call("pictures", "folder:data", "--runs", "one", "two", *options, "--csv", file, "--most", 1) == 0
    found = [(row["id"], int(row["pixels"])) for row in rows_of(file)]
    assert dict(found) == expected
    assert [count for _, count in found] == sorted(expected.values(), reverse=True)
    printed = capsys.readouterr().out
    assert f"{sum(expected.values()):,} pixels in {len(expected)} pictures" in printed
    assert found[0][0] in printed
    assert len(found) == 1 or "more; --csv" in printed


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        (["--taken-back"], lambda mask, one, two: (one != mask) & (two == mask)),
        (["--lost"], lambda mask, one, two: (one == mask) & (two != mask)),
        (["--taken-back", "false-positives"], lambda mask, one, two: (mask == 0) & (one > 0) & (two == 0)),
        (["--lost", "wrong-class"], lambda mask, one, two: (mask > 0) & (one == mask) & (two > 0) & (two != mask)),
        (["--lost", "--taken-for", "green"], lambda mask, one, two: (one == mask) & (two == 2) & (mask != 2)),
        (
            ["--lost", "--truth", "background", "--taken-for", "green"],
            lambda mask, one, two: (mask == 0) & (one == 0) & (two == 2),
        ),
    ],
)
def test_pictures_are_listed_by_what_is_taken_back_and_lost(call, place, tmp_path, capsys, options, moved):
    both = zip(seeds_by_hand(place, "one"), seeds_by_hand(place, "two"), strict=True)
    expected = {id: int((moved(mask, one, two) & (mask != 255)).sum()) for (id, mask, one), (_, _, two) in both}
    expected = {id: count for id, count in expected.items() if count}
    assert expected
    file = tmp_path / "moved.csv"
    assert call("pictures", "folder:data", "--runs", "one", "two", *options, "--csv", file, "--most", 1) == 0
    rows = rows_of(file)
    assert {row["id"]: int(row["pixels"]) for row in rows} == expected
    assert [int(row["pixels"]) for row in rows] == sorted(expected.values(), reverse=True)
    kinds = ("false positives", "wrong class", "false negatives")
    if options in (["--taken-back"], ["--lost"]):
        what = "taken back" if options == ["--taken-back"] else "lost"
        for row in rows:
            assert sum(int(row[f"{kind} {what}"]) for kind in kinds) == int(row["pixels"])
    printed = capsys.readouterr().out
    assert f"{sum(expected.values()):,} pixels in {len(expected)} pictures" in printed
    assert ("taken back by two" if "--taken-back" in options else "lost by two against one") in printed


def test_what_is_taken_back_needs_two_runs(call, capsys):
    assert call("pictures", "folder:data", "--runs", "one", "--taken-back") == 2
    assert "name two runs" in capsys.readouterr().err


def test_filters_choose_the_pictures_of_a_list_and_of_tables(call, place, tmp_path):
    masks = {id: set(np.unique(mask).tolist()) - {0} for id, mask, _ in seeds_by_hand(place, "two")}
    pair = next(sorted(values) for values in masks.values() if len(values) == 2)
    both = sorted(id for id, values in masks.items() if values >= set(pair))
    assert 0 < len(both) < PICTURES
    names = [("red", "green", "blue")[value - 1] for value in pair]
    options = ["--runs", "one", "two", "--classes", *names]
    assert call("report", "folder:data", *options, "--csv", tmp_path / "tables", "--bootstrap", 5) == 0
    assert [row["id"] for row in rows_of(tmp_path / "tables" / "pictures.csv")] == both
    file = tmp_path / "cell.csv"
    assert call("pictures", "folder:data", *options, "--truth", "background", "--csv", file) == 0
    assert {row["id"] for row in rows_of(file)} == set(both)


def test_a_filter_by_scores_takes_what_one_run_does_worse(call, place, tmp_path):
    def scores(run: str) -> dict[str, float]:
        found = {}
        for id, mask, seeds in seeds_by_hand(place, run):
            values = np.union1d(mask, seeds)
            found[id] = np.mean(
                [((mask == v) & (seeds == v)).sum() / ((mask == v) | (seeds == v)).sum() for v in values]
            )
        return found

    one, two = scores("one"), scores("two")
    worse = sorted(id for id in one if one[id] - two[id] >= 0.02)
    assert 0 < len(worse) < PICTURES
    out, options = tmp_path / "report.html", ["--worse", "two", "one", "--by", 2, "--bootstrap", 5]
    assert call("report", "folder:data", "--runs", "one", "two", *options, "--csv", tmp_path, "--out", out) == 0
    assert [row["id"] for row in rows_of(tmp_path / "pictures.csv")] == worse
    assert "Only pictures where two is worse than one by 2 points or more." in out.read_text(encoding="utf-8")


def test_tables_hold_what_the_seeds_say(call, place, tmp_path):
    folder = tmp_path / "tables"
    assert call("report", "folder:data", "--runs", "one", "two", "--csv", folder, "--bootstrap", 5) == 0
    names = {"scores.csv", "classes.csv", "pairs.csv", "pictures.csv"}
    per_method = {
        f"{what}-{number}-{name}.csv" for what in ("confusion", "flow") for number, name in ((1, "one"), (2, "two"))
    }
    assert {file.name for file in folder.iterdir()} == names | per_method
    confusion = np.zeros((4, 4), dtype=int)
    for _, mask, seeds in seeds_by_hand(place, "two"):
        np.add.at(confusion, (mask.ravel(), seeds.ravel()), 1)
    written = [[int(value) for value in list(row.values())[1:]] for row in rows_of(folder / "confusion-2-two.csv")]
    assert written == confusion.tolist()
    scores = rows_of(folder / "scores.csv")
    assert [row["method"] for row in scores] == ["one", "two"]
    iou = np.diagonal(confusion) / (confusion.sum(0) + confusion.sum(1) - np.diagonal(confusion))
    assert float(scores[1]["mIoU"]) == pytest.approx(iou.mean(), abs=1e-5)


def test_a_picture_of_a_set_becomes_figures_maps_masks_and_scores(call, place, tmp_path):
    id, mask, seeds = list(seeds_by_hand(place, "two"))[3]
    files = [tmp_path / f"out.{kind}" for kind in ("png", "svg", "pdf", "npz", "zip", "csv")]
    options = ["--data", "folder:data", "--picture", id, "--overlay", "errors", "heat", "--dpi", 80, "--dark"]
    assert call("figure", "--runs", "one", "two", *options, "--title", "A title", "--out", *files) == 0
    png, svg, pdf, npz, archive, table = files
    with Image.open(png) as image:
        assert image.width == pytest.approx(174 / 25.4 * 80, abs=2)
        assert np.asarray(image.convert("L")).mean() < 128  # a dark ground was asked for
    assert "A title" in svg.read_text(encoding="utf-8")
    assert pdf.read_bytes().startswith(b"%PDF")
    with np.load(npz) as maps:
        assert maps["methods"].tolist() == ["one", "two"]
        assert maps["thresholds"].tolist() == [0.5, 0.4]
        assert np.array_equal(maps["seeds"][1], seeds)
        assert np.array_equal(maps["truth"], mask)
    with zipfile.ZipFile(archive) as masks:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(masks.read("two.png")))), seeds)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(masks.read("ground_truth.png")))), mask)
    assert {row["method"] for row in rows_of(table)} == {"one", "two"}


def test_a_photograph_without_ground_truth_is_mapped_for_what_is_seen(call, tmp_path, capsys):
    Image.fromarray(TinyDataset(1).load(0).image).save(tmp_path / "mine.png")
    out = tmp_path / "figure.png", tmp_path / "maps.npz"
    assert call("figure", "--runs", "one", "--photo", tmp_path / "mine.png", "--dpi", 60, "--out", *out) == 0
    assert "one sees" in capsys.readouterr().out
    assert call("figure", "--runs", "one", "--photo", tmp_path / "mine.png", "--present", "blue", "--out", out[1]) == 0
    with np.load(out[1]) as maps:
        assert maps["classes"].tolist() == [2]
        assert "truth" not in maps
        assert maps["id"] == "mine"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pictures folder:data --runs one", "Name the pixels"),
        ("pictures folder:data --runs one --truth pink", "no class 'pink'; there are background, red"),
        ("pictures folder:data --runs one --truth red --most 0", "--most takes a number from 1"),
        ("pictures folder:data --runs one --truth red --threshold 2", "between 0 and 1"),
        ("pictures folder:data --runs one --truth red --worse one three", "three is none of the runs"),
        ("pictures folder:data --runs one --truth red --number 3 1", "--number takes the least and the most"),
        ("pictures folder:data --runs one --truth red --classes pink", "no class 'pink'; its classes are red"),
        ("pictures folder:data --runs one --truth red --by 101", "--by takes 0 to 100"),
        ("pictures folder:data --runs one --truth red --score 99.9 100", "No picture passes"),
        ("report folder:data --runs one", "Name a file for the report"),
        ("report folder:data --runs one --csv data/classes.txt", "is a file; name a folder"),
        ("figure --runs one --data folder:data --out OUT/x.gif", "the ending says what is written"),
        ("figure --runs one --out OUT/x.png", "Name a picture"),
        ("figure --runs one --data folder:data --picture nix --out OUT/x.png", "has no picture 'nix'"),
        ("figure --runs one --data folder:data --picture nix --overlay glow --out OUT/x.png", "no overlay 'glow'"),
        ("figure --runs one --data folder:data --width 5 --out OUT/x.png", "width of a figure lies between"),
        ("figure --runs one --data folder:data --present pink --out OUT/x.png", "know no class 'pink'"),
        ("figure --runs one --photo nowhere.png --out OUT/x.png", "nowhere.png: this file is missing"),
        ("figure --runs one --photo data/classes.txt --out OUT/x.png", "classes.txt"),
        ("figure --runs one one --data folder:data --out OUT/x.png", "given twice"),
        ("tags add folder:data odd nowhere", "has no picture 'nowhere'"),
        ("tags add folder:data odd tiny_0 --truth red", "go together"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(call, tmp_path, capsys, command, words):
    assert call(*command.replace("OUT", str(tmp_path / "out")).split()) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_figures_without_ground_truth_refuse_errors_and_scores(call, tmp_path, capsys):
    Image.fromarray(TinyDataset(1).load(0).image).save(tmp_path / "mine.png")
    for options in (["--overlay", "errors", "--out", tmp_path / "x.png"], ["--out", tmp_path / "x.csv"]):
        assert call("figure", "--runs", "one", "--photo", tmp_path / "mine.png", *options) == 2
        assert "no ground truth" in capsys.readouterr().err
    assert not list(tmp_path.glob("x.*"))


def test_tags_are_put_listed_and_taken_away(call, tmp_path, capsys):
    cell = ["--truth", "red", "--taken-for", "blue"]
    assert call("tags", "add", "folder:data", "legs cut off", "tiny_0", "tiny_1", "--note", "see\nbelow", *cell) == 0
    assert call("tags", "add", "folder:data", "odd", "tiny_0") == 0
    capsys.readouterr()
    assert call("tags", "list", "--csv", tmp_path / "tags.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert any("tiny_1  legs cut off (red taken for blue): see below" in line for line in lines)
    assert [row["picture"] for row in rows_of(tmp_path / "tags.csv")] == ["tiny_0", "tiny_0", "tiny_1"]
    # Without its cell, the tag is another one.
    assert call("tags", "remove", "folder:data", "legs cut off", "tiny_1") == 0
    assert "Took 0 tags away" in capsys.readouterr().out
    assert call("tags", "remove", "folder:data", "legs cut off", "tiny_1", *cell) == 0
    assert call("tags", "list", "--tag", "legs cut off") == 0
    assert "tiny_1" not in capsys.readouterr().out.splitlines()[-1]


def test_a_page_holds_the_runs_on_a_picture(call, place, tmp_path, capsys):
    out = tmp_path / "out.html"
    runs = ["--runs", "one", "two"]
    assert call("page", *runs, "--data", f"folder:{place / 'data'}", "--title", "Two <of> them", "--out", out) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith(f"{out}: 0.")
    text = out.read_text(encoding="utf-8")
    assert "<h1>Two &lt;of&gt; them</h1>" in text
    assert re.search(r'<p class="sentence"[^>]*>([^<]+)</p>', text).group(1) == html.escape(said[0])
    content = base64.b64decode(re.search(r'id="picture">([^<]+)<', text).group(1))
    begin = 4 + int.from_bytes(content[:4], "little")
    head = json.loads(content[4:begin])
    assert head["view"] == {"overlay": "taken", "colours": "viridis", "opacity": 0.8, "classes": []}
    picture = json.loads(content[begin + 4 : begin + 4 + int.from_bytes(content[begin : begin + 4], "little")])
    assert [pane["threshold"] for pane in picture["panes"]] == [0.5, 0.4]
    # The sentence is of the seeds that the networks give.
    first, second = (next(seeds_by_hand(place, run)) for run in ("one", "two"))
    classes = open_dataset(f"folder:{place / 'data'}").classes
    change = what_changed(first[2], second[2], first[1], classes)
    assert said[0] == change_sentence(change, classes, *(pane["title"] for pane in picture["panes"]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "page.png"], "let its name end in .html"),
        (["--out", "page.html", "--opacity", "2"], "--opacity lies between 0 and 1"),
        (["--out", "page.html", "--classes", "dragon"], "--classes: the runs know no class 'dragon'"),
        (["--out", "page.html", "--overlay", "disagreement"], "name a second one"),
        (["--out", "page.html", "--picture", "gone"], "has no picture 'gone'"),
    ],
)
def test_a_page_that_cannot_be_is_refused(call, place, capsys, options, words):
    assert call("page", "--runs", "one", "--data", f"folder:{place / 'data'}", *options) == 2
    assert words in capsys.readouterr().err
    assert not list(place.glob("page*"))


# Why -----------------------------------------------------------------------------------------------------------------


def test_why_answers_by_channels_that_sum_to_the_difference(place, call, capsys, tmp_path):
    data = ("--data", f"folder:{place / 'data'}")
    file = tmp_path / "channels.csv"
    assert (
        call(
            "why",
            "--runs",
            "one",
            "two",
            *data,
            "--pixel",
            20,
            30,
            "--called",
            "red",
            "--instead-of",
            "blue",
            "--csv",
            file,
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "column 20, row 30: why red and not blue?" in said
    rows = list(csv.DictReader(file.open(newline="")))
    assert {row["weights"] for row in rows} == {"map (fc1)", "map (rectified_product)", "FC1", "FC2"}
    for title, rule in (("one", "fc1"), ("two", "rectified_product")):
        of_map = [row for row in rows if row["weights"] == f"map ({rule})"]
        total = sum(float(row["contribution"]) for row in of_map)
        printed = float(re.search(rf"{title}[^\n]*sum to ([-+.e0-9]+)", said)[1])
        assert total == pytest.approx(printed, rel=1e-2, abs=1e-3)
        # The logits of FC1 by hand: weight times activation.
        one = next(row for row in rows if row["weights"] == "FC1" and float(row["activation"]) > 0.1)
        by_hand = (float(one["red"]) - float(one["blue"])) * float(one["activation"])
        assert float(one["contribution"]) == pytest.approx(by_hand, rel=1e-3, abs=1e-5)


def test_why_finds_the_largest_wrong_region_by_itself(place, call, capsys):
    for id, mask, seeds in seeds_by_hand(place, "one"):
        code = call("why", "--runs", "one", "--data", f"folder:{place / 'data'}", "--picture", id)
        out, err = capsys.readouterr()
        if code:
            assert "no such wrong region" in err
            assert not (seeds != mask).any()
            continue
        column, row = map(int, re.search(r"column (\d+), row (\d+)", out).groups())
        assert seeds[row, column] != mask[row, column]


def test_why_says_which_class_is_left_to_name(place, call, capsys):
    question = ["why", "--runs", "one", "--data", f"folder:{place / 'data'}", "--pixel", 20, 20]
    assert call(*question) == 0
    called, other = re.search(r"why (\w+) and not (\w+)\?", capsys.readouterr().out).groups()
    assert call(*question, "--called", other) == 2
    assert f"{other!r} is what it is, too: say --instead-of" in capsys.readouterr().err
    assert call(*question, "--instead-of", called) == 2
    assert f"{called!r} is what it is called, too: say --called" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--called", "red", "--instead-of", "red"], "both name 'red'"),
        (["--called", "mauve"], "no class 'mauve'"),
        (["--pixel", 48, 0], "outside this picture"),
        (["--pixel", 0, 0, "--called", "mauve"], "no class 'mauve'"),
        (["--pixel", 0, 0, "--called", "red", "--instead-of", "red"], "two different classes"),
        (["--most", 0], "from 1"),
    ],
)
def test_why_refuses_bad_questions(place, call, capsys, arguments, words):
    assert call("why", "--runs", "one", "--data", f"folder:{place / 'data'}", *arguments) == 2
    assert words in capsys.readouterr().err
