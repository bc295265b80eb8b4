"""What may be stored, by the cases of RFC 9111, and for which requests."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache_flask import cache_status, conditional, http
from kcache_flask.http import (
    CACHEABLE,
    Answered,
    Asked,
    Rules,
    directives,
    may_serve_authorized,
    refusal,
    shared_lifetime,
    variant_of,
    vary_names,
    wish_of,
)

RULES = Rules()
GET = Asked("GET", has_authorization=False, cache_control=None, pragma=None)
AUTHORIZED = replace(GET, has_authorization=True)
OK = Answered(200, cache_control=None, vary=None, sets_cookie=False, uses_session=False)


def covering(*names: str) -> Rules:
    return Rules(covers=frozenset(names))


def saying(cache_control: str | None, status: int = 200) -> Answered:
    return replace(OK, status=status, cache_control=cache_control)


# Cache-Control: RFC 9111, 5.2.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("", {}),
        ("no-store", {"no-store": None}),
        # The examples of 5.2: names in any case, arguments as tokens or in quotes.
        ("max-age=5", {"max-age": "5"}),
        ('max-age="5"', {"max-age": "5"}),
        ("Max-Age=5, NO-Store", {"max-age": "5", "no-store": None}),
        ("no-cache, must-revalidate", {"no-cache": None, "must-revalidate": None}),
        # 5.2.2.4, 5.2.2.7: lists of fields.
        ('private="set-cookie, x-a", max-age=1', {"private": "set-cookie, x-a", "max-age": "1"}),
        ('no-cache="a", private', {"no-cache": "a", "private": None}),
        # 5.2.3: the extension that it takes as an example.
        ('private, community="UCI"', {"private": None, "community": "UCI"}),
        # What is quoted is no directive.
        ('ext="no-store, private", public', {"ext": "no-store, private", "public": None}),
        (r'ext="a\", public, \"b", max-age=1', {"ext": 'a", public, "b', "max-age": "1"}),
        (r'ext="a\\", public', {"ext": "a\\", "public": None}),
        ('"public"', {}),
        ('ext=a"public"', {"ext": "a"}),
        ('ext=""', {"ext": ""}),
        # Lists may have empty members: RFC 9110, 5.6.1.
        (" , max-age=1 ,,\tpublic, ", {"max-age": "1", "public": None}),
        # What is wrong hides nothing of the rest.
        ("private; max-age=5", {"private": None, "max-age": "5"}),
        ("max-age = 5", {"max-age": "5"}),
        ("max-age=", {"max-age": None}),
        ("=5, no-store", {"5": None, "no-store": None}),
        ('ext="a, no-store', {"ext": "a", "no-store": None}),
        ('ext="a", b="c, "no-store', {"ext": "a", "b": "c, ", "no-store": None}),
        (r'ext="a\", no-store', {"ext": "a\\", "no-store": None}),
        ("<no-store>", {"no-store": None}),
        # Of two the stricter one.
        ("s-maxage=60, s-maxage=5", {"s-maxage": "5"}),
        ("s-maxage=5, s-maxage=60", {"s-maxage": "5"}),
        ("s-maxage=x, s-maxage=60", {"s-maxage": "60"}),
        ("s-maxage=60, s-maxage=x", {"s-maxage": "60"}),
        ("s-maxage, s-maxage=60, s-maxage", {"s-maxage": "60"}),
        ('no-cache="a", no-cache', {"no-cache": None}),
        ('no-cache, no-cache="a"', {"no-cache": None}),
        ("ext=a, EXT=b", {"ext": "a"}),
    ],
)
def test_directives_are_read(text: str | None, found: dict[str, str | None]) -> None:
    assert directives(text) == found


TOKENS = st.text("abcXYZ-!#$%&'*+.^_`|~019", min_size=1)
SEPARATORS = st.sampled_from([",", ", ", " ,", ",,", "\t,\t"])


@given(
    st.dictionaries(
        TOKENS.map(str.lower), st.none() | st.tuples(st.booleans(), st.text('a,;" \\=', min_size=1))
    ),
    SEPARATORS,
)
def test_directives_are_read_as_they_are_written(
    said: dict[str, tuple[bool, str] | None], separator: str
) -> None:
    written = []
    for name, argument in said.items():
        if argument is None:
            written.append(name.upper())
        else:
            escaped = argument[1].replace("\\", "\\\\").replace('"', '\\"')
            written.append(f'{name}="{escaped}"')
    expected = {name: argument and argument[1] for name, argument in said.items()}
    assert directives(separator.join(written)) == expected


@given(st.text('a=",\\ ;-\n\x00ä'))
@example('a="\\')
def test_no_garbage_is_too_much(text: str) -> None:
    directives(text)
    assert "no-store" in directives(f"no-store,{text}")
    if '"' not in text:
        assert "no-store" in directives(f"{text},no-store")


@pytest.mark.parametrize("opening", ['"', 'a="', 'a=b",', ""])
@pytest.mark.parametrize("rest", ['\\"', '"', '\\\\"', 'a="', " ", ","])
def test_a_long_header_is_no_weapon(opening: str, rest: str) -> None:
    began = time.monotonic()
    directives(opening + rest * 25_000)
    # It takes milliseconds; where the time grows with the square of the length, it takes 15 s.
    assert time.monotonic() - began < 3


# What is not stored: RFC 9111, 3.


@pytest.mark.parametrize("status", sorted(CACHEABLE))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_cacheable_is_stored(method: str, status: int) -> None:
    assert refusal(RULES, replace(GET, method=method), saying(None, status)) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
def test_other_methods_are_not_stored(method: str) -> None:
    assert refusal(RULES, replace(GET, method=method), OK) == method


@pytest.mark.parametrize(
    "status", [100, 199, 201, 206, 302, 304, 307, 400, 401, 403, 418, 500, 503]
)
def test_other_statuses_are_not_stored(status: int) -> None:
    assert refusal(RULES, GET, saying("public, max-age=60", status)) == f"status {status}"


def test_methods_and_statuses_are_the_users_choice() -> None:
    rules = Rules(methods=frozenset({"GET", "QUERY"}), statuses=frozenset({200, 500}))
    assert refusal(rules, replace(GET, method="QUERY"), saying(None, 500)) is None
    assert refusal(rules, replace(GET, method="HEAD"), OK) == "HEAD"
    assert refusal(rules, GET, saying(None, 404)) == "status 404"


@pytest.mark.parametrize("status", [100, 103, 206, 304])
def test_what_is_no_whole_answer_is_never_stored(status: int) -> None:
    rules = Rules(statuses=frozenset({status}))
    assert refusal(rules, GET, saying("public", status)) == f"status {status}"


@pytest.mark.parametrize(
    ("cache_control", "why"),
    [
        (None, None),
        ("public, max-age=60", None),
        # Client caches are told so; what is stored here ends otherwise.
        ("max-age=0", None),
        ("no-cache", None),
        ("no-cache, must-revalidate", None),
        ("s-maxage=1", None),
        ("s-maxage=x", None),
        ("private", "Cache-Control: private"),
        ("PRIVATE, max-age=60", "Cache-Control: private"),
        ('private="x-user"', "Cache-Control: private"),
        ("public, private", "Cache-Control: private"),
        ("no-store", "Cache-Control: no-store"),
        ("public, max-age=60, no-store", "Cache-Control: no-store"),
        ("s-maxage=0", "s-maxage=0"),
        ('public, s-maxage="00"', "s-maxage=0"),
        ("s-maxage=60, s-maxage=0", "s-maxage=0"),
        # 5.2.2.3: no-store is for those that don't understand.
        ("must-understand, no-store", None),
        ("no-store, must-understand", None),
        ("must-understand", None),
        ("must-understand, no-store, private", "Cache-Control: private"),
        ("must-understand, no-store, s-maxage=0", "s-maxage=0"),
    ],
)
def test_an_answer_says_whether_it_is_stored(cache_control: str | None, why: str | None) -> None:
    assert refusal(RULES, GET, saying(cache_control)) == why
    # No key makes it right.
    assert refusal(covering("*"), GET, saying(cache_control)) == why


def test_what_must_be_understood_and_is_not_is_not_stored() -> None:
    rules = Rules(statuses=CACHEABLE | {418})
    assert refusal(rules, GET, saying(None, 418)) is None
    for text in ("must-understand", "must-understand, no-store"):
        assert refusal(rules, GET, saying(text, 418)) == "Cache-Control: must-understand"


@pytest.mark.parametrize("covers", [(), ("cookie",), ("set-cookie",), ("*",)])
def test_cookies_are_never_stored(covers: tuple[str, ...]) -> None:
    answered = replace(OK, sets_cookie=True, cache_control="public, s-maxage=60")
    assert refusal(covering(*covers), GET, answered) == "Set-Cookie"


# Authorization: RFC 9111, 3.5.


@pytest.mark.parametrize(
    ("cache_control", "allows"),
    [
        (None, False),
        ("max-age=60", False),
        ("no-cache", False),
        ("proxy-revalidate", False),
        ('ext="public"', False),
        ("s-maxage=x", False),
        ("s-maxage", False),
        ("public", True),
        ("Public, max-age=60", True),
        ("must-revalidate", True),
        ("s-maxage=60", True),
    ],
)
def test_the_answer_to_an_authorized_request_is_stored_if_it_allows_it(
    *, cache_control: str | None, allows: bool
) -> None:
    assert may_serve_authorized(cache_control) is allows
    assert refusal(RULES, AUTHORIZED, saying(cache_control)) == (
        None if allows else "Authorization"
    )
    assert refusal(RULES, GET, saying(cache_control)) is None


# Vary: RFC 9111, 4.1.


@pytest.mark.parametrize(
    ("covers", "answered", "why"),
    [
        ((), replace(OK, vary="Accept-Encoding, accept-language"), None),
        ((), replace(OK, vary="*"), "Vary: *"),
        ((), replace(OK, vary="Accept, * "), "Vary: *"),
        (("*",), replace(OK, vary="*"), "Vary: *"),
        (("cookie",), replace(OK, vary="Cookie, *"), "Vary: *"),
        ((), replace(OK, vary="Accept,COOKIE"), "Vary: Cookie"),
        ((), replace(OK, vary="Cookie2"), None),
        (("accept",), replace(OK, vary="Cookie"), "Vary: Cookie"),
        (("cookie",), replace(OK, vary="Cookie"), None),
        (("*",), replace(OK, vary="Cookie"), None),
        ((), replace(OK, vary="Authorization"), "Vary: Authorization"),
        ((), replace(OK, vary="authorization", cache_control="public"), "Vary: Authorization"),
        (("authorization",), replace(OK, vary="Authorization"), None),
        (("cookie",), replace(OK, vary="Authorization"), "Vary: Authorization"),
        (("*",), replace(OK, vary="Authorization, Cookie"), None),
        ((), replace(OK, uses_session=True), "session"),
        ((), replace(OK, uses_session=True, cache_control="public"), "session"),
        ((), replace(OK, uses_session=True, vary="Cookie"), "session"),
        (("authorization",), replace(OK, uses_session=True), "session"),
        (("cookie",), replace(OK, uses_session=True), None),
        (("*",), replace(OK, uses_session=True), None),
    ],
)
def test_what_is_of_one_user_is_stored_only_where_the_key_tells_users_apart(
    covers: tuple[str, ...], answered: Answered, why: str | None
) -> None:
    assert refusal(covering(*covers), GET, answered) == why


@pytest.mark.parametrize(
    ("covers", "why"),
    [
        ((), "Authorization"),
        (("cookie",), "Authorization"),
        (("authorization",), None),
        (("*",), None),
    ],
)
def test_an_authorized_request_may_have_its_own_key(
    covers: tuple[str, ...], why: str | None
) -> None:
    assert refusal(covering(*covers), AUTHORIZED, OK) == why


ASKED = st.builds(
    Asked,
    st.sampled_from(["GET", "HEAD", "POST"]),
    has_authorization=st.booleans(),
    cache_control=st.sampled_from([None, "no-store", "no-cache"]),
    pragma=st.none(),
)
SAID = st.lists(
    st.sampled_from(
        [
            "public",
            "private",
            "private=a",
            "no-store",
            "must-understand",
            "must-revalidate",
            "s-maxage=0",
            "s-maxage=9",
            "max-age=0",
            "no-cache",
        ]
    ),
    unique_by=lambda said: said.split("=")[0],
)
VARIES = st.lists(st.sampled_from(["*", "Cookie", "Authorization", "Accept"]), unique=True)
COVERS = st.frozensets(st.sampled_from(["*", "cookie", "authorization", "accept"]))
STATUSES = st.sampled_from([200, 206, 404, 418, 500])


@given(
    rules=st.builds(Rules, statuses=st.frozensets(STATUSES), covers=COVERS),
    asked=ASKED,
    status=STATUSES,
    said=SAID,
    varies=VARIES,
    sets_cookie=st.booleans(),
    uses_session=st.booleans(),
)
def test_an_answer_is_stored_if_nothing_speaks_against_it_and_else_a_reason_is_told(
    *,
    rules: Rules,
    asked: Asked,
    status: int,
    said: list[str],
    varies: list[str],
    sets_cookie: bool,
    uses_session: bool,
) -> None:
    answered = Answered(status, ", ".join(said), ", ".join(varies), sets_cookie, uses_session)
    for_cookie = not rules.covers & {"*", "cookie"}
    for_login = not rules.covers & {"*", "authorization"}
    is_understood = status in {200, 404}
    against = {
        asked.method: asked.method == "POST",
        f"status {status}": status not in rules.statuses or status == 206,
        "Set-Cookie": sets_cookie,
        "Cache-Control: private": "private" in said or "private=a" in said,
        "Cache-Control: no-store": "no-store" in said and "must-understand" not in said,
        "Cache-Control: must-understand": "must-understand" in said and not is_understood,
        "s-maxage=0": "s-maxage=0" in said,
        "Vary: *": "*" in varies,
        "Vary: Cookie": "Cookie" in varies and for_cookie,
        "Vary: Authorization": "Authorization" in varies and for_login,
        "session": uses_session and for_cookie,
        "Authorization": asked.has_authorization
        and for_login
        and not {"public", "must-revalidate", "s-maxage=0", "s-maxage=9"} & set(said),
    }
    told = refusal(rules, asked, answered)
    assert told in {why for why, holds in against.items() if holds} or (
        told is None and not any(against.values())
    )


@pytest.mark.parametrize(
    ("vary", "covers", "names"),
    [
        (None, (), ()),
        ("", (), ()),
        ("Accept-Encoding", (), ("accept-encoding",)),
        ("foo, Bar ,,FOO\t,\tbaz", (), ("bar", "baz", "foo")),
        (None, ("cookie", "accept"), ("accept", "cookie")),
        ("Accept, X", ("accept", "*"), ("accept", "x")),
        ("*", (), ()),
    ],
)
def test_names_of_headers_select_a_variant(
    vary: str | None, covers: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert vary_names(vary, covering(*covers)) == names


WORDS = st.text("ab'\",\\\n:= \xe9", max_size=3)
REQUESTS = st.tuples(
    WORDS,
    WORDS,
    st.dictionaries(st.sampled_from(["a", "b", "c-d", "content-type"]), st.none() | WORDS),
)


def environ_of(headers: Mapping[str, str | None]) -> dict[str, str]:
    keys = {"a": "HTTP_A", "b": "HTTP_B", "c-d": "HTTP_C_D", "content-type": "CONTENT_TYPE"}
    return {keys[name]: value for name, value in headers.items() if value is not None}


@given(REQUESTS, REQUESTS)
@example(("a", "b", {}), ("ab", "", {}))
@example(("s", "h", {"a": "b", "b": None}), ("s", "h", {"a": None, "b": "b"}))
@example(("s", "h", {"a": ""}), ("s", "h", {"a": None}))
@example(("s", "h", {"a": "None"}), ("s", "h", {"a": None}))
@example(("s", "h", {"a": "x', 'y"}), ("s", "h', 'a", {"a": "y"}))
@example(("s", "h", {"content-type": "x"}), ("s", "h", {"content-type": "y"}))
@example(("s", "h", {"c-d": "x"}), ("s", "h", {"c-d": "y"}))
def test_variants_are_told_apart(
    one: tuple[str, str, dict[str, str | None]], other: tuple[str, str, dict[str, str | None]]
) -> None:
    texts = [
        variant_of(scheme, host, tuple(sorted(headers)), environ_of(headers))
        for scheme, host, headers in (one, other)
    ]
    assert (texts[0] == texts[1]) is (one == other)


@given(REQUESTS)
def test_headers_that_are_not_named_do_not_make_a_variant(
    request: tuple[str, str, dict[str, str | None]],
) -> None:
    scheme, host, headers = request
    names = tuple(sorted(headers))
    environ = {**environ_of(headers), "HTTP_OTHER": "x", "HTTP_CONTENT_TYPE": "x", "A": "x"}
    assert variant_of(scheme, host, names, environ) == variant_of(
        scheme, host, names, environ_of(headers)
    )


def test_a_variant_has_a_text_that_can_be_read() -> None:
    environ = {"HTTP_ACCEPT_LANGUAGE": "de"}
    names = ("accept-language", "cookie")
    assert variant_of("https", "example.com", (), environ) == "('https', 'example.com')"
    assert (
        variant_of("https", "example.com:8080", names, environ)
        == "('https', 'example.com:8080', 'accept-language', 'cookie', 'de', None)"
    )


# Lifetimes and wishes: RFC 9111, 1.2.2, 5.2.1, 5.2.2.10, 5.4.


@pytest.mark.parametrize(
    ("cache_control", "lifetime"),
    [
        (None, None),
        ("max-age=60", None),
        ("s-maxage=60", 60.0),
        ('S-MaxAge="60"', 60.0),
        ("s-maxage=0", 0.0),
        ("s-maxage=007", 7.0),
        ("max-age=60, s-maxage=5", 5.0),
        ("s-maxage=60, s-maxage=5", 5.0),
        ("s-maxage", None),
        ("s-maxage=", None),
        ("s-maxage=-1", None),
        ("s-maxage=1.5", None),
        ("s-maxage=1e3", None),
        ("s-maxage=+5", None),
        ("s-maxage=1_0", None),
        ('s-maxage=" 5"', None),
        ("s-maxage=\u0665", None),
        ('s-maxage="\u00b2"', None),
        ("s-maxage=2147483648", 2.0**31),
        ("s-maxage=2147483649", 2.0**31),
        ("s-maxage=" + "9" * 5000, 2.0**31),
        ("s-maxage=" + "0" * 5000 + "5", 5.0),
    ],
)
def test_an_answer_says_how_long_shared_caches_keep_it(
    cache_control: str | None, lifetime: float | None
) -> None:
    assert shared_lifetime(cache_control) == lifetime


@pytest.mark.parametrize(
    ("cache_control", "pragma", "wish"),
    [
        (None, None, None),
        ("", None, None),
        ("max-age=60", None, None),
        ("only-if-cached, max-stale", None, None),
        ("no-cache", None, "no-cache"),
        ("NO-CACHE", None, "no-cache"),
        ("max-age=0", None, "no-cache"),
        ('max-age="0"', None, "no-cache"),
        ("max-age=60, max-age=0", None, "no-cache"),
        ("max-age=x", None, None),
        ("s-maxage=0", None, None),
        ("no-store", None, "no-store"),
        ("no-cache, no-store", None, "no-store"),
        ("no-store, max-age=0", "no-cache", "no-store"),
        (None, "no-cache", "no-cache"),
        (None, "foo, No-Cache", "no-cache"),
        (None, "no-store", None),
        (None, "max-age=0", None),
        (None, 'ext="no-cache"', None),
        # Whoever sends both means the other.
        ("max-age=60", "no-cache", None),
        ("", "no-cache", None),
    ],
)
def test_a_request_says_what_it_wants_of_a_cache(
    cache_control: str | None, pragma: str | None, wish: str | None
) -> None:
    assert wish_of(replace(GET, cache_control=cache_control, pragma=pragma)) == wish


# The modules themselves.


@pytest.mark.parametrize("value", [RULES, GET, OK])
def test_words_do_not_change(value: Rules | Asked | Answered) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, value.__slots__[0], None)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("module", [http, conditional, cache_status])
def test_there_is_no_framework_no_clock_and_no_system_in_it(module: ModuleType) -> None:
    found = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(found)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert not imported & {"time", "random", "os", "io", "socket", "threading", "asyncio"}
