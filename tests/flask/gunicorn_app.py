"""The app that gunicorn serves in tests: `tests.flask.gunicorn_app:create_app()`.

The environment says where: `NODE`, the URL of the cache's node; `FOLDER`, where calls of views are
noted, and the file `go` lets those end that wait for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request

from kcache_flask import Cache

__all__ = ["create_app", "note", "noted"]

_LOCK_TTL = 1.0
"""Seconds after which somebody else computes the page that is abandoned."""
_PATIENCE = 60
_POLL_INTERVAL = 0.005
_LONG, _SHORT = 600, 0.001


def note(folder: Path, name: str, text: str) -> None:
    """Add a line to a file, whoever else does so at the same time."""
    file = os.open(folder / name, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(file, f"{text}\n".encode())
    finally:
        os.close(file)


def noted(folder: Path, name: str) -> list[str]:
    """The lines of a file; none if it is not there."""
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


def create_app() -> Flask:
    """Make the app, and use its cache: with `--preload`, before the workers are forked."""
    folder, maker = Path(os.environ["FOLDER"]), os.getpid()
    app = Flask("site")
    app.config.update(KCACHE_NODES=[os.environ["NODE"]], KCACHE_TIMEOUT=float(_PATIENCE))
    cache = Cache(app)
    cache.set("maker", maker)
    if cache.get("maker") is None:
        raise RuntimeError("the cache does not work")

    @app.route("/ready")
    def ready() -> dict[str, int]:
        return {"master": os.getppid(), "maker": maker}

    _note_requests(app, folder)
    _add_page(app, cache, folder)
    _add_abandoned(app, cache, folder)
    _add_numbers(app, cache)
    _add_news(app, cache)
    return app


def _note_requests(app: Flask, folder: Path) -> None:
    @app.before_request
    def note_request() -> None:
        if request.path != "/ready":
            note(folder, "asked", f"{os.getpid()}")

    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["Worker"] = f"{os.getpid()}"
        return response


def _add_page(app: Flask, cache: Cache, folder: Path) -> None:
    """A page whose view ends when it is told to."""

    @app.route("/page")
    @cache.cached(_LONG, wait=_PATIENCE, lock_ttl=_PATIENCE)
    def page() -> str:
        note(folder, "page", f"{os.getpid()}")
        _wait_until((folder / "go").exists)
        return _signature()


def _add_abandoned(app: Flask, cache: Cache, folder: Path) -> None:
    """A page whose view ends its worker, the first time."""

    @app.route("/abandoned")
    @cache.cached(_LONG, wait=_PATIENCE, lock_ttl=_LOCK_TTL)
    def abandoned() -> str:
        note(folder, "abandoned", f"{os.getpid()}")
        if is_first():
            # The other worker has the request of somebody, too.
            _wait_until(lambda: len(set(noted(folder, "asked"))) > 1)
            os.kill(os.getpid(), signal.SIGKILL)
        return _signature()

    def is_first() -> bool:
        try:
            (folder / "first").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _add_numbers(app: Flask, cache: Cache) -> None:
    """Many results."""

    @cache.memoize(_LONG)
    def twice(number: int) -> int:
        return 2 * number

    @app.route("/twice/<int:number>")
    def double(number: int) -> dict[str, int]:
        return {"number": number, "twice": twice(number)}


def _add_news(app: Flask, cache: Cache) -> None:
    """What is computed again behind the caller; that has begun already when this returns."""
    core = cache.cache

    @app.route("/news")
    def news() -> dict[str, int]:
        return {"made_by": core.get_or_set("news", os.getpid, ttl=_SHORT, stale_ttl=_LONG)}

    news()
    time.sleep(2 * _SHORT)
    news()


def _signature() -> str:
    """Another text at each call."""
    return f"{os.getpid()} {time.monotonic_ns()}"


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL)
