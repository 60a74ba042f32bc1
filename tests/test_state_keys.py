"""What the app's parts call their widgets and their entries of the session: by the name of their page.

Streamlit keeps all of a session's entries, and the values of all widgets with keys, in one table. Two pages that mean
different things by one key break each other, so each key here is either declared in ``app/shared_state.py`` or begins
with the name of its page; tests/pages/test_walk.py looks at the keys that there really are.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parent.parent
APP = REPO_ROOT / "app"
#: By screen, what the keys of its page begin with.
PREFIXES = {file.stem: f"{file.stem}_" for file in sorted((APP / "screens").glob("[!_]*.py"))}
PREFIXES["trainings"] = "training_"
#: Declares what pages share; nothing else may use its names.
DECLARED = "app.shared_state"
#: The beginning of a key that cannot be followed.
_UNKNOWN = object()
_Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Handed:
    """The beginning of a key that whoever calls hands in: the function, and its parameter."""

    function: ast.AST
    parameter: str


@dataclass(frozen=True)
class Use:
    """An expression that is a key, where it stands."""

    module: "Module"
    node: ast.expr

    @property
    def place(self) -> str:
        return f"{self.module.name} line {self.node.lineno}: {ast.unparse(self.node)}"


class Module:
    """A file of the app, with what it takes to follow a key to the text that it begins with."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.tree = ast.parse(text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        #: By name here: the module that it was imported from, and its name there.
        self.imported: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                self.imported |= {alias.asname or alias.name: (node.module or "", alias.name) for alias in node.names}

    @cached_property
    def used(self) -> set[str]:
        """Modules of the app that this one imports."""
        named = {f"{module}.{name}" for module, name in self.imported.values()}
        return {name for name in named | {module for module, _ in self.imported.values()} if name in modules()}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The functions that a node stands in, the nearest first."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, _Functions):
                yield node

    def named(self) -> Iterator[Use]:
        """Every expression that names a widget or an entry of the session."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield from (Use(self, key) for key in self._of_widget(node))
            if isinstance(node, ast.Attribute) and node.attr == "session_state":
                yield from (Use(self, key) for key in self._of_session(node))

    def _of_widget(self, call: ast.Call) -> Iterator[ast.expr]:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name and (name[0].isupper() or not (name in self.functions or self._is_of_app(name))):
            return  # a class, a built-in function, or one of the library, whose keys are no widgets'
        yield from (
            word.value for word in call.keywords if word.arg == "key" and not isinstance(word.value, ast.Lambda)
        )
        if ast.unparse(call.func) == "st.form":
            yield from call.args[:1]

    def _is_of_app(self, name: str) -> bool:
        return self.imported.get(name, ("", ""))[0].split(".")[0] in ("app", "streamlit")

    def _of_session(self, state: ast.Attribute) -> Iterator[ast.expr]:
        parent = self.parents[state]
        if isinstance(parent, ast.Subscript):
            yield parent.slice
        elif isinstance(parent, ast.Compare):
            yield parent.left
        elif isinstance(parent, ast.Attribute) and isinstance(call := self.parents[parent], ast.Call):
            assert parent.attr in ("get", "setdefault", "pop", "update"), ast.unparse(call)
            if parent.attr == "update":
                assert not call.args, ast.unparse(call)
                for word in call.keywords:
                    yield ast.copy_location(ast.Constant(word.arg), call)
            else:
                yield call.args[0]
        else:
            pytest.fail(f"{self.name} line {state.lineno} uses the session without saying a key")

    def beginnings(self, node: ast.expr, at: ast.AST | None = None) -> Iterator[object]:
        """What a key begins with: texts; a module's declared entry says its own; else the marks above."""
        at = node if at is None else at
        if isinstance(node, ast.Constant):
            yield from [] if node.value is None else [node.value]
        elif isinstance(node, ast.JoinedStr):
            first = node.values[0]
            yield from self.beginnings(first.value if isinstance(first, ast.FormattedValue) else first, at)
        elif isinstance(node, ast.IfExp):
            yield from (found for side in (node.body, node.orelse) for found in self.beginnings(side, at))
        elif isinstance(node, ast.Name):
            yield from self._of_name(node.id, at)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from self._of_call(node, node.func.id, at)
        elif isinstance(node, ast.Attribute) and node.attr == "key" and isinstance(node.value, ast.Name):
            is_declared = self.imported.get(node.value.id, ("", ""))[0] == DECLARED
            yield "shared_" if is_declared else _UNKNOWN
        else:
            yield _UNKNOWN

    def _of_name(self, name: str, at: ast.AST) -> Iterator[object]:
        for scope in (*self.around(at), self.tree):
            if isinstance(scope, _Functions) and name in [arg.arg for arg in _arguments(scope)]:
                yield Handed(scope, name)
                return
            values = [
                node.value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign)
                and next(self.around(node), self.tree) is scope
                and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            ]
            if values:
                yield from (found for value in values for found in self.beginnings(value))
                return
        yield _UNKNOWN

    def _of_call(self, call: ast.Call, name: str, at: ast.AST) -> Iterator[object]:
        if name not in self.functions:  # one of another file that makes a key of its first argument
            yield from self.beginnings(call.args[0], at) if call.args else [_UNKNOWN]
            return
        for node in ast.walk(self.functions[name]):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from self.beginnings(node.value)

    def calls(self, module: str, handed: Handed) -> Iterator[Use]:
        """What this module hands to the parameter of a function of that module."""
        name = getattr(handed.function, "name", "")
        if module != self.name and (module, name) not in self.imported.values():
            return
        place = [arg.arg for arg in _arguments(handed.function)].index(handed.parameter)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and name and _called(node) == name:
                given = {word.arg: word.value for word in node.keywords} | dict(enumerate(node.args))
                if (value := given.get(handed.parameter, given.get(place))) is not None:
                    yield Use(self, value)


def _arguments(function: ast.AST) -> list[ast.arg]:
    every = function.args  # type: ignore[attr-defined]
    return [*every.posonlyargs, *every.args, *every.kwonlyargs]


def _called(call: ast.Call) -> str:
    """The name of the function that is called, also where it is wrapped on the spot, as by ``st.fragment(f)(x)``."""
    if isinstance(call.func, ast.Call) and call.func.args and isinstance(call.func.args[0], ast.Name):
        return call.func.args[0].id
    return call.func.id if isinstance(call.func, ast.Name) else ""


@cache
def modules() -> dict[str, Module]:
    files = sorted(APP.rglob("*.py"))
    names = {
        ".".join(file.relative_to(REPO_ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files
    }
    return {name: Module(name, file.read_text(encoding="utf-8")) for name, file in names.items()}


@cache
def screens_of() -> dict[str, set[str]]:
    """By module: the screens that import it, directly or through others."""
    found: dict[str, set[str]] = {name: set() for name in modules()}
    for screen in PREFIXES:
        ahead, seen = [f"app.screens.{screen}"], set()
        while ahead:
            if (name := ahead.pop()) not in seen:
                seen.add(name)
                found[name].add(screen)
                ahead += modules()[name].used
    return found


def fault(use: Use) -> str:
    """What is wrong with a key, or nothing."""
    screens = screens_of()[use.module.name]
    for begin in use.module.beginnings(use.node):
        if begin is _UNKNOWN:
            return f"{use.place}: what it begins with cannot be told"
        if isinstance(begin, Handed) or begin == "shared_":
            continue
        if len(screens) != 1:
            return f"{use.place}: several pages draw this part, so the name of the page must be handed in"
        prefix = PREFIXES[next(iter(screens))]
        if not (str(begin).startswith(prefix) or begin == prefix.removesuffix("_")):
            return f"{use.place}: begins with {begin!r} instead of {prefix!r}"
    return ""


def every_use() -> Iterator[Use]:
    """Every key, and whatever is handed to the functions that are given theirs."""
    ahead = [use for name, module in modules().items() if name != DECLARED for use in module.named()]
    seen: set[Handed] = set()
    while ahead:
        use = ahead.pop()
        yield use
        for begin in use.module.beginnings(use.node):
            if isinstance(begin, Handed) and begin not in seen:
                seen.add(begin)
                ahead += [call for module in modules().values() for call in module.calls(use.module.name, begin)]


def test_every_key_begins_with_its_page_or_is_declared() -> None:
    uses = list(every_use())
    assert len(uses) > 250, "the keys are not found any more"
    faults = sorted({text for use in uses if (text := fault(use))})
    assert not faults, "\n".join(faults)


def test_declared_entries_say_what_they_hold() -> None:
    declared = [node for node in modules()[DECLARED].tree.body if isinstance(node, ast.AnnAssign)]
    assert declared
    names = []
    for node in declared:
        assert ast.unparse(node.annotation).startswith("Shared["), ast.unparse(node)
        assert isinstance(node.value, ast.Call)
        (key,) = node.value.args
        assert isinstance(key, ast.Constant)
        assert key.value.startswith("shared_")
        names.append(key.value)
        used = [name for name, module in modules().items() if (DECLARED, node.target.id) in module.imported.values()]
        assert used, f"nobody uses {node.target.id}"
        assert len(set().union(*(screens_of()[name] for name in used))) > 1, f"one page alone uses {node.target.id}"
    assert len(set(names)) == len(names)


def test_rules_of_style_name_keys_of_pages() -> None:
    begins = tuple(PREFIXES.values())
    for file in (file for end in ("py", "css", "js", "html") for file in APP.rglob(f"*.{end}")):
        for name in re.findall(r"st-key-([^\s\"'\]{.,:)>]*)", file.read_text(encoding="utf-8")):
            assert name.startswith(begins), f"{file.relative_to(REPO_ROOT)}: .st-key-{name}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('st.button("x", key="go")', "begins with 'go' instead of 'about_'"),
        ('st.session_state["order"] = 1', "begins with 'order'"),
        ('st.session_state.setdefault(f"order_{1}", 2)', "begins with 'order_'"),
        ("st.session_state.update(order=1)", "begins with 'order'"),
        ('_KEY = "order"\nst.session_state.pop(_KEY, None)', "begins with 'order'"),
        ('"order" in st.session_state', "begins with 'order'"),
        ('def key(name):\n    return f"order_{name}"\nst.button("x", key=key("a"))', "begins with 'order_'"),
        ('st.form("ask")', "begins with 'ask'"),
        ('st.button("x", key=str(3))', "begins with 3"),
        ('st.button("x", key=things[3])', "cannot be told"),
        ('from app.shared_state import LAB_KIND\nst.button("x", key=LAB_KIND.key)', ""),
        ('st.button("x", key=f"about_{1}")', ""),
        ("sorted([], key=len)", ""),
    ],
)
def test_the_rule_sees_what_it_must(text: str, words: str) -> None:
    module = Module("app.screens.about", f"import streamlit as st\n{text}\n")
    found = [text for use in module.named() if (text := fault(use))]
    assert (words in found[0]) if words else not found
