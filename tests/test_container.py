"""The image and compose.yaml as they are written: what goes in exists, and both say the same. Nothing is built here."""

import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO_ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("lab", "lab-gpu")


@cache
def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with what follows them, in one line each."""
    text = (REPO_ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]  # type: ignore[misc]


def of(instruction: str) -> list[str]:
    return [words for name, words in steps() if name == instruction]


def settings() -> dict[str, str]:
    return dict(word.split("=", 1) for words in of("ENV") for word in shlex.split(words))


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((REPO_ROOT / "compose.yaml").read_text(encoding="utf-8"))


def taken_from_here() -> list[str]:
    """What the Dockerfile copies out of the repository."""
    return [source for words in of("COPY") if not words.startswith("--from=") for source in words.split()[:-1]]


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    rules = [line for line in (REPO_ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*", "what is not named does not go to the builder"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    sources = taken_from_here()
    assert {"app", "recam_core", "assets", ".streamlit", "tools/start_app.py"} <= set(sources)
    for source in sources:
        assert (REPO_ROOT / source).exists(), source
        assert any(path == source or path.startswith(f"{source}/") for path in let_in), f"{source} is left out"
    for path in let_in:
        assert (REPO_ROOT / path).exists(), path
        assert any(path == source or path.startswith(f"{source}/") for source in sources), f"{path} is not used"
    # A folder of secrets, runs or data would let in what is in it.
    assert not {".streamlit", "tools", "runs", "data", "visitors", "."} & set(let_in)


def test_the_image_starts_the_app_as_everybody_does_and_as_nobody_in_particular() -> None:
    assert json.loads(of("CMD")[-1]) == ["python", "tools/start_app.py"]
    assert "useradd --uid 10001 " in of("RUN")[1]
    assert of("USER") == ["lab"]
    assert [name for name, _ in steps()].index("USER") > max(k for k, step in enumerate(steps()) if step[0] == "RUN")
    assert settings()["HOST"] == "0.0.0.0"
    assert of("EXPOSE") == [settings()["PORT"]]


@pytest.mark.parametrize("name", SERVICES)
def test_compose_runs_the_image_as_it_is_made(name: str) -> None:
    service = compose()["services"][name]
    assert service["user"] == "10001"
    assert service["healthcheck"]["test"] == ["CMD", *json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])]
    mounted = dict(volume.split(":") for volume in service["volumes"])
    assert set(mounted) == set(compose()["volumes"])
    assert list(mounted.values()) == json.loads(of("VOLUME")[0])
    kept = {settings()[name] for name in ("RECAM_RUNS", "RECAM_VISITORS", "RECAM_DATA", "RECAM_CACHE")}
    assert kept == set(mounted.values()), "what is kept is on a volume"
    owned = next(words for words in of("RUN") if "install -d -o lab" in words)
    assert all(folder in owned.split() for folder in mounted.values()), "a volume takes its owner from the image"
    (port,) = service["ports"]
    assert port.startswith("${LISTEN:-127.0.0.1}:")
    assert port.endswith(f":{settings()['PORT']}")
    assert set(service["build"].get("args", {})) <= {words.split("=")[0] for words in of("ARG")}


@pytest.mark.parametrize("name", SERVICES)
def test_compose_bounds_what_the_app_may_do(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["environment"]["ALLOWED_HOSTS"] == "${ALLOWED_HOSTS:-localhost}"
    assert service["environment"]["RECAM_HOSTED"] == "${RECAM_HOSTED:-1}"


def test_the_gpu_is_asked_for_by_its_own_service_alone() -> None:
    usual, gpu = (compose()["services"][name] for name in SERVICES)
    assert "profiles" not in usual
    assert "reservations" not in usual["deploy"]["resources"]
    assert gpu["profiles"] == ["gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert "args" not in gpu["build"], "its torch is the usual wheel, with CUDA"
