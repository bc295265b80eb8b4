"""Types without items that MessagePack does not have: each to an extension and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from ormsgpack import Ext

from kcache.codec import tags
from kcache.errors import DecodeError, EncodeError

__all__ = ["LOWER", "RAISE", "lower_int", "lower_str"]

_timedelta = Struct(">iii")
_NAMED = "="
# Zones are looked up in folders and packages. What no zone is called must not get there: systems
# have errors of their own for names that are too long or that they reserve.
_is_key = re.compile(r"[A-Za-z0-9_+./-]{1,128}").fullmatch


def lower_int(value: int) -> Ext:
    """An int beyond 64 bits."""
    return Ext(tags.INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def lower_str(value: str) -> Ext:
    """A str with lone surrogates."""
    return Ext(tags.STR, value.encode(errors="surrogatepass"))


def _raise_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _raise_str(data: bytes) -> str:
    return data.decode(errors="surrogatepass")


def _lower_date(value: date) -> Ext:
    return Ext(tags.DATE, value.isoformat().encode())


def _raise_date(data: bytes) -> date:
    return date.fromisoformat(data.decode())


def _lower_datetime(value: datetime) -> Ext:
    if value.tzinfo is None and not value.fold:
        return Ext(tags.DATETIME, value.isoformat().encode())
    return Ext(tags.DATETIME, _lower_zoned(value))


def _raise_datetime(data: bytes) -> datetime:
    iso, _, rest = data.decode(errors="surrogatepass").partition("|")
    value = _exact(datetime.fromisoformat(iso), iso)
    return _with_zone(value, rest) if rest else value


def _lower_time(value: time) -> Ext:
    return Ext(tags.TIME, _lower_zoned(value))


def _raise_time(data: bytes) -> time:
    iso, _, rest = data.decode(errors="surrogatepass").partition("|")
    value = _exact(time.fromisoformat(iso), iso)
    return _with_zone(value, rest) if rest else value


def _lower_zoned(value: datetime | time) -> bytes:
    """ISO 8601, then "|", fold, and what that has no place for: a zone's key, or "=" and a name."""
    zone = value.tzinfo
    if type(zone) is ZoneInfo and zone.key is not None and _is_key(zone.key):
        value, name = value.replace(tzinfo=None), zone.key
    elif zone is None or type(zone) is timezone:
        name = _own_name(zone)
    else:
        kind = f"{type(zone).__module__}.{type(zone).__qualname__}"
        raise EncodeError(
            f"cannot encode a {type(value).__name__} whose zone is a {kind}: "
            "use datetime.timezone, or zoneinfo.ZoneInfo with a key of the time zone database"
        )
    iso = value.isoformat()
    text = f"{iso}|{value.fold}{name}" if value.fold or name else iso
    return text.encode(errors="surrogatepass")


def _own_name(zone: timezone | None) -> str:
    """The name that a fixed offset was given, with "=" before it, if it was given one."""
    if zone is None or zone is UTC:
        return ""
    name = zone.tzname(None)
    return "" if name == timezone(zone.utcoffset(None)).tzname(None) else _NAMED + name


_Moment = TypeVar("_Moment", datetime, time)


def _exact(value: _Moment, iso: str) -> _Moment:
    """Repair what `fromisoformat` reads: an offset of less than a second is UTC to it."""
    if value.tzinfo is UTC and iso[-7] == ".":
        sign, microseconds = iso[-16], iso[-6:]
        return value.replace(tzinfo=timezone(timedelta(microseconds=int(sign + microseconds))))
    return value


def _with_zone(value: _Moment, rest: str) -> _Moment:
    """Add fold and zone to what ISO 8601 had a place for."""
    zone: tzinfo | None = value.tzinfo
    name = rest[1:]
    if name.startswith(_NAMED):
        zone = timezone(_offset(zone), name[1:])
    elif name:
        zone = _zone(name)
    return value.replace(tzinfo=zone, fold=int(rest[0]))


def _offset(zone: tzinfo | None) -> timedelta:
    offset = None if zone is None else zone.utcoffset(None)
    if offset is None:
        raise DecodeError("a zone with a name and no offset")
    return offset


@lru_cache(maxsize=64)
def _zone(key: str) -> ZoneInfo:
    if not _is_key(key):
        raise DecodeError(f"no zone has the key {key!r}")
    try:
        return ZoneInfo(key)
    except (IsADirectoryError, PermissionError) as error:
        raise DecodeError(f"no zone has the key {key!r}") from error


def _lower_timedelta(value: timedelta) -> Ext:
    return Ext(tags.TIMEDELTA, _timedelta.pack(value.days, value.seconds, value.microseconds))


def _raise_timedelta(data: bytes) -> timedelta:
    days, seconds, microseconds = _timedelta.unpack(data)
    return timedelta(days, seconds, microseconds)


def _lower_decimal(value: Decimal) -> Ext:
    return Ext(tags.DECIMAL, str(value).encode())


def _raise_decimal(data: bytes) -> Decimal:
    return Decimal(data.decode())


def _lower_uuid(value: UUID) -> Ext:
    return Ext(tags.UUID, value.bytes)


def _raise_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


LOWER: Mapping[type, Callable[[Any], Ext]] = MappingProxyType(
    {
        date: _lower_date,
        time: _lower_time,
        datetime: _lower_datetime,
        timedelta: _lower_timedelta,
        Decimal: _lower_decimal,
        UUID: _lower_uuid,
    }
)
"""From values of exactly these types to extensions."""

RAISE: Mapping[int, Callable[[bytes], Any]] = MappingProxyType(
    {
        tags.INT: _raise_int,
        tags.STR: _raise_str,
        tags.DATE: _raise_date,
        tags.TIME: _raise_time,
        tags.DATETIME: _raise_datetime,
        tags.TIMEDELTA: _raise_timedelta,
        tags.DECIMAL: _raise_decimal,
        tags.UUID: _raise_uuid,
    }
)
"""From the data of an extension to its value, by tag."""
