"""The tag of templates: `{% cache [timeout [, name [, keys...]]] %}...{% endcache %}`.

A fragment without a name has that of its template and its line. `namespace=` behind the keys puts
it in a namespace; the timeout `'del'` deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup

from kcache_flask.fetch import Maker, fetched
from kcache_flask.keys import make_template_fragment_key, names_of
from kcache_flask.timeouts import Timeout, seconds_of

if TYPE_CHECKING:
    from flask import Flask

    from kcache_flask.extension import Cache

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
        default = nodes.Const(f"{parser.filename}{line}")
        name = arguments[1] if len(arguments) > 1 else default
        keys = nodes.List(arguments[2:])
        body = parser.parse_statements(("name:endcache",), drop_needle=True)
        call = self.call_method("_cached", [timeout, name, keys, namespace])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _cached(
        self,
        timeout: Timeout,
        name: str,
        keys: list[object],
        namespace: Any,
        caller: Callable[[], str],
    ) -> str:
        extension: Cache = getattr(self.environment, _CACHE)
        state = extension.state()
        space = state.space(names_of(namespace))
        key = make_template_fragment_key(name, keys)
        if timeout == _DELETE:
            space.delete(key)
            return caller()
        if not state.is_enabled:
            return caller()
        return _filled(state, space, key, seconds_of(timeout, state.default_ttl), caller)


def _filled(state: Any, space: Any, key: str, ttl: float | None, caller: Callable[[], str]) -> str:
    made: list[str] = []

    def make() -> str:
        # Markup is a text, and as such it is stored.
        made.append(caller())
        return str(made[0])

    making = Maker(make)
    found = fetched(space.get_or_set, key, making, ttl=ttl, options={}, passes=state.passes)
    return made[0] if made else Markup(found)  # noqa: S704 - it was, when it was stored


def add_tag(app: Flask, extension: Cache) -> None:
    """Give the templates of an app the tag."""
    setattr(app.jinja_env, _CACHE, extension)
    app.jinja_env.add_extension(CacheTag)
