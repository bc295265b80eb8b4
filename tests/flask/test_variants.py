"""Who may see which page: hosts, headers, credentials, sessions, queries, and keys of one's own."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG005

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, g, make_response, request, session

from kcache import ConfigurationError
from kcache_flask import ignore_query
from tests.flask.site import Site

ADA = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}
BOB = {"Authorization": "Basic Ym9iOmxvdmVsYWNl"}


def _by_language(site: Site) -> Callable[[], Response]:
    def view() -> Response:
        response = make_response(f"{request.headers.get('Accept-Language')} {site.count()}")
        response.vary.add("Accept-Language")
        return response

    return view


def _in(site: Site, *languages: str) -> list[str]:
    return [site.get("/", {"Accept-Language": language}).text for language in languages]


def test_languages_have_pages_of_their_own(anywhere: Site) -> None:
    anywhere.route("/", _by_language(anywhere))
    once = ["de 1", "en 2", "fr 3"]
    assert _in(anywhere, "de", "en", "fr") == once
    assert _in(anywhere, "fr", "de", "en") == [once[2], once[0], once[1]]


def test_deleting_a_page_deletes_it_in_all_languages(anywhere: Site) -> None:
    view = anywhere.route("/", _by_language(anywhere))
    _in(anywhere, "de", "en", "fr")
    assert anywhere.cache.delete_cached(view)
    assert _in(anywhere, "en", "de", "fr", "en") == ["en 4", "de 5", "fr 6", "en 4"]


def test_deleting_the_key_deletes_it_in_all_languages(anywhere: Site) -> None:
    view: Any = anywhere.route("/", _by_language(anywhere), namespace=("shop", "albums"))
    _in(anywhere, "de", "en")
    assert anywhere.cache.delete(view.make_cache_key())
    assert _in(anywhere, "en", "de") == ["en 3", "de 4"]
    anywhere.cache.namespace("shop").invalidate()
    assert _in(anywhere, "en", "de") == ["en 5", "de 6"]


def test_two_processes_learn_by_themselves(redises: Any, new_site: Callable[..., Site]) -> None:
    # Two apps of one name are what two processes are.
    sites = [new_site("shop", KCACHE_NODES=[redises[0].url]) for _ in range(2)]
    sites[1].count = sites[0].count
    for each in sites:
        each.route("/", _by_language(each))
    seen = [*_in(sites[0], "de"), *_in(sites[1], "en"), *_in(sites[0], "en"), *_in(sites[1], "de")]
    assert seen == ["de 1", "en 2", "en 2", "de 1"]


def test_a_view_may_vary_on_more_headers_later(anywhere: Site) -> None:
    def view() -> Response:
        language, device = (request.headers.get(each) for each in ("Accept-Language", "X-Device"))
        response = make_response(f"{language} {device}")
        response.vary.add("Accept-Language")
        if language == "en":
            response.vary.add("X-Device")
        return response

    anywhere.route("/", view)
    asked = [(language, device) for language in ("de", "en") for device in ("phone", "desk")] * 3
    for language, device in asked:
        page = anywhere.get("/", {"Accept-Language": language, "X-Device": device})
        # What is in German does not say that it varies on the device.
        assert page.text == f"{language} {device}" or (language, page.text[:2]) == ("de", "de")
    status = anywhere.get("/", {"Accept-Language": "en", "X-Device": "desk"}).headers
    assert status["Cache-Status"].startswith("kcache; hit")


def test_hosts_and_schemes_have_pages_of_their_own(anywhere: Site) -> None:
    view = anywhere.route("/", lambda: f"{request.host_url} {anywhere.count()}")
    urls = ["http://one.example", "https://one.example", "http://two.example:8000"]
    first = [anywhere.get(base_url=url).text for url in urls]
    assert first == [f"{url}/ {number}" for number, url in enumerate(urls, 1)]
    assert [anywhere.get(base_url=url).text for url in urls] == first
    anywhere.cache.delete_cached(view)
    assert [anywhere.get(base_url=url).text[-1] for url in urls] == ["4", "5", "6"]


def test_vary_of_the_decorator(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", vary=["X-Device"])
    devices = ["phone", "desk", "phone"]
    answers = [site.get("/", {"X-Device": device}) for device in devices]
    assert [answer.text for answer in answers] == ["1", "2", "1"]
    assert {answer.headers["Vary"] for answer in answers} == {"X-Device"}


def test_vary_on_everything_is_not_kept(site: Site) -> None:
    site.route("/", lambda: (f"{site.count()}", {"Vary": "*"}))
    assert site.texts("/", "/") == ["1", "2"]


def _by_user(site: Site, **headers: str) -> Callable[[], Any]:
    def view() -> Any:
        user = request.authorization
        name = None if user is None else user.username
        return f"{name} {site.count()}", headers

    return view


def test_an_authorized_page_is_nobody_elses(site: Site) -> None:
    site.route("/", _by_user(site))
    answers = [site.get("/", each).text for each in (ADA, None, BOB, ADA, None)]
    assert answers == ["ada 1", "None 2", "bob 3", "ada 4", "None 2"]


@pytest.mark.parametrize("says", ["public", "must-revalidate", "s-maxage=60"])
def test_an_authorized_page_may_say_that_it_is_for_all(site: Site, says: str) -> None:
    site.route("/", _by_user(site, **{"Cache-Control": says}))
    assert [site.get("/", each).text for each in (ADA, None, BOB)] == ["ada 1"] * 3


def test_vary_authorization_keeps_a_page_for_each(site: Site) -> None:
    site.route("/", _by_user(site), vary=["Authorization"])
    asked = [ADA, BOB, None, ADA, BOB, None]
    expected = ["ada 1", "bob 2", "None 3"] * 2
    assert [site.get("/", each).text for each in asked] == expected


def test_a_session_read_before_the_view_is_a_session(site: Site) -> None:
    @site.app.before_request
    def load() -> None:
        g.user = session.get("user", "stranger")

    @site.app.route("/login")
    def login() -> str:
        session["user"] = "ada"
        return "welcome"

    site.route("/", lambda: f"hello {g.user}")
    ada = site.app.test_client()
    ada.get("/login")
    assert [ada.get("/").text, site.get().text, ada.get("/").text] == [
        "hello ada",
        "hello stranger",
        "hello ada",
    ]


def test_a_key_of_ones_own_answers_for_the_session(site: Site) -> None:
    site.app.route("/login/<name>")(lambda name: session.update(user=name) or "welcome")
    site.route(
        "/",
        lambda: f"{session.get('user')} {site.count()}",
        make_cache_key=lambda: f"greeting of {session.get('user')}",
    )
    clients = {name: site.app.test_client() for name in ("ada", "bob")}
    for name, client in clients.items():
        client.get(f"/login/{name}")
    seen = [clients[name].get("/").text for name in ("ada", "bob", "ada", "bob")]
    assert seen == ["ada 1", "bob 2", "ada 1", "bob 2"]


def test_vary_cookie_keeps_a_page_for_each(site: Site) -> None:
    site.route("/", lambda: f"{request.cookies.get('a')} {site.count()}", vary=["Cookie"])
    clients = [site.app.test_client() for _ in range(2)]
    for number, client in enumerate(clients, 1):
        client.set_cookie("a", f"{number}")
    assert [clients[each].get("/").text for each in (0, 1, 0)] == ["1 1", "2 2", "1 1"]


PAGES = ["/?a=1&b=2", "/?b=2&a=1", "/?a=1&b=2&utm_x=3", "/?a=1", "/?a=1&a=1", "/?a=&b=2", "/?ä=ö"]


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        (False, "1111111"),
        (True, "1123456"),
        (["a"], "1111234"),
        (ignore_query("utm_*", "b"), "1111234"),
        ([], "1111111"),
    ],
    ids=["none", "all", "some", "not all", "empty"],
)
def test_queries(site: Site, query_string: Any, expected: str) -> None:
    site.route("/", lambda: f"{site.count()}", query_string=query_string)
    # The last one has no a.
    seen = site.texts(*PAGES)
    assert "".join(seen) == expected
    assert site.texts(*PAGES) == seen


def test_an_allow_list_that_is_a_text_is_refused(site: Site) -> None:
    with pytest.raises(ConfigurationError, match=r"give \['page'\]"):
        site.cache.cached(query_string="page")(lambda: "page")


@pytest.mark.parametrize(
    "query", ["a=1&b=%C3%B6", {"b": "ö", "a": 1}, [("b", "ö"), ("a", "1")], "?b=ö&a=1"]
)
def test_delete_cached_of_a_query(site: Site, query: Any) -> None:
    view = site.route("/", lambda: f"{site.count()}", query_string=True)
    assert site.texts("/?a=1&b=ö", "/?a=1") == ["1", "2"]
    assert site.cache.delete_cached(view, query_args=query)
    assert site.texts("/?a=1&b=ö", "/?a=1") == ["3", "2"]


@pytest.mark.parametrize("name", ["blue", "zwölf", "a b", "100%", "a?b", "a#b", "%s", "a%2Fb", "č"])
def test_delete_cached_of_any_path(anywhere: Site, name: str) -> None:
    view = anywhere.route("/albums/<name>/", lambda name: f"{name} {anywhere.count()}")
    with anywhere.app.test_request_context():
        url = anywhere.app.url_for("page1", name=name)
    assert anywhere.texts(url, url) == [f"{name} 1"] * 2
    assert anywhere.cache.delete_cached(view, name=name)
    assert anywhere.get(url).text == f"{name} 2"
    assert anywhere.cache.delete_cached(view, path=f"/albums/{name}/")
    assert not anywhere.cache.delete_cached(view, name=name)


def test_delete_cached_in_a_request(site: Site) -> None:
    def view(number: int) -> str:
        if request.method == "POST":
            site.cache.delete_cached(cached)
            return "deleted"
        return f"{number} {site.count()}"

    cached = site.route("/<int:number>", view, on=["GET", "POST"])
    site.app.add_url_rule("/delete", "d", lambda: f"{site.cache.delete_cached(cached, number=2)}")
    assert site.texts("/1", "/2") == ["1 1", "2 2"]
    assert site.get("/1", method="POST").text == "deleted"
    assert site.texts("/1", "/2", "/delete", "/1", "/2") == ["1 3", "2 2", "True", "1 3", "2 4"]


def test_defaults_of_a_rule_are_arguments(site: Site) -> None:
    view = site.cache.cached()(lambda page: f"{page} {site.count()}")
    site.app.add_url_rule("/all/", "all", view, defaults={"page": 1})
    site.app.add_url_rule("/all/page/<int:page>", "all", view)
    assert site.texts("/all/", "/all/page/2") == ["1 1", "2 2"]
    assert site.cache.delete_cached(view, page=1)
    assert site.cache.delete_cached(view, page=2)


def test_a_literal_key_is_shared_by_all_paths(site: Site) -> None:
    view: Any = site.route("/<name>", lambda name: f"{name} {site.count()}", key_prefix="front")
    assert site.texts("/a", "/b") == ["a 1", "a 1"]
    assert site.cache.get("front") == site.cache.get(view.make_cache_key()) == "a 1"
    assert site.cache.delete("front")
    assert site.get("/b").text == "b 2"


def test_a_function_may_give_the_key(site: Site) -> None:
    site.route("/<n>", lambda n: f"{site.count()}", key_prefix=lambda: f"by {request.args['a']}")
    assert site.texts("/a?a=1", "/b?a=1", "/a?a=2") == ["1", "1", "2"]


@pytest.mark.parametrize("gives", [None, "", 5, b"key"])
def test_a_key_that_is_no_text_is_refused(site: Site, gives: Any) -> None:
    site.app.testing = True
    site.route("/", lambda: "page", make_cache_key=lambda: gives)
    with pytest.raises(Exception, match="make_cache_key and key_prefix give a text"):
        site.get()
