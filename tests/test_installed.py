"""The package as it is installed: a wheel, unpacked into an empty folder, used from an empty folder by a new user."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import recam_core
from test_tree import OPTIONAL, pins


@pytest.fixture(scope="module")
def site(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that holds what the wheel brings."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index"]
    build += ["--disable-pip-version-check", "--quiet", "--wheel-dir", str(folder)]
    done = subprocess.run(build, cwd=repo_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    wheel.unlink()
    return folder / "site"


def metadata_of(site: Path) -> dict[str, list[str]]:
    (folder,) = site.glob("recam_lab-*.dist-info")
    read = message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    return {key: read.get_all(key, []) for key in ("Requires-Dist", "Provides-Extra", "Version", "Requires-Python")}


USE = """
import json, os
import recam_core as recam
from recam_core.cache import cache_folder
from recam_core.folders import runs_folder, shipped_folder
from recam_core.cli.main import main
from recam_core.folders import data_root
from recam_core.runs.listed import list_runs

lab = recam.load("photos/bce", device="cpu")
picture = recam.open_dataset("gallery").load(1)
maps = lab.maps(picture.image, ["cat"], scales=(1,), mirror=False, longest=128)
status = main(["runs", "list"])
folders = {"runs": runs_folder(), "data": data_root(), "cache": cache_folder(), "shipped": shipped_folder()}
print(json.dumps({
    "package": recam.__file__, "version": recam.__version__, "bce": float(maps.bce.max()), "titles": lab.titles,
    "faults": list_runs().faults, "status": status, "left": os.listdir("."),
    **{name: str(folder) for name, folder in folders.items()},
}))
"""


def test_the_wheel_works_from_anywhere(site: Path, tmp_path: Path) -> None:
    user, here = tmp_path / "user", tmp_path / "here"
    here.mkdir()
    # Nothing of this machine's user, and only what the wheel brought before the packages that it needs.
    kept = {"PATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE", "MPLBACKEND", "LANG"}
    env = {name: value for name, value in os.environ.items() if name in kept}
    env |= {"HOME": str(user), "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", USE], cwd=here, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert Path(found["package"]) == site / "recam_core" / "__init__.py"
    assert found["version"] == recam_core.__version__ == metadata_of(site)["Version"][0]
    assert found["titles"] == ["BCE-CAM"]
    assert found["bce"] > 0.9
    assert Path(found["shipped"]) == site / "recam_core" / "assets" / "checkpoints"
    assert (found["faults"], found["status"], found["left"]) == ([], 0, [])
    # The user's folders, each of its own, and nothing beside the package.
    folders = {name: Path(found[name]) for name in ("runs", "data", "cache")}
    assert all(user in folder.parents for folder in folders.values())
    assert folders["runs"].name == "runs"
    assert folders["runs"].parent == folders["data"].parent
    assert folders["cache"] not in (folders["runs"].parent, *folders["runs"].parents)


def test_a_clone_keeps_its_own_folders(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recam_core.folders import data_root, runs_folder, shipped_folder

    for name in ("RECAM_RUNS", "RECAM_DATA", "RECAM_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    assert (runs_folder(), data_root()) == (repo_root / "runs", repo_root / "data")
    assert shipped_folder() == repo_root / "assets" / "checkpoints"


def test_what_is_in_the_wheel(site: Path, repo_root: Path) -> None:
    inside = site / "recam_core"
    assert (inside / "py.typed").is_file()
    assert (inside / "views" / "viewer" / "viewer.html").is_file()
    for file in ("main.py", "icon.png", ".streamlit/config.toml"):
        assert (inside / "web" / "app" / file).is_file()
    (folder,) = site.glob("recam_lab-*.dist-info")
    assert "recam = recam_core.cli.main:main" in (folder / "entry_points.txt").read_text(encoding="utf-8")
    # All that ships, and no more than the package and its description.
    assert {path.name for path in site.iterdir()} == {"recam_core", folder.name}
    for part in ("checkpoints", "maps", "boundaries", "gallery", "theory"):
        shipped = {file.relative_to(repo_root / "assets"): file for file in (repo_root / "assets" / part).rglob("*")}
        assert shipped
        for name, file in shipped.items():
            assert file.is_dir() or (inside / "assets" / name).stat().st_size == file.stat().st_size


def test_every_pin_is_within_its_range_and_neither_list_has_more(site: Path) -> None:
    """requirements.txt is what the app runs with, the ranges of pyproject.toml what an installed library accepts."""
    metadata = metadata_of(site)
    ranges = {one.name: one for one in map(Requirement, metadata["Requires-Dist"])}
    pinned = pins("requirements.txt") | pins("requirements-sign-in.txt")
    assert set(ranges) - OPTIONAL == set(pinned), "a dependency is in pyproject.toml or pinned, but not both"
    for name, lines in pinned.items():
        for line in lines:
            version = line.partition(" ;")[0].partition("==")[2]
            assert ranges[name].specifier.contains(version), f"{line} is not within {ranges[name].specifier}"
    extras = {
        extra: {name for name, one in ranges.items() if one.marker and one.marker.evaluate({"extra": extra})}
        for extra in metadata["Provides-Extra"]
    }
    assert extras == {
        "app": {"streamlit"},
        "sign-in": set(pins("requirements-sign-in.txt")),
        "ray": {"ray"},
        "crf": set(pins("requirements-crf.txt")),
    }
    assert all(">=" in str(one.specifier) or "==" in str(one.specifier) for one in ranges.values())


def test_what_the_extra_is_for_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib.util

    from recam_core.cli.main import main

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "streamlit" else find(name, *more)
    )
    assert main(["app"]) == 2
    assert 'pip install "recam-lab[app]"' in capsys.readouterr().err
    assert main(["app", "--port", "70000"]) == 2
    assert "70000 is not a port" in capsys.readouterr().err
