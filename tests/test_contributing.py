"""What CONTRIBUTING.md shows as the whole of a change is the whole of it."""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from recam_core.cli.experiment import add_question
from recam_core.errors import UserError
from test_studies import GivenScores


@pytest.fixture
def changed(repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Carries out the example that changes (or makes) a file, and gives its module."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    text = (repo_root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = {
        re.search(r"^\+\+\+ b/(.*)$", diff, re.M)[1]: diff for diff in re.findall(r"```diff\n(.*?)```", text, re.S)
    }
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def carry_out(name: str) -> ModuleType:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if (repo_root / name).exists():
            shutil.copy(repo_root / name, file)
        done = subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=examples[name], capture_output=True, text=True)
        assert done.returncode == 0, f"the example for {name} does not fit any more: {done.stderr}"
        module = ModuleType(name.removesuffix(".py").replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(file.read_text(encoding="utf-8"), name, "exec"), module.__dict__)  # noqa: S102 - the repository's own
        return module

    return carry_out


def test_a_mask(changed) -> None:
    masks = changed("recam_core/method/masks.py")
    cams = torch.tensor([[[0.1, 0.3], [0.5, 1.0]]])
    assert torch.equal(masks.parse_mask("cut:0.2")(cams), torch.tensor([[[0.0, 0.3], [0.5, 1.0]]]))


def test_a_rule(changed) -> None:
    extraction = changed("recam_core/method/extraction.py")
    w, w2 = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    assert torch.equal(extraction.class_weights("maximum", w, w2), torch.tensor([[1.0, 3.0]]))
    assert "maximum" in extraction.rules_of(True, False)


def test_an_experiment(changed) -> None:
    questions = changed("recam_core/experiments/questions.py")
    question = questions.QUESTIONS["decay"]
    parser = argparse.ArgumentParser()
    add_question(parser, question)
    arguments = parser.parse_args(["RUN", "--data", "d@train", "--values", "0", "0.5"])
    study = questions.ask("decay", values=arguments.values)
    assert [setting.recipes[0].weight_decay for setting in study.settings] == [0, 0.5]
    assert shlex.join(study.words()) == "--values 0 0.5 --update fc2"
    found = study.run(GivenScores())
    assert found.chosen in {"decay 0", "decay 0.5"}
    assert found.sentence.startswith(f"On d@train.select, {found.chosen} is the best")
    assert [one.x for one in found.chart.panels["mIoU"]] == [(0.0, 0.5)] * 2


def test_a_chart(changed) -> None:
    from recam_core.views.charts.style import DARK

    chart = changed("recam_core/views/charts/class_shares.py").class_shares_chart
    figure = chart(["cow", "<b>dog</b>"], np.array([1, 3]), DARK)
    assert list(figure.data[0].x) == [25.0, 75.0]
    assert figure.data[0].y[1] == "&lt;b&gt;dog&lt;/b&gt;"


def test_a_kind_of_data_set(changed, tmp_path: Path) -> None:
    changed("recam_core/data/named.py")
    spec = changed("recam_core/data/spec.py")
    folder = tmp_path / "animals"
    folder.mkdir()
    for name in ("cow-1", "dog-1", "cow-2"):
        Image.new("RGB", (20, 16)).save(folder / f"{name}.png")
    dataset = spec.open_dataset(f"named:{folder}")
    assert dataset.classes.names == ("cow", "dog")
    assert [dataset.labels(index).tolist() for index in range(3)] == [[True, False], [True, False], [False, True]]
    assert not list(dataset.faults())
    with pytest.raises(UserError, match="has no splits"):
        spec.open_dataset(f"named:{folder}@val")


def test_the_checks_before_a_commit_are_of_the_pinned_versions(repo_root: Path) -> None:
    pins = dict(re.findall(r"^(ruff|oxlint)==(\S+)$", (repo_root / "requirements-test.txt").read_text("utf-8"), re.M))
    hooks = (repo_root / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert f"rev: v{pins['ruff']}\n" in hooks
    assert f'"oxlint=={pins["oxlint"]}"' in hooks


def test_a_code_host_runs_what_the_project_runs(repo_root: Path) -> None:
    workflow = (repo_root / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run"]
