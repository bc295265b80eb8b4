"""Two thousand keys of many kinds: each is what memcached's text protocol takes, no more."""

from __future__ import annotations

from random import Random
from string import ascii_letters, digits, punctuation

__all__ = ["KEYS", "TAGGED"]

_COUNT = 2000
_LONGEST = 250
_GRAPHIC = ascii_letters + digits + punctuation
# Letters of two, three and four bytes, and what some programs take for blanks or line ends.
_BEYOND_ASCII = "äßéñøłжщλאش中文日本語한글€™" + "😀🚀𐍈𝄞" + "\x85\xa0\u2028\u3000\ufeff"

# One tag, none, several, empty, unfinished, reversed, nested; braces and twice the same sign.
_TAG_SHAPES = (
    "{%s}:a", "a:{%s}", "a{%s}b", "a{%s}b{c}", "{%s}{d}", "{}%s", "%s{}{x}", "{%s", "%s}", "}%s{",
    "{{%s}}", "{a{%s}b}", "}{%s}", "{é%s😀}", "$%s$", "a$%s$b", "$$%s", "a$%s", "$%s$b$c$",
)  # fmt: skip
TAGGED = [shape % f"user{i}" for i in range(20) for shape in _TAG_SHAPES]
"""Keys that hold the characters of a hash tag, in their place or out of it."""


def _mixed() -> list[str]:
    random = Random(20)  # noqa: S311 - keys, no secrets
    keys: dict[str, None] = dict.fromkeys([*_GRAPHIC, *_BEYOND_ASCII, *TAGGED])
    shapes = (
        "%d",
        "user:%d",
        "/albums/%d/photos?page=2",
        "Session-%08x",
        "-%d",
        "--json=%d",
        "é%d",
    )
    for i in range(60):
        keys.update(dict.fromkeys(shape % (i * i) for shape in shapes))
    # Every length, so that each hash sees each size of its last block, with and without signs.
    for length in range(1, _LONGEST + 1):
        keys["".join(random.choices(_GRAPHIC, k=length))] = None
        keys[_cut("".join(random.choices(_GRAPHIC + _BEYOND_ASCII * 3, k=length)), length)] = None
    keys.pop("", None)  # what a cut leaves of a long character
    while len(keys) < _COUNT:
        keys["".join(random.choices(_BEYOND_ASCII + digits, k=random.randint(2, 60)))] = None
    return list(keys)


def _cut(text: str, size: int) -> str:
    """As much of the text as fits."""
    return text.encode()[:size].decode(errors="ignore")


KEYS = _mixed()
