"""The tag of templates."""

# What is cached has arguments that make its key, whether it looks at them or not.

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template, render_template_string
from jinja2 import DictLoader, TemplateSyntaxError
from markupsafe import Markup

from kcache import ConfigurationError, EncodeError
from kcache_flask import Cache, make_template_fragment_key
from tests.flask.site import Site, at_once


def _render(site: Site, text: str, **context: Any) -> str:
    with site.app.test_request_context():
        return render_template_string(text, count=site.count, **context)


def test_a_fragment_is_kept(anywhere: Site) -> None:
    text = "{% cache 60, 'part' %}<i>{{ count() }} {{ name }}</i>{% endcache %} {{ name }}"
    assert _render(anywhere, text, name="a&b") == "<i>1 a&amp;b</i> a&amp;b"
    assert _render(anywhere, text, name="<c>") == "<i>1 a&amp;b</i> &lt;c&gt;"
    assert anywhere.cache.get(make_template_fragment_key("part")) == "<i>1 a&amp;b</i>"
    assert anywhere.cache.delete(make_template_fragment_key("part"))
    assert _render(anywhere, text, name="d") == "<i>2 d</i> d"


@pytest.mark.parametrize(
    "around",
    [
        "{{% set part %}}{0}{{% endset %}}{{{{ part }}}}",
        "{{% macro part() %}}{0}{{% endmacro %}}{{{{ part() }}}}",
        "{{% call outer() %}}{0}{{% endcall %}}",
        "{{% filter trim %}}{0}{{% endfilter %}}",
        "{{% if true %}}{0}{{% endif %}}",
        "{{% with x = 1 %}}{0}{{% endwith %}}",
        "{{% block body %}}{0}{{% endblock %}}",
    ],
)
def test_a_fragment_is_escaped_once_wherever_it_is(site: Site, around: str) -> None:
    outer = "{% macro outer() %}{{ caller() }}{% endmacro %}"
    inner = "{% cache 60, 'part' %}<b>{{ name }}</b>{% endcache %}"
    text = outer + around.format(inner)
    pages = [_render(site, text, name="<&>") for _ in range(3)]
    assert pages == ["<b>&lt;&amp;&gt;</b>"] * 3


def test_a_template_without_escaping(site: Site) -> None:
    text = "{% autoescape false %}{% cache 60, 'x' %}<{{ name }}>{% endcache %}{% endautoescape %}"
    assert [_render(site, text, name="<&>") for _ in range(2)] == ["<<&>>"] * 2


VALUES = [
    *(None, True, 1, 1.5, "1", "", "a_b", b"1", [1], (1, 2), {"a": 1}, "ö", "<&>"),
    *(decimal.Decimal(1), dt.date(2020, 1, 1), uuid.UUID(int=1), ["a_b", "c"], ["a", "b_c"]),
]


def test_keys_of_all_types_are_told_apart(anywhere: Site) -> None:
    text = "{% cache 60, 'x', key %}{{ count() }}{% endcache %}"
    pages = [_render(anywhere, text, key=value) for value in VALUES]
    assert len(set(pages)) == len(VALUES)
    assert [_render(anywhere, text, key=value) for value in VALUES] == pages
    for value in VALUES:
        assert anywhere.cache.delete(make_template_fragment_key("x", [value]))
    assert not set(pages) & {_render(anywhere, text, key=value) for value in VALUES}


def test_markup_is_the_same_key_as_text(site: Site) -> None:
    text = "{% cache 60, 'x', key %}{{ count() }}{% endcache %}"
    assert [_render(site, text, key=key) for key in ("a", Markup("a"))] == ["1", "1"]


def test_how_many_keys_there_are_counts() -> None:
    assert (
        len(
            {
                make_template_fragment_key("x", keys)
                for keys in (None, ["a"], ["a", "b"], ["ab"], ["a", ""], [["a", "b"]], [None])
            }
        )
        == 7
    )
    assert make_template_fragment_key("x", []) == make_template_fragment_key("x")


def test_a_key_that_is_none_names_its_type(site: Site) -> None:
    text = "{% cache 60, 'x', key %}{% endcache %}"
    with pytest.raises(EncodeError, match="object"):
        _render(site, text, key=object())


def test_loops_and_fragments_in_fragments(site: Site) -> None:
    text = (
        "{% cache 60, 'all' %}{% for n in numbers %}{% cache 60, 'row', n %}"
        "{{ n }}:{{ count() }} {% endcache %}{% endfor %}{% endcache %}"
    )
    assert [_render(site, text, numbers=[1, 2, 1]) for _ in range(2)] == ["1:1 2:2 1:1 "] * 2
    site.cache.delete(make_template_fragment_key("all"))
    site.cache.delete(make_template_fragment_key("row", [2]))
    assert _render(site, text, numbers=[1, 2, 1]) == "1:1 2:3 1:1 "


def test_includes_imports_and_inheritance(site: Site) -> None:
    site.app.jinja_loader = DictLoader(
        {
            "base": "{% block a %}{% endblock %}|{% include 'part' %}",
            "part": "{% cache 60, 'part' %}{{ count() }}{% endcache %}",
            "page": "{% extends 'base' %}{% from 'm' import m %}"
            "{% block a %}{{ m(count) }}{{ super() }}{% endblock %}",
            "m": "{% macro m(count) %}{% cache 60, 'm' %}<{{ count() }}>{% endcache %}"
            "{% endmacro %}",
        }
    )
    with site.app.test_request_context():
        # No escaping, since these names do not end in .html.
        assert [render_template("page", count=site.count) for _ in range(2)] == ["<1>|2"] * 2


def test_two_lines_without_names_are_two(site: Site) -> None:
    text = "{% cache %}a{{ count() }}{% endcache %}\n{% cache %}b{{ count() }}{% endcache %}"
    assert [_render(site, text) for _ in range(2)] == ["a1\nb2"] * 2


def test_del_deletes(anywhere: Site) -> None:
    text = "{% cache timeout, 'x', 1 %}{{ count() }}{% endcache %}"
    seen = [_render(anywhere, text, timeout=each) for each in (60, "del", 60, None)]
    assert seen == ["1", "2", "3", "3"]


def test_timeouts(timed: Site) -> None:
    text = "{% cache 60, 'a' %}{{ count() }}{% endcache %} {% cache none, 'b' %}{{ count() }}"
    text += "{% endcache %} {% cache 0, 'c' %}{{ count() }}{% endcache %}"
    assert _render(timed, text) == "1 2 3"
    timed.time += 61
    assert _render(timed, text) == "4 2 3"
    timed.time += 301
    assert _render(timed, text) == "5 6 3"


def test_a_namespace(anywhere: Site) -> None:
    text = "{% cache 60, 'x', 1, namespace=('shop', 'albums') %}{{ count() }}{% endcache %}"
    other = "{% cache 60, 'x', 1 %}{{ count() }}{% endcache %}"
    alone = "{% cache namespace='shop' %}{{ count() }}{% endcache %}"
    assert [_render(anywhere, each) for each in (text, other, alone, text)] == ["1", "2", "3", "1"]
    anywhere.cache.namespace("shop").invalidate()
    assert [_render(anywhere, each) for each in (text, other, alone)] == ["4", "2", "5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% cache 60 'x' %}{% endcache %}", "expected token ','"),
        ("{% cache 60, %}{% endcache %}", "[Ee]xpected"),
        ("{% cache 60 %}", "endcache"),
        ("{% cache timeout=60 %}{% endcache %}", "expected token ','"),
        ("{% cache namespace='a', 5 %}{% endcache %}", "end of statement block"),
        ("{% endcache %}", "endcache"),
    ],
)
def test_mistakes_are_syntax_errors(site: Site, text: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=message):
        _render(site, text)


@pytest.mark.parametrize("timeout", ["soon", -5, True])
def test_a_timeout_that_is_none_says_so(site: Site, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"timeout is a number of seconds.*not"):
        _render(site, "{% cache timeout %}{% endcache %}", timeout=timeout)


def test_errors_in_a_fragment_are_raised_and_not_kept(site: Site) -> None:
    text = "{% cache 60, 'x' %}{{ 1 // number }}{% endcache %}"
    with pytest.raises(ZeroDivisionError):
        _render(site, text, number=0)
    assert _render(site, text, number=1) == "1"


def test_a_fragment_is_made_once_for_all_who_come_at_once(site: Site) -> None:
    text = "{% cache 60, 'x' %}{{ slow() }}{% endcache %}"

    def slow() -> int:
        at_once(lambda: None)
        return site.count()

    pages = at_once(*[lambda: _render(site, text, slow=slow)] * 6)
    assert len(set(pages)) == 1


def test_apps_of_one_extension_have_fragments_of_their_own(new_site: Callable[..., Site]) -> None:
    one, two = new_site("one"), new_site("two")
    one.cache.init_app(two.app)
    text = "{% cache 60, 'x' %}{{ name }}{% endcache %}"
    assert [_render(each, text, name=each.app.name) for each in (one, two, one)] == [
        "one",
        "two",
        "one",
    ]


def test_an_environment_from_before_and_an_overlay_of_it(site: Site) -> None:
    app = type(site.app)("early")
    environment = app.jinja_env
    cache = Cache(app)
    text = "{% cache 60, 'x' %}{{ count() }}{% endcache %}"
    assert environment is app.jinja_env
    with app.test_request_context():
        for each in (environment, environment.overlay(trim_blocks=True)):
            assert each.from_string(text).render(count=site.count) == "1"
    assert cache.get(make_template_fragment_key("x")) == "1"


def test_without_the_tag(site: Site) -> None:
    app = type(site.app)("bare")
    Cache(app, with_jinja2_ext=False)
    with app.test_request_context(), pytest.raises(TemplateSyntaxError, match="cache"):
        render_template_string("{% cache %}{% endcache %}")
