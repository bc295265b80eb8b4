"""304 by the cases of RFC 9110, 8.8.3 and 13."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache_flask.conditional import etag_of, is_not_modified

DATE = "Sat, 29 Oct 1994 19:43:31 GMT"


def test_an_etag_is_strong_and_quoted() -> None:
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag_of(200, "text/html", b"body"))
    assert etag_of(200, "text/html", b"body") == etag_of(200, "text/html", b"body")


ANSWERS = st.tuples(
    st.integers(1, 9), st.none() | st.text("a'), \xe9\ud800", max_size=3), st.binary(max_size=3)
)


@given(ANSWERS, ANSWERS)
@example((200, None, b""), (200, "", b""))
@example((200, None, b""), (200, "None", b""))
@example((200, "a", b"b"), (200, "ab", b""))
@example((20, "0", b""), (200, "", b""))
@example((200, "a", b"x"), (200, "b", b"x"))
@example((200, "a", b"x"), (404, "a", b"x"))
@example((200, "a", b"x"), (200, "a", b"y"))
def test_another_answer_has_another_etag(
    one: tuple[int, str | None, bytes], other: tuple[int, str | None, bytes]
) -> None:
    assert (etag_of(*one) == etag_of(*other)) is (one == other)


@pytest.mark.parametrize(
    ("listed", "etag", "is_same"),
    [
        # RFC 9110, 8.8.3.2: the table of weak comparison.
        ('W/"1"', 'W/"1"', True),
        ('W/"1"', 'W/"2"', False),
        ('W/"1"', '"1"', True),
        ('"1"', '"1"', True),
        ('"1"', 'W/"1"', True),
        # 8.8.3 and 13.1.2: the examples.
        ('"xyzzy"', '"xyzzy"', True),
        ('W/"xyzzy"', '"xyzzy"', True),
        ('""', '""', True),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', '"xyzzy"', True),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', '"r2d2xxxx"', True),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', '"c3piozzzz"', True),
        ('"xyzzy", "r2d2xxxx", "c3piozzzz"', '"c3pio"', False),
        ('W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', '"r2d2xxxx"', True),
        ("*", '"xyzzy"', True),
        (" * ", '"xyzzy"', True),
        # Some answers have none.
        ("*", None, True),
        ('"xyzzy"', None, False),
        ('""', None, False),
        # Lists may have empty members, and spaces.
        (' ,"a",,\t"b" ', '"b"', True),
        ('"a","b"', '"a"', True),
        # There may be commas in tags, and these are no lists.
        ('"a,b"', '"a,b"', True),
        ('"a, b"', '"b"', False),
        ('"*"', '"a"', False),
        # Case counts.
        ('"A"', '"a"', False),
        ('w/"a"', '"a"', False),
        # What is wrong is none.
        ("", '"a"', False),
        ("a", '"a"', False),
        ('"a', '"a"', False),
        ('"ab"', '"a"', False),
        ('"b"a"', '"a"', False),
        ('W/ "a"', '"a"', False),
        ('"a"x', '"a"', False),
        ('"a" "b"', '"b"', False),
        ('"a"\n', '"a"', False),
        ('"a"x, "a"', '"a"', True),
        ('*, "b"', '"a"', False),
    ],
)
def test_a_client_names_the_answers_that_it_has(
    *, listed: str, etag: str | None, is_same: bool
) -> None:
    assert is_not_modified(listed, None, etag, None) is is_same


TAGS = st.text("ab,W/*", max_size=3).map('"{}"'.format)
WEAK = st.sampled_from(["", "W/"])


@given(
    st.lists(st.tuples(WEAK, TAGS)), st.tuples(WEAK, TAGS), st.sampled_from([",", ", ", " ,,\t"])
)
def test_an_answer_is_one_of_a_list_if_the_list_names_it(
    listed: list[tuple[str, str]], etag: tuple[str, str], separator: str
) -> None:
    text = separator.join(weak + tag for weak, tag in listed)
    expected = etag[1] in {tag for _, tag in listed}
    assert is_not_modified(text, None, "".join(etag), None) is expected


LATER = "Sat, 29 Oct 1994 19:43:32 GMT"
EARLIER = "Sat, 29 Oct 1994 19:43:30 GMT"


@pytest.mark.parametrize(
    ("if_none_match", "since", "etag", "modified", "is_same"),
    [
        (None, None, '"a"', DATE, False),
        # 13.1.3: only without the other condition.
        ('"b"', DATE, '"a"', DATE, False),
        ("", DATE, '"a"', DATE, False),
        ('"a"', EARLIER, '"a"', DATE, True),
        ('"a"', "never", '"a"', DATE, True),
        ('"a"', DATE, None, DATE, False),
        (None, DATE, '"a"', DATE, True),
        (None, LATER, None, DATE, True),
        (None, EARLIER, None, DATE, False),
        # 13.1.3: ignored without a date of the answer, or if it is no date.
        (None, DATE, '"a"', None, False),
        (None, "never", '"a"', DATE, False),
        (None, "never", None, "never", False),
        (None, DATE, None, "never", False),
        (None, "", None, "", False),
    ],
)
def test_the_conditions_are_evaluated_in_their_order(
    *,
    if_none_match: str | None,
    since: str | None,
    etag: str | None,
    modified: str | None,
    is_same: bool,
) -> None:
    assert is_not_modified(if_none_match, since, etag, modified) is is_same


def is_date(text: str) -> bool:
    """Whether a date is read, and as the one of RFC 9110, 5.6.7."""
    moment = "Sun, 06 Nov 1994 08:49:37 GMT"
    before = "Sun, 06 Nov 1994 08:49:36 GMT"
    is_at_least = is_not_modified(None, text, None, moment)
    assert is_not_modified(None, moment, None, text) is is_at_least
    assert not is_not_modified(None, before, None, text)
    return is_at_least


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994",
    ],
)
def test_dates_have_three_forms(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=1",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT" * 1000,
    ],
)
def test_what_is_no_date_is_ignored(text: str) -> None:
    assert not is_date(text)


def test_years_of_two_digits_are_those_from_1970_to_2069() -> None:
    ordered = [
        "Thu, 31 Dec 1969 23:59:59 GMT",
        "Thursday, 01-Jan-70 00:00:00 GMT",
        "Friday, 31-Dec-99 23:59:59 GMT",
        "Saturday, 01-Jan-00 00:00:00 GMT",
        "Tuesday, 31-Dec-69 23:59:59 GMT",
        "Wed, 01 Jan 2070 00:00:00 GMT",
    ]
    for earlier, later in pairwise(ordered):
        assert is_not_modified(None, later, None, earlier)
        assert not is_not_modified(None, earlier, None, later)


def test_a_minute_may_have_a_leap_second() -> None:
    leap = "Sat, 31 Dec 2016 23:59:60 GMT"
    assert is_not_modified(None, leap, None, "Sat, 31 Dec 2016 23:59:59 GMT")
    assert not is_not_modified(None, leap, None, "Sun, 01 Jan 2017 00:00:00 GMT")


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2069, 12, 31)).map(  # noqa: DTZ001 - given below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
FORMS = st.sampled_from(
    [
        lambda moment: format_datetime(moment, usegmt=True),
        lambda moment: moment.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
        lambda moment: moment.ctime(),
    ]
)


@given(MOMENTS, st.integers(-100_000, 100_000) | st.integers(-(10**9), 10**9), FORMS, FORMS)
def test_dates_are_compared_in_all_forms(
    moment: datetime, seconds: int, one: object, other: object
) -> None:
    since = moment + timedelta(seconds=seconds)
    if not 1970 <= since.year < 2070:
        since = moment
    assert callable(one)
    assert callable(other)
    assert is_not_modified(None, one(since), None, other(moment)) is (moment <= since)
