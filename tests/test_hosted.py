"""When the app is hosted, and who is at a page of it."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st

from app import visitors
from app.jobs import REMEMBERED, Job, JobBoard
from recam_core.errors import UserError
from recam_core.guest import Guest, serving

SECRET = "s" * 43


@pytest.mark.parametrize(
    ("said", "address", "is_hosted"),
    [
        ("", "127.0.0.1", False),
        ("", "localhost", False),
        ("", "::1", False),
        ("", "0.0.0.0", True),
        ("", None, True),
        ("", "lab.example.org", True),
        ("1", "127.0.0.1", True),
        ("0", "0.0.0.0", False),
        ("yes", "127.0.0.1", True),
        ("no", "0.0.0.0", True),
    ],
)
def test_the_app_is_hosted_where_others_reach_it(
    said: str, address: str | None, is_hosted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECAM_HOSTED", said)
    monkeypatch.setattr(st, "get_option", lambda name: {"server.address": address}[name])
    assert visitors.is_hosted() is is_hosted


def test_a_plain_start_is_the_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECAM_HOSTED", raising=False)
    assert not visitors.is_hosted(), "server.address in .streamlit/config.toml"


@pytest.fixture
def at_page(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A page of a hosted app; what the browser sent, and who signed in."""
    browser = SimpleNamespace(cookies={}, ip_address=None)
    monkeypatch.setenv("RECAM_HOSTED", "1")
    monkeypatch.setattr(st, "context", browser)
    monkeypatch.setattr(st, "user", SimpleNamespace())
    monkeypatch.setattr(st, "session_state", {})
    browser.next_session = lambda: monkeypatch.setattr(st, "session_state", {})
    browser.sign_in = lambda **user: monkeypatch.setattr(st, "user", Account(user))
    return browser


class Account(dict):
    is_logged_in = True


def test_the_cookie_brings_a_visitor_back(at_page: SimpleNamespace) -> None:
    at_page.cookies = {visitors.COOKIE: SECRET}
    name = visitors.visitor_name()
    at_page.next_session()
    assert visitors.visitor_name() == name
    assert SECRET not in name
    at_page.next_session()
    at_page.cookies = {visitors.COOKIE: "t" * 43}
    assert visitors.visitor_name() != name


@pytest.mark.parametrize("sent", ["", "../" * 14 + "x", "s" * 42, "s" * 44, "s" * 42 + "\n", "ſ" * 43, None])
def test_a_cookie_of_another_form_is_none(sent: str | None, at_page: SimpleNamespace) -> None:
    at_page.cookies = {visitors.COOKIE: sent}
    first = visitors.visitor_name()
    assert visitors.visitor_name() == first, "the session remembers its secret"
    at_page.next_session()
    assert visitors.visitor_name() != first, "each session has another one"


def test_the_browser_gets_the_secret_of_its_session_alone(
    at_page: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    monkeypatch.setattr(st, "html", lambda text, **options: given.append(text))
    visitors.give_cookie()
    name = visitors.visitor_name()
    (secret,) = re.findall(r"[A-Za-z0-9_-]{43}", given[0])
    at_page.next_session()
    at_page.cookies = {visitors.COOKIE: secret}
    assert visitors.visitor_name() == name
    assert "SameSite=Strict" in given[0]
    assert f"/^{visitors.COOKIE}={visitors._SECRET.pattern}$/" in given[0], "a cookie of another form is replaced"


def test_who_signed_in_is_known_by_the_account(at_page: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(st, "html", lambda text, **options: given.append(text))
    at_page.sign_in(iss="https://id.example.org", sub="17")
    name = visitors.visitor_name()
    at_page.next_session()
    at_page.cookies = {visitors.COOKIE: SECRET}
    assert visitors.visitor_name() == name, "whatever the browser"
    at_page.sign_in(iss="https://other.example.org", sub="17")
    assert visitors.visitor_name() != name
    visitors.give_cookie()
    assert given == [], "and needs no cookie"


def test_an_address_counts_besides_where_it_tells_visitors_apart(at_page: SimpleNamespace) -> None:
    for address in (None, "127.0.0.1", "::1", "nonsense"):
        at_page.ip_address = address
        assert visitors.visitor_address() == ""
    at_page.ip_address = "203.0.113.7"
    told = visitors.visitor_address()
    assert told
    assert "203" not in told


def test_a_visitor_has_so_much_work_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("RECAM_VISITOR_JOBS", "2")
    jobs = JobBoard()
    with jobs._one_at_a_time:  # nothing begins
        with serving(Guest("a" * 16, tmp_path)):
            started = [jobs.start(Job(), lambda job: None) for _ in range(2)]
            with pytest.raises(UserError, match="2 pieces of your work"):
                jobs.start(Job(), lambda job: None)
        with serving(Guest("b" * 16, tmp_path)):
            started.append(jobs.start(Job(), lambda job: None))
        for job in started:
            job.cancel.set()


@dataclass
class _Shared(Job):
    @property
    def is_shared(self) -> bool:
        return True


def test_all_visitors_together_have_so_much_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECAM_VISITOR_JOBS", "2")
    monkeypatch.setenv("RECAM_VISITORS_JOBS", "3")
    jobs, go_on = JobBoard(), threading.Event()

    def start(visitor: str, job: Job) -> Job:
        with serving(Guest(visitor * 16, tmp_path)):
            return jobs.start(job, lambda job: go_on.wait(60), at_once=True)

    started = [start("a", Job()), start("a", _Shared())]
    with pytest.raises(UserError, match="2 pieces of your work"):
        start("a", Job())  # what begins at once and what everybody sees count, too
    started.append(start("b", Job()))
    with pytest.raises(UserError, match="So much work of visitors"):
        start("c", Job())
    started.append(jobs.start(Job(), lambda job: go_on.wait(60), at_once=True))  # the host's own
    go_on.set()
    _wait_for(started)
    assert start("c", Job()).guest == "c" * 16


def test_results_of_one_do_not_go_because_another_makes_many(tmp_path: Path) -> None:
    jobs = JobBoard()
    with serving(Guest("a" * 16, tmp_path)):
        first = jobs.start(Job(), lambda job: None)
    _wait_for([first])
    with serving(Guest("b" * 16, tmp_path)):
        for _ in range(REMEMBERED + 2):
            _wait_for([jobs.start(Job(), lambda job: None)])
    with serving(Guest("a" * 16, tmp_path)):
        assert jobs.find(first.id) is first


def _wait_for(jobs: list[Job]) -> None:
    for thread in threading.enumerate():
        if thread.name in {f"job {job.id}" for job in jobs}:
            thread.join(60)
    assert all(job.is_over for job in jobs)
