"""What a scenario is, and the extension of Flask that goes through it.

It is a function that gets an extension, kcache_flask or Flask-Caching, makes apps with it, and says
what it saw.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, TypeVar

from flask import Flask

__all__ = ["Caching", "Extension", "Run", "Scenario", "Verdict", "counter", "page"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
Run = Callable[["Extension"], "Verdict"]


class Caching(Protocol):
    """What both extensions have."""

    @property
    def cache(self) -> Any: ...

    def init_app(self, app: Flask) -> None: ...

    def cached(
        self, timeout: int | None = None, **options: Any
    ) -> Callable[[_Function], _Function]: ...

    def memoize(
        self, timeout: int | None = None, **options: Any
    ) -> Callable[[_Function], _Function]: ...

    def delete_cached(self, f: Any, path: str | None = None) -> object: ...

    def delete_memoized(self, f: Any, *args: Any) -> object: ...

    def clear(self) -> object: ...


@dataclass(frozen=True)
class Extension:
    """An extension, and the configuration of its apps.

    Attributes:
        package: that has `Cache` and `make_template_fragment_key`.
        config: of every app, as a keyword each.
    """

    package: str
    config: Mapping[str, Any] = field(default_factory=dict)
    _made: list[tuple[Flask, Caching]] = field(default_factory=list, init=False)

    @property
    def module(self) -> Any:
        """The package, imported."""
        return import_module(self.package)

    def new_cache(self) -> Caching:
        """The extension object, which belongs to no app yet."""
        cache: Caching = self.module.Cache()
        return cache

    def new_app(self, name: str = "defects", cache: Caching | None = None) -> tuple[Flask, Caching]:
        """An app, and its cache: a new one, or another app's."""
        app = Flask(name)
        app.config.update(self.config, SECRET_KEY="of this test")
        cache = self.new_cache() if cache is None else cache
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cache.init_app(app)
        self._made.append((app, cache))
        return app, cache

    def close(self) -> None:
        """Close the connections of all apps that were made."""
        while self._made:
            app, cache = self._made.pop()
            with app.app_context():
                close = getattr(cache.cache, "close", lambda: None)
            close()

    def fragment_key(self, name: str, keys: list[Any]) -> str:
        """The key of a fragment of a template."""
        return str(self.module.make_template_fragment_key(name, vary_on=keys))


@dataclass(frozen=True)
class Verdict:
    """What came of a scenario."""

    is_right: bool
    seen: str


@dataclass(frozen=True)
class Scenario:
    """Something that an extension does right or not.

    Attributes:
        name: of its function; unique.
        situation: what is done.
        must: what must come of it.
        run: does it.
        depends_on_nodes: whether a server may give another result than the process's memory.
    """

    name: str
    situation: str
    must: str
    run: Run
    depends_on_nodes: bool = False

    def tried(self, extension: Extension) -> Verdict:
        """The verdict on an extension; its apps are closed after it."""
        try:
            return self.run(extension)
        finally:
            extension.close()

    def verdict(self, extension: Extension) -> Verdict:
        """The verdict on an extension; an exception is one, too."""
        try:
            return self.tried(extension)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the user would see
            return Verdict(is_right=False, seen=f"raised {type(error).__name__}: {error}")


def counter() -> Callable[[], int]:
    """Counts its calls, from 1."""
    numbers = itertools.count(1)
    return lambda: next(numbers)


def page(
    extension: Extension,
    view: Callable[..., Any],
    methods: tuple[str, ...] = ("GET",),
    **options: Any,
) -> Flask:
    """An app with one cached view, at /."""
    app, cache = extension.new_app()
    app.add_url_rule("/", "page", cache.cached(**options)(view), methods=methods)
    return app
