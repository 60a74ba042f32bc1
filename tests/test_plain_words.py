"""Names as text on the pages: what is escaped, and that every page sends names and messages through it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.plain_words import as_code, plain

JOINER = "\u2060"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("US$ bill", r"US\$ bill"),
        ("5$-10$ coin", r"5\$-10\$ coin"),
        (r"$\frac{", r"\$\\frac{"),
        ("cell_type:A", r"cell_type\:A"),
        ("*bold* _x_", r"\*bold\* \_x\_"),
        ("<b>tag</b>", r"\<b>tag\</b>"),
        ("猫 neko", "猫 neko"),
        (r"a/b\c", r"a/b\\c"),
        ("..", ".."),
        (":red[hot]", r"\:red\[hot\]"),
        ("![x](http://example.org/x.png)", rf"!\[x\](http:{JOINER}//example.org/x.png)"),
        ("a | b", r"a \| b"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("10. one", r"10\. one"),
        ("12345) one", r"12345\) one"),
        ("> said", r"\> said"),
        ("`code`", r"\`code\`"),
        ("~~gone~~", r"\~\~gone\~\~"),
        ("one\ntwo\r\nthree\u2028four\x85five", "one two three four five"),
        # What Streamlit looks for after Markdown was read, where a backslash is gone.
        (":dog:", rf":{JOINER}dog:"),
        (":+1:", rf":{JOINER}+1:"),
        (":material/home:", rf":{JOINER}material/home:"),
        ("a -> b", rf"a -{JOINER}> b"),
        ("<-> b", rf"\<{JOINER}-> b"),
        (">= 3", rf"\>{JOINER}= 3"),
        ("www.example.org", rf"www{JOINER}.example.org"),
        ("x@train.fit", rf"x@{JOINER}train.fit"),
        # What shows nothing, or turns the text behind it around.
        ("a\x00b", "a\ufffdb"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\udcff.png", "\ufffd.png"),
        (" led by a blank", f"{JOINER} led by a blank"),
        ("", ""),
    ],
)
def test_what_is_sent_for_a_name(name: str, sent: str) -> None:
    assert plain(name) == sent


def test_sentences_stay_readable() -> None:
    words = "labels.csv: 3 pictures (of 12) have no label; the first ones are img_1.png, img_2.png and img_3.png."
    assert plain(words) == words


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("voc:a*b@val.fit", "`voc:a*b@val.fit`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a\n\n# b", "`a  # b`"),
        (":material/home:", f"`:{JOINER}material/home:`"),
    ],
)
def test_code_keeps_its_letters(text: str, sent: str) -> None:
    assert as_code(text) == sent


# Every page -----------------------------------------------------------------------------------------------------------

#: Calls of Streamlit that read Markdown in their first argument, and by the names of others.
_CALLS = {
    *("markdown", "caption", "error", "warning", "info", "success", "toast", "title", "header", "subheader", "metric"),
    *("expander", "popover", "button", "download_button", "checkbox", "toggle", "radio", "selectbox", "multiselect"),
    *("slider", "select_slider", "text_input", "text_area", "number_input", "file_uploader", "segmented_control"),
    *("pills", "spinner", "progress", "link_button", "form_submit_button", "badge", "image", "page_link", "text"),
}
_BY_NAME = {"help", "label", "caption", "body", "text"}
#: Of these the options are Markdown as well.
_OPTIONS = {"segmented_control", "pills", "radio", "select_slider"}
#: What is done with a text before it goes there.
_ESCAPES = {"plain", "as_code", "escape"}
#: What people, files and messages are called by in the code.
_NAMED = re.compile(
    r"(^|\.)(name|title|titles|message|spec|id|ids|picture_id|fault|names|problem|note|notes|kept_as|awaits|parent|data|error)$"
)
#: Tables of the program's own words.
_OWN = re.compile(
    r"^(METHODS|KINDS|SOURCES|AXES|FULL_AXES|MASKS|_SECTIONS|SECTIONS|source|_ORDERS|TITLES|WAYS|FINISHES)\b"
)


class Page:
    """A file of the app, and what its variables were given."""

    def __init__(self, file: Path):
        self.file, self.tree = file, ast.parse(file.read_text(encoding="utf-8"))
        self.functions = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]
        self.given: dict[tuple[ast.AST | None, str], list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                if isinstance(target, ast.Name):
                    self.given.setdefault((self.around(node), target.id), []).append(node.value)
                elif isinstance(target, ast.Tuple):
                    parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] * len(target.elts)
                    for name, value in zip(target.elts, parts, strict=False):
                        self.given.setdefault((self.around(node), ast.unparse(name)), []).append(value)

    def around(self, node: ast.AST) -> ast.AST | None:
        """The innermost function around a node."""
        inside = (one for one in self.functions if one.lineno <= node.lineno <= one.end_lineno)
        return max(inside, key=lambda one: one.lineno, default=None)

    def faults(self) -> Iterator[str]:
        for call in ast.walk(self.tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _CALLS):
                continue
            what = call.func.attr
            asked: list[ast.AST] = [] if what == "text" else call.args[:1]
            asked += [one.value for one in call.keywords if one.arg in _BY_NAME]
            if what in _OPTIONS:
                options = (one.value for one in call.keywords if one.arg == "format_func")
                asked += [one.body if isinstance(one, ast.Lambda) else getattr(one, "value", one) for one in options]
            for one in asked:
                yield from (f"{self.file.name}:{call.lineno} {what}: {words}" for words in self.unescaped(one))

    def unescaped(self, node: ast.AST, depth: int = 0) -> Iterator[str]:
        """Names within an expression that are not escaped on their way out of it."""
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in _ESCAPES or called in {"len", "duration", "ago", "open", "round"}:
                return
            if called == "map" and isinstance(node.args[0], ast.Name) and node.args[0].id in _ESCAPES:
                return
            if called == "join":
                for one in node.args:
                    yield from self.unescaped(one, depth)
            elif called == "str":
                yield from self.unescaped(node.args[0], depth)
            return
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            return  # a number
        if isinstance(node, ast.Name) and depth < 3 and (found := self.given.get((self.around(node), node.id))):
            for value in found:
                yield from self.unescaped(value, depth + 1)
            return
        if isinstance(node, (ast.Attribute, ast.Name)):
            words = ast.unparse(node)
            if _NAMED.search(words) and not _OWN.match(words):
                yield words
            return
        if isinstance(node, ast.Subscript):
            yield from self.unescaped(node.value, depth)
            return
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            yield from self.unescaped(node.elt, depth)
            return
        if isinstance(node, ast.IfExp):
            yield from self.unescaped(node.body, depth)
            yield from self.unescaped(node.orelse, depth)
            return
        if isinstance(node, (ast.Compare, ast.Constant)):
            return
        for child in ast.iter_child_nodes(node):
            yield from self.unescaped(child, depth)


def test_no_page_sends_a_name_as_markdown(repo_root: Path) -> None:
    assert [fault for file in sorted((repo_root / "app").rglob("*.py")) for fault in Page(file).faults()] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("st.error(str(error))", 1),
        ("st.error(plain(error))", 0),
        ("st.markdown(f'**{run.name}** of {plain(spec)}')", 1),
        ("st.caption(', '.join(run.name for run in runs))", 1),
        ("st.caption(', '.join(plain(run.name) for run in runs))", 0),
        ("st.pills('Of', keys, format_func=titles.__getitem__)", 1),
        ("st.button('x', help=picture_id)", 1),
        ("st.selectbox('x', keys, format_func=lambda key: titles[key])", 0),
        ("picture = found.ids[0]\nst.button(f'{picture}: its maps')", 1),
        ("title = plain(run.name)\nst.button(title)", 0),
        ("st.text(run.name)", 0),
    ],
)
def test_the_rule_itself(tmp_path: Path, code: str, found: int) -> None:
    (tmp_path / "page.py").write_text(code)
    assert len(list(Page(tmp_path / "page.py").faults())) == found
