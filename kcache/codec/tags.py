"""The MessagePack extension types that stand for what MessagePack does not have.

A leaf is a single extension. A container is an array whose first element is an extension, which
says what the others are the items of; so nothing is ever encoded inside of something encoded.
"""

from __future__ import annotations

__all__ = [
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DICT",
    "FIRST_LEAF",
    "FROZENSET",
    "INT",
    "MEMBER",
    "RECORD",
    "SET",
    "STR",
    "TIME",
    "TIMEDELTA",
    "TUPLE",
    "UUID",
]

TUPLE = 1
SET = 2
FROZENSET = 3
DICT = 4
"""Key, value, key, value: for a dict with any key that is not a str of valid UTF-8."""
RECORD = 5
"""A registered dataclass. The extension holds its name; then field, value, field, value."""

FIRST_LEAF = 16
INT = 16
"""Beyond 64 bits: two's complement, high byte first."""
STR = 17
"""With lone surrogates: UTF-8 with these encoded as if they were characters."""
DATE = 18
TIME = 19
DATETIME = 20
TIMEDELTA = 21
DECIMAL = 22
UUID = 23
MEMBER = 24
"""Of a registered Enum: the type's name, "=", and the member's name (of a Flag: its value)."""
