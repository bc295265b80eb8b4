"""The tag of templates: `{% cache [timeout [, name [, keys...]]] %}...{% endcache %}`.

A fragment without a name has that of its template and its line. `namespace=` behind the keys puts
it in a namespace; the timeout `'del'` deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from jinja2 import Undefined, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup

from kcache import NodeError
from kcache_flask.entry import fragment_in, fragment_of
from kcache_flask.fetch import Making, fetched
from kcache_flask.keys import make_template_fragment_key, names_of
from kcache_flask.timeouts import Timeout, seconds_of

if TYPE_CHECKING:
    from flask import Flask

    from kcache_flask.extension import Cache
    from kcache_flask.state import State

__all__ = ["CacheTag", "add_tag"]

_CACHE = "kcache_extension"
_DELETE = "del"


class CacheTag(Extension):
    """The tag."""

    tags = {"cache"}  # noqa: RUF012 - as Jinja has it

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse the tag, up to its end."""
        line = next(parser.stream).lineno
        arguments: list[nodes.Expr] = []
        namespace: nodes.Expr = nodes.Const(())
        while parser.stream.current.type != "block_end":
            if arguments:
                parser.stream.expect("comma")
            if parser.stream.current.test("name:namespace") and (
                parser.stream.look().type == "assign"
            ):
                parser.stream.skip(2)
                namespace = parser.parse_expression()
                break
            arguments.append(parser.parse_expression())
        timeout = arguments[0] if arguments else nodes.Const(None)
        default = nodes.Const(f"{parser.filename or parser.name}{line}")
        name = arguments[1] if len(arguments) > 1 else default
        keys = nodes.List(arguments[2:])
        body = parser.parse_statements(("name:endcache",), drop_needle=True)
        # A fragment that nobody has named is told from others by what is in it.
        mark = "" if len(arguments) > 1 else blake2b(repr(body).encode(), digest_size=8).hexdigest()
        call = self.call_method("_cached", [timeout, name, keys, namespace, nodes.Const(mark)])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _cached(  # noqa: PLR0917 - as the tag calls it
        self,
        timeout: Timeout,
        name: str,
        keys: list[object],
        namespace: Any,
        mark: str,
        caller: Callable[[], str],
    ) -> str:
        if self.environment.is_async:
            # Its caller is a coroutine function.
            return caller()
        extension: Cache = getattr(self.environment, _CACHE)
        state = extension.state()
        names = names_of(namespace)
        key = make_template_fragment_key(name, [_defined(key) for key in keys])
        if timeout == _DELETE:
            with suppress(NodeError):
                state.space(names).delete(key)
            return caller()
        if not state.is_enabled:
            return caller()
        return _Fragment(state, names, key, mark, caller).text(timeout)


class _Fragment(Making):
    """A fragment that is rendered, or was."""

    def __init__(
        self,
        state: State,
        names: tuple[str, ...],
        key: str,
        mark: str,
        caller: Callable[[], str],
    ) -> None:
        self._state = state
        self._place = (names, key)
        self._space = state.space(names)
        self._mark = mark
        self._caller = caller
        self._made: str | None = None

    def text(self, timeout: Timeout) -> str:
        """Its text."""
        ttl = seconds_of(timeout, self._state.default_ttl)
        found = fragment_in(self._fetched(self._space.get_or_set, ttl), self._mark)
        if found is None and not self.has_run:
            # It is another one that has no name either, on this line of a template like this.
            self._fetched(self._space.refill, ttl)
        return Markup(found) if self._made is None else self._made  # noqa: S704 - as it was rendered

    def make(self) -> Any:
        """Render it."""
        self._made = self._caller()
        return fragment_of(str(self._made), self._mark)

    def _fetched(self, fill: Callable[..., Any], ttl: float | None) -> Any:
        passes = self._state.passes
        return fetched(fill, self._place, self, ttl=ttl, options={}, passes=passes)


def _defined(key: object) -> object:
    return None if isinstance(key, Undefined) else key


def add_tag(app: Flask, extension: Cache) -> None:
    """Give the templates of an app the tag."""
    setattr(app.jinja_env, _CACHE, extension)
    app.jinja_env.add_extension(CacheTag)
