"""`flask kcache`: what it says of a cache, and what it does to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort, make_response, request, session

from kcache import Cache as CoreCache
from kcache_flask import Cache
from tests.servers import Memcached, Redis, memcached, redis
from tests.servers.connect import free_port

Run = Callable[..., Any]

APP = """
from flask import Flask
from kcache import Cache as CoreCache
from kcache_flask import Cache
app = Flask("shop")
cache = Cache(app, config={"KCACHE_NODES": %r})

@app.route("/")
@cache.cached(timeout=60)
def index():
    return "hello"
"""


_opened: list[CoreCache] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def shop(urls: Iterable[str], **config: Any) -> tuple[Flask, Cache]:
    app = Flask("shop")
    app.secret_key = "of no importance"  # noqa: S105 - it is none
    cache = Cache(app, config={"KCACHE_NODES": [*urls], **config})
    _opened.append(cache.cache)
    return app, cache


def run(app: Flask, *arguments: str, text: str | None = None) -> Any:
    return app.test_cli_runner().invoke(args=["kcache", *arguments], input=text)


def said(app: Flask, *arguments: str, status: int = 0) -> str:
    """What a command prints that has nothing to complain of."""
    result = run(app, *arguments)
    assert (result.exit_code, result.stderr) == (status, "")
    text: str = result.stdout
    return text


def parsed(app: Flask, *arguments: str, status: int = 0) -> Any:
    return json.loads(said(app, *arguments, "--json", status=status))


def complaint(app: Flask, *arguments: str, status: int) -> str:
    """The one line on stderr of a command that fails."""
    result = run(app, *arguments)
    assert result.exit_code == status
    assert result.stderr.startswith("kcache: ")
    assert result.stderr.count("\n") == 1
    text: str = result.stderr
    return text


@pytest.fixture
def urls(redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]) -> list[str]:
    return [redises[0].url, redises[1].url, memcacheds[0].url]


def index() -> str:
    return "hello"


def album(number: int) -> str:
    return f"album {number}"


def language() -> Response:
    response = make_response(f"{request.accept_languages.best}")
    response.vary.add("Accept-Language")
    return response


def with_session() -> str:
    session["seen"] = True
    return "hello"


def cookie() -> Response:
    response = make_response("cookie")
    response.set_cookie("name", "value")
    return response


def refused() -> str:
    abort(401)


def broken() -> str:
    return f"{1 / 0}"


@pytest.fixture
def app(urls: list[str]) -> Flask:
    app, cache = shop(urls)

    def add(path: str, view: Callable[..., Any], **options: Any) -> None:
        cached = cache.cached(timeout=60, **options)(view)
        app.add_url_rule(path, path.strip("/"), view_func=cached, methods=["GET", "POST"])

    add("/", index)
    add("/albums/<int:number>", album, namespace="albums")
    add("/language", language)
    add("/cart", with_session)
    add("/cookie", cookie)
    add("/refused", refused)
    add("/left-out", index, unless=lambda: True)
    add("/strict", with_session, make_cache_key=lambda: f"own-{request.path}")
    add("/broken", broken)
    app.add_url_rule("/plain", view_func=lambda: "plain", endpoint="plain")

    @cache.cached()
    @app.route("/above")
    def above() -> str:
        return "above"

    app.extensions["test"] = above
    return app


def test_the_commands_come_with_the_cache_and_only_once(tmp_path: Path, urls: list[str]) -> None:
    (tmp_path / "app.py").write_text(APP % urls)
    command = [sys.executable, "-m", "flask", "kcache", "why", "/"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("yes: the first answer was kept")
    assert done.stderr == ""


def test_a_command_of_the_apps_own_stays() -> None:
    app = Flask("shop")

    @app.cli.command("kcache")
    def own() -> None:
        """Do something else."""

    Cache(app)
    assert run(app).exit_code == 0


def test_ring(app: Flask) -> None:
    nodes = parsed(app, "ring")["nodes"]
    assert [node["kind"] for node in nodes] == ["redis", "redis", "memcached"]
    assert sum(node["share"] for node in nodes) == pytest.approx(1)
    text = said(app, "ring")
    assert text.startswith("libketama ring of shop (127.0.0.1:")
    assert all(node["name"] in text for node in nodes)


def test_stats_are_what_the_servers_say(app: Flask) -> None:
    with app.app_context():
        cache = next(iter(app.extensions["kcache"]))
        assert len(cache.set_many({f"k{i}": i for i in range(60)})) == 60
        cache.get_dict(*(f"k{i}" for i in range(90)))
    nodes = parsed(app, "stats")["nodes"]
    assert sum(node["keys"] for node in nodes) >= 60
    assert [node["server"].split()[0] for node in nodes] == ["Redis", "Redis", "memcached"]
    for node in nodes:
        assert node["error"] is None
        assert node["hits"] > 0
        assert node["misses"] > 0
        assert node["memory"] > 0
        assert node["uptime"] >= 0
    text = said(app, "stats")
    assert text.count("Redis ") == 2
    assert text.count("127.0.0.1:") == 3


def test_stats_of_a_node_that_is_down_and_of_one_in_the_process(urls: list[str]) -> None:
    dead = f"redis://:secret@127.0.0.1:{free_port()}?name=dead"
    app, _ = shop([urls[0], dead, "memory://here"])
    line = complaint(app, "stats", status=1)
    assert line.startswith("kcache: node dead: ")
    assert "secret" not in line
    result = run(app, "stats")
    assert "no answer" in result.stdout
    assert "in process" in result.stdout
    errors = [node["error"] is None for node in parsed(app, "stats", status=1)["nodes"]]
    assert errors == [True, False, True]


def test_stats_behind_a_password() -> None:
    with redis(password="secret") as first, memcached(username="ada", password="secret") as second:
        app, _ = shop([first.url, second.url])
        nodes = parsed(app, "stats")["nodes"]
        bare, _ = shop([first.url.partition("?")[0]])
        assert "NOAUTH" in complaint(bare, "stats", status=1)
    assert [node["error"] for node in nodes] == [None, None]


def test_why_a_page_is_kept(app: Flask) -> None:
    first = parsed(app, "why", "/albums/7")
    assert [answer["is_hit"] for answer in first["answers"]] == [False, True]
    assert first["verdict"].startswith("yes: the first answer was kept")
    assert (first["namespace"], first["key"]) == (["shop", "albums"], "view//albums/7")
    assert first["endpoint"] == "albums/<int:number>"
    state = next(iter(app.extensions["kcache"].values()))
    assert first["node"] == state.cache.namespace("albums").node_for("view//albums/7").name
    again = parsed(app, "why", "/albums/7")
    assert again["verdict"].startswith("yes: it was kept already, and answers, for 59 s more")
    text = said(app, "why", "/albums/7")
    assert "kcache; hit; ttl=59" in text
    assert "shop / albums" in text


def test_why_tells_variants_apart(app: Flask) -> None:
    german = parsed(app, "why", "/language", "-H", "Accept-Language: de")
    assert german["vary"] == ["accept-language"]
    english = parsed(app, "why", "https://shop.example/language")
    assert english["answers"][0]["forward"] == "vary-miss"
    expected = {"scheme": "https", "host": "shop.example", "accept-language": None}
    assert english["variant"] == expected
    text = said(app, "why", "/language", "--host", "other.example:8000", "-H", "Accept-Language:fr")
    assert "http, other.example:8000, accept-language 'fr'" in text


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        (["/cart"], "no: the session was read or written"),
        (["/cart", "--method", "post"], "no: answers to POST are not kept"),
        (["/cookie"], "no: the response sets a cookie"),
        (["/refused"], "no: responses with status 401 are not kept"),
        (["/", "-H", "Authorization: Basic eDp5"], "no: the request has an Authorization"),
        (["/", "--method", "HEAD"], "no: HEAD is answered from what a GET left"),
        (["/left-out"], "no: the cache was not asked: unless= says so"),
        (["/plain"], "no: the view plain is not cached"),
        (["/above"], "no: @cached is above the route of above"),
        (["/nothing"], "no: no view answers this path: status 404"),
        (["/broken"], "no: the view failed"),
    ],
)
def test_why_a_page_is_not_kept(app: Flask, arguments: list[str], verdict: str) -> None:
    app.logger.disabled = True
    assert said(app, "why", *arguments, status=1).startswith(verdict)


def test_why_with_a_key_of_the_users_own(app: Flask) -> None:
    assert parsed(app, "why", "/strict")["key"] == "own-/strict"


def test_why_with_a_method_that_is_kept_apart(urls: list[str]) -> None:
    app, cache = shop(urls)
    view = cache.cached(methods=["GET", "POST"])(index)
    app.add_url_rule("/", view_func=view, methods=["GET", "POST"])
    said(app, "why", "/")
    report = parsed(app, "why", "/", "--method", "post")
    assert [answer["is_hit"] for answer in report["answers"]] == [False, True]
    assert report["key"] != parsed(app, "why", "/")["key"]


def test_why_with_a_view_that_raises_in_debug_mode(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    line = complaint(app, "why", "/broken", status=1)
    assert line == "kcache: the view of /broken raised ZeroDivisionError: division by zero\n"


def test_why_with_a_node_that_is_down() -> None:
    app, cache = shop([f"redis://127.0.0.1:{free_port()}?name=dead"])
    app.add_url_rule("/", view_func=cache.cached()(lambda: "hello"))
    text = said(app, "why", "/", status=1)
    assert text.startswith("no: ")
    assert "node dead down?" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["why", "page"],
        ["why", "ftp://shop/"],
        ["why", "https://[bad"],
        ["why", "/", "-H", "nonsense"],
        ["why", "/", "-H", "A: b\nC: d"],
        ["why", "/", "--host", "a b"],
        ["why", "/", "--method", "G T"],
        ["why"],
        ["why", "/", "--bad"],
        ["bogus"],
        ["invalidate"],
        ["invalidate", ""],
        ["ring", "--cache", "nobody"],
        ["ring", "--cache", "0"],
        ["ring", "more"],
        ["--bad"],
    ],
)
def test_misuse_is_one_line_and_2(app: Flask, arguments: list[str]) -> None:
    complaint(app, *arguments, status=2)


def test_invalidate(app: Flask) -> None:
    for path in ("/", "/albums/7"):
        said(app, "why", path)
    assert "shop/albums: dropped on 3 nodes" in said(app, "invalidate", "albums")
    kept = [parsed(app, "why", path)["answers"][0]["is_hit"] for path in ("/", "/albums/7")]
    assert kept == [True, False]
    expected = {"namespace": ["shop", "albums", "7"], "complete": True, "pending": []}
    assert parsed(app, "invalidate", "albums", "7") == expected


@pytest.mark.parametrize("on_error", ["miss", "raise"])
@pytest.mark.parametrize("command", [["invalidate", "albums"], ["clear", "--yes"]])
def test_nodes_that_could_not_be_told(urls: list[str], command: list[str], on_error: str) -> None:
    dead = f"redis://127.0.0.1:{free_port()}?name=dead"
    app, _ = shop([urls[0], dead], KCACHE_ON_ERROR=on_error)
    assert "not dropped on dead" in complaint(app, *command, status=1)
    result = run(app, *command, "--json")
    assert json.loads(result.stdout)["pending"] == ["dead"]


def test_clear_asks(app: Flask) -> None:
    said(app, "why", "/")
    result = run(app, "clear", text="n\n")
    assert result.exit_code == 1
    assert "Drop everything in shop (127.0.0.1:" in result.stderr
    assert parsed(app, "why", "/")["answers"][0]["is_hit"]
    assert run(app, "clear", text="y\n").exit_code == 0
    assert not parsed(app, "why", "/")["answers"][0]["is_hit"]
    assert "shop: dropped on 3 nodes" in said(app, "clear", "--yes")


@pytest.mark.parametrize("command", [["invalidate", "albums"], ["clear", "--yes"]])
def test_nodes_in_other_processes_are_out_of_reach(command: list[str], urls: list[str]) -> None:
    app, _ = shop(["memory://here"])
    assert "within each process" in complaint(app, *command, status=1)
    app, _ = shop([urls[0], "memory://here"])
    assert "were not reached" in complaint(app, *command, status=0)


def test_one_of_several_caches(urls: list[str]) -> None:
    app = Flask("shop")
    for config in ({}, {"KCACHE_NAMESPACE": "second"}, {"CACHE_TYPE": "NullCache"}):
        Cache(app, config={"KCACHE_NODES": urls[:1], **config})
    line = complaint(app, "ring", status=2)
    assert "the app has 3 caches" in line
    assert "2: second (127.0.0.1:" in line
    assert "ring of second" in said(app, "ring", "--cache", "second")
    assert "ring of second" in said(app, "ring", "--cache", "2")
    assert "several of the app's caches" in complaint(app, "ring", "--cache", "shop", status=2)
    assert "switched off" in complaint(app, "ring", "--cache", "3", status=1)
