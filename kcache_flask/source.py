"""What a function's source says of it: its decorators, and what it asks of the request.

What cannot be read, such as a lambda in the middle of an expression, is a source without anything
in it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from types import FunctionType, ModuleType
from typing import Any, Final

import flask

__all__ = ["ANYTHING", "Source", "name_of", "source_of"]

ANYTHING: Final = "*"
"""Stands for whatever name there may be."""

_NOTHING: Final = object()
_IGNORE: Final = re.compile(r"#\s*kcache:\s*ignore(?:\[([\w\s,-]*)\])?")
_RENDERERS: Final = frozenset({"render_template", "stream_template"})
_READERS: Final = frozenset({"get", "getlist", "pop"})


@dataclass(frozen=True)
class Source:
    """What was read of a function.

    Attributes:
        place: file and line.
        decorators: their names, the outermost first, without what is before the last dot.
        request: from an attribute of the request to the names that are asked of it: `args` to
            `{"page"}`; ANYTHING where no single name is written.
        g: attributes of `flask.g`.
        calls: names of functions and methods that are called, without what is before the last dot.
        templates: names of templates that are rendered.
        names: names of other proxies that are used, such as `current_user`.
        uses_session: whether it mentions `flask.session`.
        says_vary: whether it mentions the header Vary.
        ignored: rules that a comment silences; ANYTHING for all.
    """

    place: str
    decorators: tuple[str, ...] = ()
    request: dict[str, set[str]] = field(default_factory=dict)
    g: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    templates: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    uses_session: bool = False
    says_vary: bool = False
    ignored: frozenset[str] = frozenset()


def name_of(function: Callable[..., Any]) -> str:
    """The module and the name of a function; of another object, those of its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def source_of(function: Callable[..., Any]) -> Source:
    """Read the source of a function; of one that wraps another, that of the innermost one."""
    inner = inspect.unwrap(function)
    place = _place(inner)
    if not isinstance(inner, FunctionType):
        return Source(place)
    try:
        text = textwrap.dedent(inspect.getsource(inner))
        tree = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, TokenError, ValueError, IndexError):
        return Source(place)
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return Source(place)
    decorators = tuple(name for each in tree.decorator_list if (name := _last_name(each)))
    return _Reader(inner, tree).read(place, decorators, _ignored(text))


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    path = Path(code.co_filename)
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return f"{path}:{code.co_firstlineno}"


def _ignored(text: str) -> frozenset[str]:
    rules: set[str] = set()
    for listed in _IGNORE.findall(text):
        rules |= {rule.strip() for rule in listed.split(",") if rule.strip()} or {ANYTHING}
    return frozenset(rules)


def _last_name(expression: ast.expr) -> str:
    """Of a decorator as it is written: `auth.required(3)` is `required`."""
    while isinstance(expression, ast.Call):
        expression = expression.func
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


class _Reader:
    """Reads the body of one function."""

    def __init__(
        self, function: FunctionType, tree: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> None:
        self._body = tree.body
        self._parents = {
            child: parent
            for statement in tree.body
            for parent in ast.walk(statement)
            for child in ast.iter_child_nodes(parent)
        }
        self._names = _names_of(function, tree)

    def read(self, place: str, decorators: tuple[str, ...], ignored: frozenset[str]) -> Source:
        source = Source(place, decorators, ignored=ignored)
        uses_session = says_vary = False
        for node in self._nodes():
            if isinstance(node, ast.Call):
                source.calls.add(_last_name(node))
                if _last_name(node) in _RENDERERS:
                    source.templates.add(_first_text(node))
            elif isinstance(node, ast.Constant):
                says_vary |= isinstance(node.value, str) and node.value.lower() == "vary"
            elif isinstance(node, ast.Attribute):
                says_vary |= node.attr == "vary"
            if isinstance(node, (ast.Name, ast.Attribute)):
                uses_session |= self._take(node, source)
        return Source(**{**vars(source), "uses_session": uses_session, "says_vary": says_vary})

    def _nodes(self) -> Iterator[ast.AST]:
        for statement in self._body:
            yield from ast.walk(statement)

    def _take(self, node: ast.Name | ast.Attribute, source: Source) -> bool:
        """Note what a name stands for; whether that is the session."""
        if isinstance(getattr(node, "ctx", None), ast.Store):
            return False
        meant = self._meant(node)
        if meant is flask.request or meant is flask.g:
            parent = self._parents.get(node)
            if isinstance(parent, ast.Attribute):
                if meant is flask.g:
                    source.g.update(self._of_g(parent))
                else:
                    asked = source.request.setdefault(parent.attr, set())
                    asked.add(self._asked(parent))
        elif _is_proxy(meant) and meant is not flask.session:
            source.names.add(_last_name(node))
        return meant is flask.session

    def _of_g(self, attribute: ast.Attribute) -> set[str]:
        if attribute.attr not in _READERS:
            return {attribute.attr}
        call = self._parents.get(attribute)
        return {_first_text(call)} if isinstance(call, ast.Call) else set()

    def _asked(self, attribute: ast.Attribute) -> str:
        """The one name that is asked of `request.args`, or of what is like it."""
        parent = self._parents.get(attribute)
        if isinstance(parent, ast.Subscript):
            return _text(parent.slice)
        if isinstance(parent, ast.Compare) and attribute in parent.comparators:
            return _text(parent.left)
        if isinstance(parent, ast.Attribute) and parent.attr in _READERS:
            call = self._parents.get(parent)
            if isinstance(call, ast.Call):
                return _first_text(call)
        return ANYTHING

    def _meant(self, node: ast.AST) -> Any:
        """The object that a dotted name stands for; _NOTHING where that is not clear."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, _NOTHING)
        if isinstance(node, ast.Attribute):
            owner = self._meant(node.value)
            # Of no other object: to ask it, even for its class, may be to compute.
            if issubclass(type(owner), ModuleType):
                return vars(owner).get(node.attr, _NOTHING)
        return _NOTHING


def _first_text(call: ast.Call) -> str:
    return _text(call.args[0]) if call.args else ANYTHING


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ANYTHING


def _names_of(
    function: FunctionType, tree: ast.FunctionDef | ast.AsyncFunctionDef
) -> dict[str, Any]:
    """What names mean within a function, as far as they are not its own variables."""
    names = {**vars(builtins), **function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            names.pop(name, None)
    for name in (*function.__code__.co_varnames, *function.__code__.co_cellvars):
        names.pop(name, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "flask":
            for alias in node.names:
                names[alias.asname or alias.name] = getattr(flask, alias.name, _NOTHING)
    return names


def _is_proxy(value: Any) -> bool:
    """Whether it stands for something of the request, such as flask_login's `current_user`."""
    # Not by isinstance(), which asks what it stands for.
    return type(value).__name__ == "LocalProxy"
