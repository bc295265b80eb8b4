"""Whether a client has an answer already: validators and conditions of RFC 9110, 8.8 and 13."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypeAlias

__all__ = ["etag_of", "is_not_modified"]

Moment: TypeAlias = tuple[int, int, int, int, int, int]

_MEMBER: Final = re.compile(r'(?:^|,)[ \t]*(?:W/)?("[^"]*")[ \t]*(?=,|\Z)')
"""One entity tag of a list: its opaque part, in which there may be commas."""
_WEAK: Final = "W/"
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTH: Final = "(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME: Final = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_SHORT_DAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES: Final = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"{_SHORT_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_SHORT_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
"""The forms of RFC 9110, 5.6.7: the one that is written today, and two of former times."""
_LONGEST_DATE: Final = len("Wednesday, 09-Nov-94 08:49:37 GMT")
_CENTURY: Final = 100
_FIRST_OF_1900S: Final = 70
"""Years of two digits are those from 1970 to 2069, since nothing here knows what year it is."""


def etag_of(status: int, content_type: str | None, body: bytes) -> str:
    """A strong entity tag for an answer."""
    # Such a text ends where it ends, whatever is in it; no body can pass for a part of it.
    about = ascii((status, content_type)).encode()
    return f'"{blake2b(about + body, digest_size=16).hexdigest()}"'


def is_not_modified(
    if_none_match: str | None,
    if_modified_since: str | None,
    etag: str | None,
    last_modified: str | None,
) -> bool:
    """Whether a client has an answer already, and 304 tells it so: RFC 9110, 13.2.2.

    That is for GET and HEAD, and where the answer's status would be 200.

    Args:
        if_none_match: this header of the request; if it is there, dates don't count.
        if_modified_since: this header of the request.
        etag: this header of the answer.
        last_modified: this header of the answer.
    """
    if if_none_match is not None:
        return _has_match(if_none_match, etag)
    if if_modified_since is None or last_modified is None:
        return False
    since = _moment(if_modified_since)
    modified = _moment(last_modified)
    return since is not None and modified is not None and modified <= since


def _has_match(listed: str, etag: str | None) -> bool:
    """Whether an answer is one of those listed, by the weak comparison of RFC 9110, 8.8.3.2."""
    if listed.strip(" \t") == "*":
        return True
    if etag is None:
        return False
    opaque = etag.removeprefix(_WEAK)
    # That is mostly not so, and sooner seen.
    return opaque in listed and opaque in _MEMBER.findall(listed)


def _moment(text: str) -> Moment | None:
    """The fields of a date in their order; None if it is no date."""
    # What is remembered is small, whatever clients send.
    return _parsed(text) if len(text) <= _LONGEST_DATE else None


@lru_cache(1024)
def _parsed(text: str) -> Moment | None:
    found = next(filter(None, (form.fullmatch(text) for form in _DATES)), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == len("94"):
        year += 19 * _CENTURY if year >= _FIRST_OF_1900S else 20 * _CENTURY
    month = _MONTHS.index(found["month"]) // 3 + 1
    day = int(found["day"])
    try:
        date(year, month, day)
    except ValueError:
        return None
    return year, month, day, int(found["hour"]), int(found["minute"]), int(found["second"])
