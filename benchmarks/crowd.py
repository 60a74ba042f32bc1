"""A crowd before the app: 25 sessions at once on this machine, and how long each press takes.

The app is started as people start it, with folders of its own for runs, cache and data, and is asked by

- 15 sessions without a browser, which speak Streamlit's protocol, and look at pictures whose maps are
  kept: another picture, another threshold, other methods, another family, Confusions, the matrix at another threshold,
  Results, and back,
- 8 in a headless Chromium, which wait until the viewer or the chart is drawn,
- 2 that retrain FC2 by the button of Explore, again and again,
- one full training, a process of the queue.

All think between two presses, as people do, and draw what they do from a seed. Each looks whether it got what it asked
for: picture, family, methods and threshold. Browsers, training and server share the cores of this machine; in life the
browsers have others, so here they run behind the server, and their times are those of a slow machine. A step of a
session ends when its script has run and all of its messages have come; a step of a browser when the page is drawn. What
began in the first seconds, in which all come, does not count.

    python benchmarks/crowd.py [--sessions 1] [--seconds 120] [--no-browsers] [--at COMMIT] [--json FILE]

``--sessions N`` makes the whole crowd smaller in proportion; ``--at`` serves another commit of the project to the same
crowd. Nothing but this machine is reached. Browsers need what is in requirements-test.txt, and are left out without.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "tests")]

#: Of 25 sessions: exploring, in browsers, retraining.
CROWD = (15, 8, 2)
MOST_SESSIONS, MOST_SECONDS = 100, 3600
#: Families whose maps of these pictures ship.
FAMILIES = {"contexts": "scenes:stuff=1@val", "scenes": "scenes@val"}
PICTURES = 200
#: Seconds between two presses of one person, at least and at most.
THINKS = (1.0, 5.0)
#: Seconds in which the crowd comes.
ARRIVES = 15.0
PATIENCE = 60.0
#: How far browsers stand behind the server, on the scale of ``nice``.
BEHIND = 4
AIM = 1.0


# What is noted --------------------------------------------------------------------------------------------------------


@dataclass
class Notes:
    """What the crowd saw.

    Attributes:
        begin: when the first came.
        steps: seconds of each step by (kind of session, step), and when it began.
        errors: sentences on what went wrong, by kind of session.
        crossed: what came to a session that it had not asked for.
        memory: (seconds since the beginning, bytes resident, bytes of its own) of the server.
    """

    begin: float = field(default_factory=time.monotonic)
    steps: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def seconds(self, *kinds: str, step: str = "", settled: float = ARRIVES) -> list[float]:
        """Of all steps (or one) of these kinds of session that began after ``settled`` seconds."""
        return [
            seconds
            for (kind, name), found in self.steps.items()
            if kind in kinds and step in ("", name)
            for began, seconds in found
            if began >= settled
        ]


class Crossed(Exception):
    """A session got what another one asked for."""


def percentile(values: list[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of all; nan for none."""
    if not values:
        return float("nan")
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


@dataclass
class Person:
    """One of the crowd: draws what it does from a seed of its own, and notes how long it took."""

    kind: str
    number: int
    url: str
    notes: Notes
    until: float
    dice: random.Random

    @property
    def has_time(self) -> bool:
        return time.monotonic() < self.until

    async def think(self) -> None:
        """Look at what came."""
        await asyncio.sleep(max(0.0, min(self.dice.uniform(*THINKS), self.until - time.monotonic())))

    async def step(self, name: str, act: Callable[[], Awaitable[Any]]) -> bool:
        """Do something; whether it ended well."""
        begin = time.monotonic()
        try:
            await act()
        except Crossed as error:
            self.notes.crossed.append(f"{self.kind} {self.number}, {name}: {error}")
            return False
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever happens to a visitor is counted
            words = str(error).split("\n")[0][:200]
            self.notes.errors.append(f"{self.kind} {self.number}, {name}: {type(error).__name__} {words}")
            return False
        finally:
            took = time.monotonic() - begin
            self.notes.steps[self.kind, name].append((begin - self.notes.begin, took))
        return True


# Sessions without a browser ------------------------------------------------------------------------------------------


def viewer_head(page: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both headers of what the viewer of a page is told: of the view, and of the picture."""
    found = [one.bytes for one in page.elements("bidi_component") if one.id.endswith("-explore_viewer")]
    if not found:
        raise RuntimeError("there is no viewer on the page")
    content, heads = found[0], []
    for _ in range(2):
        length = int.from_bytes(content[:4], "little")
        heads.append(json.loads(content[4 : 4 + length]))
        content = content[4 + length :]
    return heads[0], heads[1]


class Explorer(Person):
    """Looks around on Explore, Confusions and Results."""

    async def visit(self) -> None:
        """From arriving to leaving; who is thrown out comes back."""
        while self.has_time:
            from page_visitor import PageVisitor

            self.family = self.dice.choice(list(FAMILIES))
            self.picture = f"val_{self.dice.randrange(PICTURES):05d}"
            self.threshold: float | None = None
            self.panes: list[str] | None = None
            self.page = PageVisitor(self.url, PATIENCE)
            try:
                if await self.step("Explore, first look", self._open):
                    await self._look_around()
            finally:
                with suppress(Exception):
                    await self.page.close()
            if self.has_time:
                await self.think()

    async def _look_around(self) -> None:
        ways = [(self._next, 8), (self._cut, 4), (self._methods, 2), (self._family, 1), (self._confusions, 2)]
        ways += [(self._results, 1)]
        acts, weights = zip(*ways, strict=True)
        while self.has_time:
            await self.think()
            (act,) = self.dice.choices(acts, weights)
            if not self.has_time or not await act():
                return

    async def _open(self) -> None:
        query = f"family={self.family}&data={FAMILIES[self.family]}&picture={self.picture}"
        await self.page.open("", query)
        self._see_picture()

    def _faultless(self) -> None:
        if faults := self.page.faults():
            raise RuntimeError(faults[0])

    def _see_picture(self) -> None:
        """The viewer shows the picture, the family and the methods of this session, cut as it asked for."""
        self._faultless()
        _, head = viewer_head(self.page)
        if head["title"] != self.picture:
            raise Crossed(f"asked for {self.picture}, got {head['title']}")
        keys = [pane["key"] for pane in head["panes"]]
        if any(not key.startswith(f"{self.family}/") for key in keys):
            raise Crossed(f"asked for {self.family}, got {keys}")
        if self.panes is not None and keys != self.panes:
            raise Crossed(f"asked for {self.panes}, got {keys}")
        self.panes = keys
        cut = self.page.address.get("threshold")
        wanted = None if self.threshold is None else f"{self.threshold:.2f}"
        if cut != wanted:
            raise Crossed(f"asked for the threshold {wanted}, got {cut}")
        if not any(self.picture in one.body for one in self.page.elements("markdown")):
            raise Crossed(f"the heading is not that of {self.picture}")

    async def _next(self) -> bool:
        key = self.dice.choice(self.page.keys("button", "explore_thumb_"))

        async def act() -> None:
            self.picture = f"val_{int(key.rsplit('_', 1)[1]):05d}"
            await self.page.set({key: True})
            self._see_picture()

        return await self.step("another picture", act)

    async def _cut(self) -> bool:
        async def act() -> None:
            self.threshold = round(self.dice.uniform(0.1, 0.9), 2)
            shown, _ = viewer_head(self.page)
            view = {"cut": "all", "threshold": self.threshold, "revision": shown["revision"]}
            await self.page.set({"explore_viewer": {"view": view}})
            self._see_picture()

        return await self.step("another threshold", act)

    async def _methods(self) -> bool:
        key = f"explore_panes_{self.family}"
        options = list(self.page.widget(key).multiselect.options)

        async def act() -> None:
            # One of them, or all: options and panes are in the same order.
            count = self.dice.choice([1, len(options)])
            chosen = options if count == len(options) else [self.dice.choice(options)]
            self.panes = None
            await self.page.set({key: chosen})
            self._see_picture()
            if len(self.panes) != len(chosen):
                raise Crossed(f"asked for {chosen}, got {self.panes}")

        return await self.step("other methods", act)

    async def _family(self) -> bool:
        other = next(key for key in FAMILIES if key != self.family)
        box = self.page.widget("explore_family").selectbox
        titles = {"contexts": "Drawn scenes", "scenes": "Drawn scenes, objects only"}
        assert titles[other] in box.options, box.options

        async def act() -> None:
            self.panes = None
            await self.page.set({"explore_family": titles[other]})
            self.family = other
            self._faultless()
            _, head = viewer_head(self.page)
            # Each family opens with its own picture, or with the one that was looked at there; and thresholds go
            # along among families with a background, or without.
            self.picture, cut = head["title"], self.page.address.get("threshold")
            self.threshold = None if cut is None else float(cut)
            self._see_picture()

        return await self.step("another family", act)

    async def _confusions(self) -> bool:
        async def go() -> None:
            await self.page.go("confusions")
            self._see_matrix()

        if not await self.step("Confusions", go):
            return False
        for _ in range(self.dice.choice([1, 2])):
            await self.think()
            if not self.has_time or not await self.step("matrix, another threshold", self._cut_matrix):
                return False
        return await self._back()

    def _see_matrix(self) -> None:
        self._faultless()
        if not self.page.elements("plotly_chart"):
            raise RuntimeError("Confusions shows no chart")
        cards = " ".join(one.body for one in self.page.elements("html"))
        if self.threshold is not None and f"threshold {self.threshold:.2f}" not in cards:
            raise Crossed(f"asked for the threshold {self.threshold:.2f}, which the cards do not say")

    async def _cut_matrix(self) -> None:
        self.threshold = round(self.dice.uniform(0.1, 0.9), 2)
        if self.family == "contexts":  # without a background
            await self.page.set({"confusions_cut": True, "confusions_label_threshold": [self.threshold]})
        else:
            await self.page.set({"confusions_own": False, "confusions_threshold": [self.threshold]})
        self._see_matrix()

    async def _results(self) -> bool:
        async def go() -> None:
            await self.page.go("results")
            self._faultless()
            if not self.page.elements("plotly_chart"):
                raise RuntimeError("Results shows no chart")

        if not await self.step("Results", go):
            return False
        await self.think()
        return await self._back()

    async def _back(self) -> bool:
        async def go() -> None:
            await self.page.go("explore")
            self._see_picture()

        return await self.step("back to Explore", go)


class Retrainer(Person):
    """Presses Retrain, waits for the end, looks at it, and presses again."""

    async def visit(self) -> None:
        """From arriving to leaving."""
        while self.has_time:
            from page_visitor import PageVisitor

            self.family = ("scenes", "contexts")[self.number % 2]
            self.page = PageVisitor(self.url, PATIENCE)
            try:
                if await self.step("Explore, first look", self._open):
                    while self.has_time and await self.step("press Retrain", self._press):
                        if not await self.step("FC2 retrained", self._wait) or not self.has_time:
                            break
                        await self.think()
            finally:
                with suppress(Exception):
                    await self.page.close()
            if self.has_time:
                await self.think()

    async def _open(self) -> None:
        await self.page.open("", f"family={self.family}&data={FAMILIES[self.family]}&picture=val_00007")
        self._see()

    def _see(self) -> None:
        if faults := self.page.faults():
            raise RuntimeError(faults[0])
        _, head = viewer_head(self.page)
        keys = [pane["key"] for pane in head["panes"] if not pane["key"].startswith("job/")]
        if any(not key.startswith(f"{self.family}/") for key in keys):
            raise Crossed(f"asked for {self.family}, got {keys}")

    async def _press(self) -> None:
        changes = {"explore_update": ["FC2 only"], "explore_start": True}
        await self.page.set(changes)
        self._see()

    async def _wait(self) -> None:
        while self.has_time:
            await asyncio.sleep(0.7)
            if not await self.page.repeat():
                break
        else:
            return  # the end of the load, and not of the retraining
        self._see()
        _, head = viewer_head(self.page)
        if not any(pane["key"].startswith("job/") for pane in head["panes"]):
            raise RuntimeError("there is no pane of the result")


# Browsers ------------------------------------------------------------------------------------------------------------

#: Whether the script rests, nothing old is on the page, and charts are drawn.
_RESTS = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  if (!app || app.dataset.testScriptState !== 'notRunning' || app.dataset.testConnectionState !== 'CONNECTED')
    return false;
  if (document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')) return false;
  const charts = [...document.querySelectorAll('[data-testid="stPlotlyChart"]')];
  return charts.every((chart) => chart.querySelector('svg.main-svg'));
}"""


class InBrowser(Person):
    """The same in a real browser, with its mouse."""

    browser: Any

    async def visit(self) -> None:
        """From arriving to leaving."""
        while self.has_time:
            context = await self.browser.new_context(viewport={"width": 1400, "height": 1000})
            self.page = await context.new_page()
            self.page.set_default_timeout(1000 * PATIENCE)
            try:
                self.family = self.dice.choice(list(FAMILIES))
                self.picture = f"val_{self.dice.randrange(PICTURES):05d}"
                if await self.step("Explore, first look", self._open):
                    await self._look_around()
            finally:
                with suppress(Exception):
                    await context.close()
            if self.has_time:
                await self.think()

    async def _look_around(self) -> None:
        while self.has_time:
            await self.think()
            if not self.has_time:
                return
            (way,) = self.dice.choices(["picture", "Confusions", "Results"], [8, 2, 1])
            if way == "picture":
                ended_well = await self.step("another picture", self._next)
            else:
                ended_well = await self.step(way, lambda way=way: self._go(way))
                if ended_well:
                    await self.think()
                    ended_well = not self.has_time or await self.step("back to Explore", lambda: self._go("Explore"))
            if not ended_well:
                return

    async def _open(self) -> None:
        address = f"{self.url}/?family={self.family}&data={FAMILIES[self.family]}&picture={self.picture}"
        await self.page.goto(address)
        await self._see_picture()

    async def _see_picture(self) -> None:
        await self.page.locator(".viewer[data-ready]").first.wait_for(state="attached")
        heading = self.page.locator(".st-key-explore_heading strong", has_text=self.picture)
        await heading.first.wait_for(state="attached")
        await self._rest()

    async def _rest(self) -> None:
        await self.page.wait_for_function(_RESTS, polling=50)
        if await self.page.locator('[data-testid="stException"]').count():
            raise RuntimeError("an exception is on the page")

    async def _next(self) -> None:
        buttons = self.page.locator('[class*="st-key-explore_thumb_"]:has(button)')
        names = await buttons.evaluate_all("all => all.map(one => [...one.classList].find(c => c.includes('thumb_')))")
        name = self.dice.choice(names)
        self.picture = f"val_{int(name.rsplit('_', 1)[1]):05d}"
        await self.page.locator(f".{name} button").locator("visible=true").first.click()
        await self._see_picture()

    async def _go(self, name: str) -> None:
        await self.page.get_by_role("link", name=name, exact=True).first.click()
        if name == "Explore":
            await self._see_picture()
            return
        await self.page.get_by_role("heading", name=name, exact=True).first.wait_for(state="attached")
        await self.page.locator('[data-testid="stPlotlyChart"] svg.main-svg').first.wait_for(state="attached")
        await self._rest()


def browser_program() -> str | None:
    """Chromium or Chrome on the path, where Playwright is installed."""
    if not importlib.util.find_spec("playwright"):
        return None
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


# Processes -----------------------------------------------------------------------------------------------------------


def family_of(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


@dataclass
class Processor:
    """What processes take of the cores, those that have ended meanwhile as well.

    Attributes:
        groups: ids of processes by the name of what they are; all others that this process started are browsers.
    """

    groups: dict[str, list[int]]
    _first: dict[int, float] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    def look(self) -> None:
        """To be called every few seconds."""
        known = {pid: name for name, roots in self.groups.items() for root in roots for pid in family_of(root)}
        for pid in family_of(os.getpid())[1:]:
            known.setdefault(pid, "browsers")
        known[os.getpid()] = "sessions without a browser"
        for pid, name in known.items():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                # A process that came since the first look did all that it did meanwhile.
                self._first.setdefault(pid, 0.0 if self._last else seconds)
                self._last[pid], self._names[pid] = seconds, name

    def cores(self, took: float) -> dict[str, float]:
        """Cores that each took on the mean over so many seconds."""
        found: dict[str, float] = defaultdict(float)
        for pid, name in self._names.items():
            found[name] += (self._last[pid] - self._first[pid]) / took
        return dict(found)


def memory_of(pid: int) -> tuple[int, int]:
    """Bytes that are resident, and what of it is the process's own."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["RssAnon"].split()[0]) * 1024


def elsewhere(server: int) -> None:
    """Put browsers behind the server: a visitor's has a machine of its own, and takes nothing of the server's."""
    ours = {os.getsid(0), os.getsid(server)}
    for pid in family_of(os.getpid()):
        with suppress(OSError):
            if os.getsid(pid) in ours:
                continue
            os.setpriority(os.PRIO_PROCESS, pid, BEHIND)
            if os.getsid(pid) == pid:  # where Linux shares the cores among sessions first
                Path(f"/proc/{pid}/autogroup").write_text(str(BEHIND), encoding="ascii")


@contextmanager
def served(root: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Start the app of ``root`` as people do; yields its address and the process that answers."""
    from app_server import free_port, running_app

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONPATH": str(root), **places(folder)}
    command = [sys.executable, str(root / "tools" / "start_app.py")]
    with running_app(command, url, folder / "log", environment) as server:
        pids = family_of(server.process.pid)
        yield url, max(pids, key=lambda pid: memory_of(pid)[0])


def places(folder: Path) -> dict[str, str]:
    """Folders of the app's own, by their environment variables."""
    names = {"RECAM_RUNS": "runs", "RECAM_CACHE": "cache", "RECAM_DATA": "data"}
    for name in names.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {variable: str(folder / name) for variable, name in names.items()}


@contextmanager
def in_training(root: Path, folder: Path, count: int) -> Iterator[list[int]]:
    """Put full trainings into the queue; yields the ids of their processes, which are ended afterwards."""
    environment = {**os.environ, **places(folder), "PYTHONPATH": str(root)}
    pids: list[int] = []
    try:
        for number in range(count):
            words = ["trainings", "start", "bce", "--preset", "small", "--data", "scenes@train", "--out"]
            command = [sys.executable, "-m", "recam_core", *words, str(folder / "runs" / f"crowd-{number}")]
            subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
        for status in (folder / "runs").rglob("status.json"):
            pids.append(int(json.loads(status.read_text())["pid"]))
        yield pids
    finally:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The project as it is, or as it was at a commit."""
    if not commit:
        yield ROOT
        return
    worktree = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tree"
        subprocess.run([*worktree, "add", "--detach", str(place), commit], check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run([*worktree, "remove", "--force", str(place)], check=True, capture_output=True)


# The load ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How many come, for how long.

    Attributes:
        explorers, browsers, retrainers, trainings: of each kind.
        seconds: from the first who comes to the last press.
        seed: of all that they do.
    """

    explorers: int
    browsers: int
    retrainers: int
    trainings: int
    seconds: float
    seed: int = 0

    @classmethod
    def of(cls, sessions: int, seconds: float, trainings: int = 1, seed: int = 0, with_browsers: bool = True) -> "Plan":
        """A crowd of so many sessions, composed as the one of 25 is; or those in browsers explore without one.

        Raises:
            ValueError: more than the bounds allow, or none.
        """
        if not 1 <= sessions <= MOST_SESSIONS:
            raise ValueError(f"between 1 and {MOST_SESSIONS} sessions, not {sessions}")
        if not 5 <= seconds <= MOST_SECONDS:
            raise ValueError(f"between 5 and {MOST_SECONDS} seconds, not {seconds:g}")
        whole = sum(CROWD)
        browsers, retrainers = (round(sessions * part / whole) for part in CROWD[1:])
        explorers = sessions - browsers - retrainers
        if not with_browsers:
            explorers, browsers = explorers + browsers, 0
        return cls(explorers, browsers, retrainers, trainings, seconds, seed)


async def crowd(plan: Plan, url: str, server: int, program: str | None, processor: Processor) -> Notes:
    """Let all come, and note what they see until the time is over."""
    if not url.startswith("http://127.0.0.1:"):
        raise ValueError("the load is for this machine alone")
    notes = Notes()
    until = notes.begin + plan.seconds
    kinds: list[type[Person]] = [Explorer] * plan.explorers + [Retrainer] * plan.retrainers
    if program:
        kinds += [InBrowser] * plan.browsers
    names = {Explorer: "session", Retrainer: "retraining", InBrowser: "browser"}

    async def come(kind: type[Person], number: int, browser: Any) -> None:
        dice = random.Random(f"{plan.seed} {number}")
        await asyncio.sleep(dice.uniform(0, min(ARRIVES, plan.seconds / 3)))
        person = kind(names[kind], number, url, notes, until, dice)
        person.browser = browser
        await person.visit()

    async def watch() -> None:
        while True:
            notes.memory.append((time.monotonic() - notes.begin, *memory_of(server)))
            processor.look()
            await asyncio.sleep(2)

    async def all_come(browser: Any) -> None:
        watching = asyncio.create_task(watch())
        comers = [asyncio.create_task(come(kind, number, browser)) for number, kind in enumerate(kinds)]
        _, late = await asyncio.wait(comers, timeout=plan.seconds + PATIENCE + 5)
        for task in late:
            task.cancel()
            notes.errors.append("a session did not end")
        for task in comers:
            if task.done() and not task.cancelled() and task.exception() is not None:
                notes.errors.append(f"a session broke off: {task.exception()!r}")
        watching.cancel()
        processor.look()
        notes.memory.append((time.monotonic() - notes.begin, *memory_of(server)))

    if not program or not plan.browsers:
        await all_come(None)
        return notes
    from conftest import BROWSER_OPTIONS
    from viewer_browser import launched_async

    async with launched_async(program, *BROWSER_OPTIONS) as browser:
        elsewhere(server)
        await all_come(browser)
    return notes


def measure(plan: Plan, root: Path) -> dict[str, Any]:
    """Figures of one crowd, for people and for a file."""
    program = browser_program()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with served(root, folder) as (url, server):
            warm_up(url)
            with in_training(root, folder, plan.trainings) as trainers:
                processor = Processor({"server": [server], "trainings": trainers})
                processor.look()
                begin = time.monotonic()
                notes = asyncio.run(crowd(plan, url, server, program, processor))
                cores = processor.cores(time.monotonic() - begin)
                log = (folder / "log").read_text(errors="replace")
    faults = [line for line in log.splitlines() if "Traceback" in line or "Error" in line]
    return figures(notes, plan, cores, faults, bool(program))


def warm_up(url: str) -> None:
    """One visitor on each page, so that the server has read what it imports, as it has after its first minutes."""
    from page_visitor import PageVisitor

    async def look() -> None:
        page = PageVisitor(url, 240)
        for family, data in FAMILIES.items():
            await page.open("", f"family={family}&data={data}&picture=val_00000")
            for name in ("confusions", "results", "explore"):
                await page.go(name)
            await page.close()
            page = PageVisitor(url, 240)

    asyncio.run(look())


def figures(notes: Notes, plan: Plan, cores: dict[str, float], faults: list[str], has_browser: bool) -> dict[str, Any]:
    """What is told of a crowd."""
    settled = min(ARRIVES, plan.seconds / 3)
    steps = {
        f"{kind}: {name}": told([seconds for began, seconds in found if began >= settled])
        for (kind, name), found in sorted(notes.steps.items())
    }
    kept = [
        seconds
        for (kind, name), found in notes.steps.items()
        if kind in ("session", "browser")
        for began, seconds in found
        if began >= settled
    ]
    by_kind = {kind: notes.seconds(kind, settled=settled) for kind in ("session", "browser")}
    middle = notes.memory[len(notes.memory) // 2]
    return {
        "plan": vars(plan),
        "browsers": has_browser,
        "all": told(kept),
        "by_kind": {kind: told(found) for kind, found in by_kind.items() if found},
        "steps": {name: found for name, found in steps.items() if found["count"]},
        "errors": notes.errors,
        "log": faults,
        "crossed": notes.crossed,
        "memory_mb": {
            name: [round(part / 1e6) for part in at[1:]]
            for name, at in (("start", notes.memory[0]), ("middle", middle), ("end", notes.memory[-1]))
        },
        "own_mb_by_minute": by_minute(notes.memory),
        "cores": {name: round(value, 2) for name, value in cores.items()},
    }


def by_minute(memory: list[tuple[float, int, int]]) -> list[int]:
    """The server's own memory in megabytes at the end of each minute: flat once its caches are full."""
    last = {int(at // 60): own for at, _, own in memory}
    return [round(own / 1e6) for own in last.values()]


def told(seconds: list[float]) -> dict[str, float]:
    """Count, median, p95 and the largest."""
    return {
        "count": len(seconds),
        "p50": round(statistics.median(seconds), 3) if seconds else float("nan"),
        "p95": round(percentile(seconds, 0.95), 3),
        "max": round(max(seconds, default=float("nan")), 3),
    }


def print_figures(found: dict[str, Any]) -> None:
    """As a table."""
    print(f"{'seconds':<44}{'count':>7}{'p50':>8}{'p95':>8}{'max':>8}")
    rows = {**found["steps"], **{f"every step: {kind}": one for kind, one in found["by_kind"].items()}}
    for name, one in rows.items():
        print(f"{name:<44}{one['count']:>7}{one['p50']:>8.2f}{one['p95']:>8.2f}{one['max']:>8.2f}")
    print(f"errors: {len(found['errors'])}; of the server's log: {len(found['log'])}; crossed: {len(found['crossed'])}")
    for words in (*found["errors"][:5], *found["log"][:5], *found["crossed"][:5]):
        print(f"  {words}")
    memory = ", ".join(f"{name} {at[0]} ({at[1]} its own)" for name, at in found["memory_mb"].items())
    print(f"memory of the server, MB: {memory}")
    print("its own at the end of each minute: " + " ".join(map(str, found["own_mb_by_minute"])))
    print("cores taken: " + ", ".join(f"{name} {value:.2f}" for name, value in found["cores"].items()))
    if not found["browsers"]:
        print("Without browsers: they need Chromium and what is in requirements-test.txt.")


def main() -> None:
    """Print the table, and whether the aim is reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=sum(CROWD), help="of all kinds together (default: 25)")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--trainings", type=int, choices=(0, 1, 2), default=1, help="full trainings beside them")
    parser.add_argument("--no-browsers", action="store_true", help="all explore without one, as if from elsewhere")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", default="", metavar="COMMIT", help="serve another commit of the project")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    try:
        plan = Plan.of(
            arguments.sessions, arguments.seconds, arguments.trainings, arguments.seed, not arguments.no_browsers
        )
    except ValueError as error:
        parser.error(str(error))
    with tree_of(arguments.at) as root:
        found = measure(plan, root)
    print_figures(found)
    whole = found["by_kind"].get("session", found["all"])
    print(f"p95 of sessions without a browser: {whole['p95']:.2f} s; aim: under {AIM:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
