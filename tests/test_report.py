"""The report: its figures are those of the analysis, its text is never markup, and it asks for nothing."""

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.outcomes import outcomes_at
from recam_core.checkpoint.run_folder import RunInfo, save_run
from recam_core.cli.main import main
from recam_core.data.folder import export_folder
from recam_core.data.sample import ClassList, Sample
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, grid_size
from recam_core.maps.store import MapStore, StoreInfo, writing_store
from recam_core.model.network import CamNetwork
from recam_core.progress import Cancelled
from recam_core.report.markup import Markup, escaped, points, tag
from recam_core.report.page import report_html, write_report
from recam_core.report.report_data import report_data
from recam_core.scores.evaluate import tally_store
from recam_core.scores.scores import score
from recam_core.views.charts.style import DARK
from tiny_data import TinyDataset

HOSTILE = "</script><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>'\"&"
#: Elements that never have an end tag.
VOID = {"meta", "img", "br", "hr", "col", "link", "input"}


class Page(HTMLParser):
    """Reads a page strictly: what it loads, what it runs, and whether every element is closed."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        elif not self._open or self._open[-1] != "style":
            self.text.append(data)

    @property
    def figures(self) -> list[dict]:
        """The charts, as the page's script reads them."""
        return json.loads(self.scripts[0])

    def figure(self, title: str) -> dict:
        """The chart below a heading, in its light colours."""
        (id,) = (attributes["id"] for _, attributes in self.elements
                 if attributes.get("class") == "chart" and attributes["aria-label"] == title)  # fmt: skip
        return next(figure for figure in self.figures if figure["id"] == id)["light"]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    def attribute(self, *names: str) -> list[str]:
        return [value or "" for _, attributes in self.elements for name, value in attributes.items() if name in names]


def every_text(value) -> list[str]:
    """Every string within what JSON holds."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in every_text(one)]
    if isinstance(value, list):
        return [text for one in value for text in every_text(one)]
    return [value] if isinstance(value, str) else []


class Renamed(TinyDataset):
    """The tiny pictures under other names."""

    def __init__(self, count, names, ids=None, has_background=True):
        super().__init__(count, 32)
        self.classes = ClassList(tuple(names), has_background)
        self.ids = ids or self.ids

    def load(self, index):
        sample = super().load(index)
        return Sample(self.ids[index], sample.image, sample.labels, sample.mask)


def analysed(folder: Path, dataset, key: str, title: str, threshold: float | None, noise: int) -> Analysed:
    """A method whose maps are the ground truth, more or less blurred by noise."""
    rng = np.random.default_rng(noise)
    names, has_background = dataset.classes.names, dataset.classes.has_background
    record = StoreInfo(key, "0" * 64, "fc1", dataset.spec, names, has_background, (1.0,), True, "truth", threshold)
    with writing_store(folder / key.replace("/", "_"), record) as writer:
        for index in range(len(dataset)):
            sample = dataset.load(index)
            classes = np.flatnonzero(sample.labels)
            height, width = grid_size(sample.image.shape[:2])
            truth = np.stack([sample.mask[::4, ::4] == k + 1 for k in classes]) * 200
            grid = np.clip(truth + rng.integers(0, noise, (len(classes), height, width)), 0, 255).astype(np.uint8)
            writer.add(ActivationMaps(sample.id, sample.image.shape[:2], classes, grid))
    store = MapStore(folder / key.replace("/", "_"))
    network = {"backbone": "timm:resnet10t", "output_stride": 16}
    info = RunInfo(
        title, "bce", "fc1", network, list(names), has_background, "tiny@train", {"lr": 0.1, "more": {"a": [1]}}, 3
    )
    return Analysed(key, title, info, "fc1", threshold, store, tally_store(dataset, store).evaluation().counts)


@pytest.fixture(scope="module")
def dataset():
    return TinyDataset(6, 32)


@pytest.fixture(scope="module")
def methods(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return [
        analysed(folder, dataset, "one", "BCE-CAM", 0.5, 250),
        analysed(folder, dataset, "two", "ReCAM", 0.4, 120),
    ]


@pytest.fixture(scope="module")
def data(methods):
    return report_data(methods, resamples=50)


@pytest.fixture(scope="module")
def page(data, dataset):
    return Page(report_html(data, dataset, command="python -m recam_core report tiny", about="A sentence."))


def test_figures_are_those_of_the_analysis(data, methods):
    for method in methods:
        expected = score(method.counts.total(), method.threshold, True)
        assert np.array_equal(data.confusions[method.key], expected.confusion)
        assert data.scores[method.key].miou == expected.miou
        assert data.cuts[method.key].threshold == method.threshold
    assert data.gain.miou_gain[1] == pytest.approx(data.scores["two"].miou - data.scores["one"].miou)
    one_for_all = report_data(methods, 0.3, resamples=5)
    assert {cut.threshold for cut in one_for_all.cuts.values()} == {0.3}
    each = report_data(methods, {"one": 0.2, "two": None}, resamples=5)
    assert [cut.threshold for cut in each.cuts.values()] == [0.2, 0.4]


def test_only_the_chosen_pictures_count(methods):
    chosen = np.array([True, False, True, False, False, True])
    data = report_data(methods, resamples=5, chosen=chosen)
    expected = outcomes_at(methods[1].counts, 0.4).where(chosen).confusion()
    assert np.array_equal(data.confusions["two"], expected)
    with pytest.raises(UserError, match="No picture is left"):
        report_data(methods, chosen=np.zeros(6, bool))


def test_a_method_without_a_threshold_gets_the_best_one_and_says_so(methods):
    data = report_data([replace(methods[0], threshold=None)], resamples=5)
    assert data.cuts["one"].origin == "best on these pictures"
    assert 0 <= data.cuts["one"].threshold <= 1


def test_the_page_says_what_came_out(page, data):
    text = " ".join(page.text)
    for words in (
        "BCE-CAM and ReCAM on tiny",
        "6 pictures, 3 classes",
        "A sentence.",
        "python -m recam_core report tiny",
    ):
        assert words in text
    for method in data.methods:
        assert f"{100 * data.scores[method.key].miou:.2f}" in text
        assert f"{method.threshold:.2f}" in text
    for heading in ("Scores", "Classes", "Confusion matrices", "What changed", "Most confused pairs", "Pictures"):
        assert heading in page.text
    assert {"red", "green", "blue", "background"} <= set(page.text)
    assert "lr: 0.1" in text


def test_the_page_loads_nothing_and_runs_its_own_scripts_alone(page):
    assert not page.names & {"link", "iframe", "object", "embed", "form", "base", "audio", "video", "source"}
    addresses = page.attribute("src", "href", "xlink:href", "action", "poster", "data", "srcset", "background")
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    policy = next(attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    assert "default-src 'none'" in policy
    # Data, Plotly, and what draws: the browser runs the last two, which it knows by their content.
    kinds = [attributes.get("type") for name, attributes in page.elements if name == "script"]
    assert kinds == ["application/json", None, None]
    assert page.scripts[1] == get_plotlyjs()
    hashed = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]
    allowed = next(part for part in policy.split(";") if "script-src" in part).split()[1:]
    assert allowed == [f"'sha256-{digest}'" for digest in hashed]


def test_no_style_fetches_anything(data, dataset):
    content = report_html(data, dataset, pictures=0).replace(get_plotlyjs(), "")
    assert len(content) < 1_000_000
    assert "url(" not in content
    assert "@import" not in content


def test_each_chart_has_its_data_once_and_colours_for_both_lights(page, data):
    titles = [attributes["aria-label"] for _, attributes in page.elements if attributes.get("class") == "chart"]
    assert titles == [
        "IoU of each class",
        "Gain of ReCAM over BCE-CAM",
        "BCE-CAM",
        "ReCAM",
        "ReCAM less BCE-CAM",
        "Is co-occurrence the cause?",
        "BCE-CAM",
        "ReCAM",
        "ReCAM against BCE-CAM, picture by picture",
    ]
    assert len(page.figures) == len(titles)
    for figure in page.figures:
        assert figure["dark"]
        # Only what has a colour differs, and it is there in the light figure, too.
        for path, value in figure["dark"]:
            part = figure["light"]
            for name in path:
                part = part[name]
            assert part != value
        text = json.dumps(figure["dark"])
        assert DARK.text in text
        assert "customdata" not in text


def test_matrices_are_those_of_the_analysis(page, data):
    heat = next(figure for figure in page.figures if figure["light"]["data"][0]["type"] == "heatmap")["light"]["data"][
        0
    ]
    cells = np.frombuffer(base64.b64decode(heat["customdata"]["bdata"]), heat["customdata"]["dtype"])
    cells = cells.reshape([int(side) for side in heat["customdata"]["shape"].split(",")])
    confusion = data.confusions["one"]
    assert [confusion[int(truth), int(predicted)] for truth, predicted in cells[..., :2].reshape(-1, 2)] == cells[
        ..., 3
    ].ravel().tolist()
    assert cells[..., 3].sum() == confusion.sum()


def test_tables_are_in_the_page_as_csv(page, data):
    files = {
        attributes["download"]: attributes["href"]
        for name, attributes in page.elements
        if name == "a" and "download" in attributes
    }
    assert set(files) == {
        f"{name}.csv" for name in ("scores", "classes", "confusion-1", "confusion-2", "pairs", "flow", "pictures")
    }
    for address in files.values():
        content = base64.b64decode(address.split(",", 1)[1]).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(content)))
        assert len({len(row) for row in rows}) == 1
    content = base64.b64decode(files["confusion-2.csv"].split(",", 1)[1]).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content)))
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == data.confusions["two"].tolist()


def test_company_is_plotted_against_confusion(page, data):
    known = [pair for pair in data.plotted if not np.isnan([pair.together_share, *pair.share.values()]).any()]
    assert data.plotted[: len(data.pairs)] == data.pairs
    traces = {trace.get("name"): trace for trace in page.figure("Is co-occurrence the cause?")["data"]}
    for method in data.methods:
        mine = {(pair.truth, pair.predicted): pair for pair in known if pair.pixels[method.key] > 0}
        trace = traces[method.title]
        assert len(trace["x"]) == len(mine) > 0
        for x, y, values in zip(trace["x"], trace["y"], trace["customdata"], strict=True):
            pair = mine.pop(tuple(values))
            assert (x, y) == (pair.together_share, pair.share[method.key])


def test_galleries_begin_with_the_worst_picture(page, data):
    heads = [text for text in page.text if text.startswith("tiny_")]
    worst = int(np.argmin(data.pictures.miou["two"]))
    assert heads[0].strip() == data.pictures.ids[worst]
    difference = data.pictures.difference["two"]
    text = "".join(page.text)
    if (difference < 0).any():
        after = text.index("furthest below")
        assert text.index(data.pictures.ids[int(np.argmin(difference))], after) - after < 40


def test_every_picture_has_words_for_those_who_do_not_see_it(page):
    for name, attributes in page.elements:
        if name == "img":
            assert "alt" in attributes
            assert attributes["src"].startswith("data:image/")
        if attributes.get("class") == "chart":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


@pytest.mark.parametrize("has_background", [True, False])
def test_names_of_strangers_stay_text(tmp_path, has_background):
    ids = [f"{HOSTILE} \x00\x1b {number} {'=cmd()' * (number == 0)}" for number in range(3)]
    names = (HOSTILE, "=1+1", "x" * 300)
    hostile = Renamed(3, names, ids, has_background)
    threshold = 0.5 if has_background else None
    methods = [
        analysed(tmp_path, hostile, "a", HOSTILE, threshold, 200),
        analysed(tmp_path, hostile, "b", f"{HOSTILE} too", threshold, 100),
    ]
    content = report_html(report_data(methods, resamples=5), hostile, title=HOSTILE, about=HOSTILE, command=HOSTILE)
    page = Page(content)
    assert page.scripts[1] == get_plotlyjs()
    assert sum(name == "script" for name, _ in page.elements) == len(page.scripts) == 3
    # Nothing in a chart begins a tag of Plotly but what we put there.
    told = [text for figure in page.figures for text in every_text(figure["light"])]
    assert any("evil.example" in text for text in told)
    tags = {tag for text in told for tag in re.findall(r"<[^>]*>?", text)}
    assert tags <= {"<br>", "<b>", "</b>", "<extra>", "</extra>"}
    assert not [value for value in page.attribute("src") if not value.startswith("data:")]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert HOSTILE in "".join(page.text)
    assert "\x00" not in content


def test_pictures_that_are_gone_leave_a_sentence(data):
    gone = Renamed(6, ("red", "green", "blue"), [f"other_{number}" for number in range(6)])
    text = " ".join(Page(report_html(data, gone)).text)
    assert "cannot be shown: it is no longer in the data set" in text


def test_a_single_method_and_a_single_picture_can_be_reported(methods, dataset):
    chosen = np.arange(6) == 2
    data = report_data(methods[:1], resamples=5, chosen=chosen)
    text = " ".join(Page(report_html(data, dataset, pictures=1)).text)
    assert "1 picture, 3 classes" in text
    assert "What changed" not in text
    assert "Gain over" not in text


def test_methods_of_one_title_are_told_apart(methods):
    data = report_data([methods[0], replace(methods[1], title="BCE-CAM")], resamples=5)
    assert list(data.titles.values()) == ["BCE-CAM (one)", "BCE-CAM (two)"]


def test_methods_that_cannot_be_compared_are_refused(methods, tmp_path):
    with pytest.raises(UserError, match="no method"):
        report_data([])
    with pytest.raises(UserError, match="comes twice"):
        report_data([methods[0], methods[0]])
    with pytest.raises(UserError, match="different pictures"):
        report_data([methods[0], analysed(tmp_path, TinyDataset(4, 32), "x", "X", 0.5, 50)])
    with pytest.raises(UserError, match="0 to 50 pictures"):
        report_html(report_data(methods, resamples=5), TinyDataset(6, 32), pictures=51)


def test_cancelling_leaves_no_file(data, dataset, tmp_path):
    def stop(done, total, note):
        raise Cancelled

    with pytest.raises(Cancelled):
        write_report(tmp_path / "report.html", report_html(data, dataset, progress=stop))
    assert not list(tmp_path.iterdir())


def test_markup_escapes_all_but_markup():
    assert tag("b", "<i>", Markup("<i></i>"), title='"') == '<b title="&quot;">&lt;i&gt;<i></i></b>'
    assert escaped("a\x00b\ud800") == "a b "
    assert [points(value) for value in (0.012, -0.012, 0.0001, -0.0001, float("nan"))] == [
        "+1.2",
        "−1.2",
        "0.0",
        "0.0",
        "–",
    ]


# --- the command ---------------------------------------------------------------------------------------------------


def save_small_run(folder: Path, name: str, classes=("red", "green", "blue")) -> Path:
    network = CamNetwork("timm:resnet10t", len(classes))
    save_run(folder, network, RunInfo(name, "bce", "fc1", {}, list(classes), True, "folder:x", {}, 0, 0.3))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data and two runs."""
    place = tmp_path_factory.mktemp("place")
    export_folder(TinyDataset(5), place / "data")
    save_small_run(place / "bce", "bce")
    save_small_run(place / "mine", "mine")
    return place


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECAM_DEVICE", "cpu")

    def call(*arguments, spec=f"folder:{place / 'data'}"):
        return main(["report", str(spec), *(str(argument) for argument in arguments)])

    return call


def test_the_command_writes_a_report_and_uses_what_is_kept(run, place, tmp_path, capsys, monkeypatch):
    out = tmp_path / "deep" / "report.html"
    options = ["--bootstrap", 10, "--pictures", 1, "--title", "My & report", "--device", "cpu"]
    assert run("--runs", place / "bce", place / "mine", "--out", out, *options) == 0
    assert "Report on 5 pictures" in capsys.readouterr().out
    page = Page(out.read_text(encoding="utf-8"))
    assert "My & report" in page.text
    assert {"BCE-CAM", "mine"} <= set(page.text)
    # Everything is kept now: the second time, no network is loaded.
    monkeypatch.setattr("recam_core.checkpoint.run_folder.load_run", None)
    assert run("--runs", place / "bce", place / "mine", "--out", out, "--limit", 2, *options) == 0
    assert "Report on 2 pictures" in capsys.readouterr().out
    assert "Only the first 2 pictures." in Page(out.read_text(encoding="utf-8")).text


def test_the_command_makes_maps_of_no_more_than_it_reports(run, place, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert run("--runs", place / "bce", "--out", out, "--limit", 2, "--bootstrap", 5, "--device", "cpu") == 0
    assert "Report on 2 pictures" in capsys.readouterr().out
    (kept,) = (tmp_path / "cache").glob("maps-*")
    assert len(MapStore(kept / "maps")) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", 2], "between 0 and 1"),
        (["--limit", 0], "--limit takes a number from 1"),
        (["--pictures", 99], "--pictures takes up to 50"),
        (["--bootstrap", 0], "--bootstrap takes a number from 1"),
        (["--rule", "sum"], "needs FC2"),
        (["--rule", "magic"], "no extraction rule"),
    ],
)
def test_bad_options_are_told_before_anything_slow(run, place, tmp_path, capsys, options, words):
    out = tmp_path / "report.html"
    assert run("--runs", place / "bce", "--out", out, *options) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_runs_and_places_that_do_not_fit_are_told(run, place, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert run("--runs", place / "bce", place / "bce", "--out", out) == 2
    assert "given twice" in capsys.readouterr().err
    assert run("--runs", place / "bce", "--out", tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err
    assert run("--runs", tmp_path, "--out", out) == 2
    assert "no run folder" in capsys.readouterr().err
    other = save_small_run(tmp_path / "other", "other", ("a", "b"))
    assert run("--runs", other, "--out", out) == 2
    assert "different classes" in capsys.readouterr().err
    assert not out.exists()
    assert not re.search("Traceback", capsys.readouterr().err)
