"""Every page with names that Markdown would read: classes, pictures, runs and addresses are shown as they are."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block
from streamlit.util import calc_hash

from app.plain_words import plain
from data_layouts import write_grey_mask, write_list, write_photo
from recam_core.analysis.analysed import analyse, settings_of
from recam_core.checkpoint.run_folder import WEIGHTS_FILE, load_run
from recam_core.data.spec import open_dataset
from run_folders import write_run

#: As people call classes; the last one loads a picture where it is taken for Markdown.
CLASSES = [
    *("US$ bill", "5$-10$ coin", r"$\frac{", "*bold* _x_", "<b>tag</b>", "猫 neko", ":red[hot]:dog:", "`code`"),
    "![x](http://example.org/x.png)",
]
PICTURES = ["*one* [two]", "a -> b", "$x$ :smile:"]
RUNS = ["**first** $1$", "![x](http://example.org/run.png)"]
HOSTILE = [*CLASSES, *PICTURES, *RUNS]
#: Elements that take a text as it is.
_AS_IT_IS = {"text", "code", "arrow_data_frame", "plotly_chart", "bidi_component", "json"}
#: Fields that are read as Markdown, wherever they stand.
_FIELDS = {"body", "label", "help", "text", "caption", "tooltip", "content", "message"}


def sent(page: AppTest) -> Iterator[tuple[str, str]]:
    """(kind of element, text) of everything on the page that is read as Markdown."""

    def fields(kind: str, message: Any) -> Iterator[tuple[str, str]]:
        for field, value in message.ListFields():
            for one in value if field.is_repeated else [value]:
                if hasattr(one, "ListFields"):
                    yield from fields(kind, one)
                elif isinstance(one, str) and field.name in _FIELDS:
                    yield kind, one

    def below(block: Block) -> Iterator[tuple[str, str]]:
        for child in block.children.values():
            if child.type not in _AS_IT_IS and hasattr(child.proto, "ListFields"):
                yield from fields(child.type, child.proto)
            if isinstance(child, Block):
                yield from below(child)

    yield from below(page._tree)


def check(page: AppTest, where: str) -> int:
    """No name is on the page as Markdown would read it; how many are there as text."""
    assert not page.exception, where
    shown = 0
    for kind, text in sent(page):
        if kind == "html":
            assert "<b>tag" not in text, (where, text)
            continue
        # What stands in the letters of code is no Markdown.
        outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", text))
        assert not re.search(r"(?<!\\)(`code`|\]\(http)", outside), (where, kind, text)
        for name in HOSTILE:
            escaped = plain(name)
            assert escaped == name or name not in outside, (where, kind, text)
            shown += escaped != name and escaped in text
    return shown


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """Three pictures of 48 pixels, of the first three classes and the last."""
    root = tmp_path / "pictures"
    for number, name in enumerate(PICTURES):
        write_photo(root / "images" / f"{name}.png", number, 48, 48)
        mask = np.full((48, 48), number + 1, dtype=np.uint8)
        mask[:, 24:] = len(CLASSES)
        write_grey_mask(root / "masks" / f"{name}.png", mask)
    write_list(root / "classes.txt", CLASSES)
    return f"folder:{root}"


@pytest.fixture
def page(repo_root: Path, runs: Path, spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with two runs of these classes, whose maps of these pictures are kept, and nothing else."""
    for name, value in {
        "ASSETS": tmp_path / "none",
        "RUNS": runs,
        "CACHE": tmp_path / "cache",
        "DEVICE": "cpu",
    }.items():
        monkeypatch.setenv(f"RECAM_{name}", str(value))
    monkeypatch.setenv("RECAM_DATA", str(tmp_path))
    dataset = open_dataset(spec)
    for number, name in enumerate(RUNS):
        write_run(
            runs / f"run-{number}",
            classes=list(dataset.classes.names),
            has_background=dataset.classes.has_background,
            threshold=None,
            name=name,
            data=spec,
            seed=number,
        )
        # The last run shows nothing of any class, which is said with their names.
        weights = runs / f"run-{number}" / WEIGHTS_FILE
        state = load_file(weights)
        state["fc1"] *= 0 if name == RUNS[-1] else 1
        save_file(state, weights)
        run = load_run(runs / f"run-{number}")
        analyse(run, run.info.rule, dataset, settings_of(run.info))
    return AppTest.from_file(str(repo_root / "app" / "main.py"), default_timeout=120)


def go(page: AppTest, name: str, **address: str) -> None:
    page.query_params.clear()
    for key, value in address.items():
        page.query_params[key] = value
    if not page.session_state:
        page.run()
    page._page_hash = calc_hash("" if name == "explore" else name)
    page.run()


def test_names_are_shown_as_they_are_on_every_page(page: AppTest, spec: str) -> None:
    sections: dict[str, list[Callable[[], object]]] = {
        "explore": [],
        "confusions": [
            lambda section=section: page.segmented_control(key="confusions_section").set_value(section).run()
            for section in ("pictures",)
        ],
        "why": [],
        "runs": [lambda: page.multiselect(key="runs_chosen").set_value(["run/run-0", "run/run-1"]).run()],
        "results": [],
    }
    shown = {}
    for name, opens in sections.items():
        go(page, name, data=spec)
        shown[name] = check(page, name)
        if name in ("explore", "confusions"):
            said = [box.value for box in page.warning if "No activation for" in box.value]
            assert any(plain(RUNS[-1]) in one and plain(CLASSES[-1]) in one for one in said), (name, said)
        for number, one in enumerate(opens):
            one()
            shown[name] += check(page, f"{name}, section {number}")
    # A page that names nothing would pass.
    assert all(shown[name] for name in ("explore", "confusions", "why")), shown


def test_a_link_loads_no_picture_inside_an_error(page: AppTest) -> None:
    for name in ("explore", "confusions", "why", "lab"):
        go(page, name, data="voc:![x](http://example.org/x.png)")
        check(page, name)
        assert any("example.org" in text for _, text in sent(page)), name
