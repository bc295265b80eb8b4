"""Cache-Status by the examples of RFC 9211, and the syntax of RFC 8941."""

from __future__ import annotations

import re
from math import inf, nan
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache_flask.cache_status import Forward, forward_status, hit_status

_ITEM = re.compile(
    r'(?P<name>[A-Za-z*][\w!#$%&\'*+.^`|~:/-]*|"(?:[ !#-\[\]-~]|\\["\\])*")'
    r"(?P<rest>(?:; [a-z-]+(?:=(?:-?\d{1,15}|[a-z-]+|\"(?:[ !#-\[\]-~]|\\[\"\\])*\"))?)*)",
    re.ASCII,
)


def read(text: str) -> tuple[str, dict[str, str | None]]:
    """A cache and its parameters, read strictly."""
    found = _ITEM.fullmatch(text)
    assert found is not None, text
    parameters = re.findall(r'; ([a-z-]+)(?:=("(?:[^"\\]|\\.)*"|[^;]*))?', found["rest"])
    return plain(found["name"]), {name: plain(value) or None for name, value in parameters}


def plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


@pytest.mark.parametrize(
    ("ttl", "status"),
    [
        # RFC 9211, 3.
        (376, "ExampleCache; hit; ttl=376"),
        (-412, "ExampleCache; hit; ttl=-412"),
        (1100.0, "ExampleCache; hit; ttl=1100"),
        # Never better than it is.
        (376.9, "ExampleCache; hit; ttl=376"),
        (0.5, "ExampleCache; hit; ttl=0"),
        (-0.5, "ExampleCache; hit; ttl=-1"),
        # What is no integer of a header is left out.
        (inf, "ExampleCache; hit"),
        (-inf, "ExampleCache; hit"),
        (nan, "ExampleCache; hit"),
        (1e15, "ExampleCache; hit"),
        (1e15 - 1, "ExampleCache; hit; ttl=999999999999999"),
    ],
)
def test_a_hit_says_how_long_it_is_fresh(ttl: float, status: str) -> None:
    assert hit_status(ttl, "ExampleCache") == status


def test_the_cache_has_a_name() -> None:
    assert hit_status(376) == "kcache; hit; ttl=376"
    assert forward_status("miss", stored=True, detail=None) == "kcache; fwd=miss; stored"
    # RFC 9211, 3: an example of a name that is no token.
    assert hit_status(545, "CDN Company Here") == '"CDN Company Here"; hit; ttl=545'
    assert hit_status(1, "8080") == '"8080"; hit; ttl=1'
    assert hit_status(1, "") == '""; hit; ttl=1'
    assert hit_status(1, 'a"b\n') == '"a\\"b?"; hit; ttl=1'


@pytest.mark.parametrize(
    ("reason", "stored", "detail", "collapsed", "status"),
    [
        # RFC 9211, 3.
        ("uri-miss", False, None, False, "kcache; fwd=uri-miss"),
        ("uri-miss", False, None, True, "kcache; fwd=uri-miss; collapsed"),
        ("uri-miss", True, None, True, "kcache; fwd=uri-miss; collapsed; stored"),
        ("stale", True, None, False, "kcache; fwd=stale; stored"),
        ("method", False, "POST", False, 'kcache; fwd=method; detail="POST"'),
        ("bypass", False, "", False, 'kcache; fwd=bypass; detail=""'),
        (
            "vary-miss",
            True,
            "Vary: Cookie",
            True,
            'kcache; fwd=vary-miss; collapsed; stored; detail="Vary: Cookie"',
        ),
        ("miss", False, 'a"b\\c', False, r'kcache; fwd=miss; detail="a\"b\\c"'),
        (
            "miss",
            False,
            "a\r\nSet-Cookie: \xe9\x7f~ ",
            False,
            'kcache; fwd=miss; detail="a??Set-Cookie: ??~ "',
        ),
    ],
)
def test_a_miss_says_why(
    *, reason: Forward, stored: bool, detail: str | None, collapsed: bool, status: str
) -> None:
    assert forward_status(reason, stored, detail, collapsed) == status


@given(
    reason=st.sampled_from(get_args(Forward)),
    stored=st.booleans(),
    detail=st.none() | st.text(),
    collapsed=st.booleans(),
    name=st.text(st.characters(max_codepoint=0x17F)),
)
@example(reason="miss", stored=True, detail='\\"', collapsed=True, name="*a/b:c")
def test_whatever_there_is_to_say_the_header_can_be_read(
    *, reason: Forward, stored: bool, detail: str | None, collapsed: bool, name: str
) -> None:
    def shown(text: str) -> str:
        return "".join(letter if " " <= letter <= "~" else "?" for letter in text)

    told, parameters = read(forward_status(reason, stored, detail, collapsed, name))
    assert told == shown(name)
    expected: dict[str, str | None] = {"fwd": reason}
    expected |= {"collapsed": None} if collapsed else {}
    expected |= {"stored": None} if stored else {}
    expected |= {} if detail is None else {"detail": shown(detail) or None}
    assert parameters == expected


@given(st.floats())
def test_whatever_the_ttl_the_header_can_be_read(ttl: float) -> None:
    _, parameters = read(hit_status(ttl))
    told = parameters.get("ttl")
    assert "hit" in parameters
    assert told is None or int(told) <= ttl < int(told) + 1
