"""Signing in: who sees the pages, and what the others see, with accounts and a file of secrets that are pretended."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit import net_util
from streamlit.runtime.secrets import Secrets
from streamlit.testing.v1 import AppTest

from app import sign_in

PROVIDER = {"client_id": "lab", "client_secret": "s", "server_metadata_url": "https://id.example/.well-known/x"}
AUTH = {"redirect_uri": "https://lab.example/oauth2callback", "cookie_secret": "c" * 32, **PROVIDER}
ADA = {"is_logged_in": True, "name": "Ada *Lovelace*", "email": "Ada@Lab.example", "email_verified": True}


def show_door() -> None:
    """What app/main.py does, with a page that is quick to draw."""
    import streamlit as st

    from app import sign_in

    if not sign_in.is_admitted():
        sign_in.ask()
        return
    st.header("A page")
    sign_in.sign_out()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """``door(secrets, user)`` opens the lab as this user, where .streamlit/secrets.toml holds this."""

    def run(secrets: Mapping[str, Any] | None, user: Mapping[str, Any] | None = None) -> AppTest:
        pretend(monkeypatch, secrets, user)
        page = AppTest.from_function(show_door).run()
        assert not page.exception
        return page

    return run


def pretend(
    patch: pytest.MonkeyPatch, secrets: Mapping[str, Any] | None, user: Mapping[str, Any] | None = None
) -> None:
    pretended = Secrets()
    if secrets is not None:
        pretended._secrets = secrets
    patch.setattr(st, "secrets", pretended)
    patch.setattr(st, "user", SimpleNamespace(to_dict=lambda: dict(user or {"is_logged_in": False})))
    patch.setattr(sign_in, "find_spec", lambda name: name)


def is_inside(page: AppTest) -> bool:
    return [box.value for box in page.header] == ["A page"]


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_without_a_file_of_secrets_nobody_is_asked(door: Callable[..., AppTest]) -> None:
    page = door(None)
    assert is_inside(page)
    assert labels(page) == []
    assert is_inside(door({"something": "else"}))


def test_who_is_not_signed_in_sees_a_sentence_and_a_button(door: Callable[..., AppTest]) -> None:
    page = door({"auth": AUTH})
    assert not is_inside(page)
    assert "sign in" in page.markdown[0].value
    assert labels(page) == ["Sign in"]


def test_no_page_of_the_app_is_drawn_for_who_is_not_signed_in(
    opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, {"auth": AUTH})
    page = opened(data="scenes@val")
    assert [box.value for box in page.title] == ["ReCAM Lab"]
    assert labels(page) == ["Sign in"]
    assert "Open your link once more" in page.caption[0].value
    assert not page.selectbox
    assert not page.segmented_control
    assert not page.get("bidi_component")
    # Nor is a server on the internet asked, on whose answer all would wait, when a page of another origin knocks.
    assert net_util.get_external_ip() is None
    assert "external IP" not in capfd.readouterr().err


def test_who_is_signed_in_sees_the_page_their_name_and_the_way_out(door: Callable[..., AppTest]) -> None:
    page = door({"auth": AUTH}, ADA)
    assert is_inside(page)
    assert page.caption[0].value == r"Signed in as Ada \*Lovelace\*"
    assert labels(page) == ["Sign out"]


def test_several_providers_have_a_button_each(door: Callable[..., AppTest]) -> None:
    named = {key: value for key, value in AUTH.items() if key not in PROVIDER}
    page = door({"auth": {**named, "campus": PROVIDER, "guests": PROVIDER}})
    assert labels(page) == ["Sign in with campus", "Sign in with guests"]
    page = door({"auth": {**AUTH, "client_kwargs": {"prompt": "login"}, "guests": PROVIDER}})
    assert labels(page) == ["Sign in", "Sign in with guests"]


@pytest.mark.parametrize(
    ("allowed", "changes", "words"),
    [
        (["ada@lab.EXAMPLE"], {}, ""),
        (["lab.example"], {}, ""),
        (["@LAB.example"], {"email_verified": "true"}, ""),
        (["other.example", "ada@lab.example"], {}, ""),
        (["bob@lab.example"], {}, "not on this lab's list"),
        (["ab.example"], {}, "not on this lab's list"),
        (["lab.example"], {"email": "ada@sub.lab.example"}, "not on this lab's list"),
        (["lab.example"], {"email": "ada@lab.example@evil.example"}, "tells no e-mail address"),
        # The sign for degrees Kelvin, whose small letter is k.
        (["kit.example"], {"email": "ada@\u212ait.example"}, "not on this lab's list"),
        (["lab.example"], {"email_verified": False}, "not verified"),
        (["lab.example"], {"email_verified": "false"}, "not verified"),
        (["lab.example"], {"email": None}, "tells no e-mail address"),
        ([], {}, "not on this lab's list"),
    ],
)
def test_the_list_decides(
    door: Callable[..., AppTest], allowed: list[str], changes: dict[str, Any], words: str
) -> None:
    page = door({"auth": AUTH, "recam": {"allowed": allowed}}, ADA | changes)
    assert is_inside(page) == (not words)
    if words:
        assert words in page.error[0].value
        assert labels(page) == ["Sign out"]


def test_a_provider_that_does_not_say_verified_is_trusted(door: Callable[..., AppTest]) -> None:
    silent = {key: value for key, value in ADA.items() if key != "email_verified"}
    assert is_inside(door({"auth": AUTH, "recam": {"allowed": ["lab.example"]}}, silent))
    assert is_inside(door({"auth": AUTH, "recam": {}}, silent)), "without a list, whoever can sign in"


@pytest.mark.parametrize(
    "secrets",
    [
        {"recam": {"allowed": ["lab.example"]}},
        {"auth": {}},
        {"auth": "x"},
        {"auth": {"redirect_uri": "x"}},
        {"auth": AUTH, "recam": {"allowed": "lab.example"}},
        {"auth": AUTH, "recam": {"allowed": [3]}},
        {"auth": AUTH, "recam": {"allowed": ["*"]}},
        {"auth": AUTH, "recam": ["lab.example"]},
        {"auth": AUTH, "recam": {"alowed": ["lab.example"]}},
        {"auth": AUTH, "reacm": {"allowed": ["lab.example"]}},
        {"Auth": AUTH},
        {"auht": AUTH},
    ],
)
def test_a_file_that_says_half_lets_nobody_in(door: Callable[..., AppTest], secrets: dict[str, Any]) -> None:
    for user in (None, ADA):
        page = door(secrets, user)
        assert not is_inside(page)
        assert "hosting.md" in page.error[0].value


@pytest.mark.parametrize("content", [b"[auth\nclient_id = 3", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_lets_nobody_in(
    door: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "secrets.toml"
    file.mkdir() if content is None else file.write_bytes(content)
    option = st.get_option
    files = [str(tmp_path / "none.toml"), str(file)]
    monkeypatch.setattr(st.config, "get_option", lambda name: files if name == "secrets.files" else option(name))
    monkeypatch.setattr(st, "get_option", st.config.get_option)
    page = door(None)
    assert not is_inside(page)
    assert "cannot be read" in page.error[0].value


def test_without_the_packages_that_it_needs_it_says_so(
    door: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {"auth": AUTH})
    monkeypatch.setattr(sign_in, "find_spec", lambda name: None)
    page = AppTest.from_function(show_door).run()
    assert "requirements-sign-in.txt" in page.error[0].value
    assert labels(page) == []


def test_what_streamlit_finds_wrong_is_a_sentence(
    door: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = door({"auth": {key: value for key, value in AUTH.items() if key != "cookie_secret"}})
    page.button[0].click().run()
    assert not page.exception
    assert "Nobody can sign in" in page.error[0].value
