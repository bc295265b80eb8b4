"""IEEE binary32 arithmetic, and the two ways in which C clients turn weights into points.

Python computes in binary64. Rounding a sum, product or quotient of two binary32 numbers
first to 53 and then to 24 bits gives the same as rounding once, since 53 >= 2 * 24 + 2
(Figueroa, "When is double rounding innocuous?", 1995); so `f32` around each operation is
exactly what the C code does.
"""

from __future__ import annotations

from math import floor
from struct import Struct

__all__ = ["f32", "libketama_groups", "libmemcached_groups"]

_single = Struct("<f")
_EXACT_IN_BINARY64 = 1 << 53


def f32(value: float) -> float:
    """Round to binary32, half to even.

    An int is rounded once, as C's conversion does, however large it is.
    """
    if isinstance(value, int) and value > _EXACT_IN_BINARY64:
        return _f32_of_large(value)
    rounded: float = _single.unpack(_single.pack(value))[0]
    return rounded


def _f32_of_large(value: int) -> float:
    surplus = value.bit_length() - 24
    mantissa, rest = divmod(value, 1 << surplus)
    half = 1 << (surplus - 1)
    if rest > half or (rest == half and mantissa & 1):
        mantissa += 1
    return float(mantissa << surplus)


def libketama_groups(weight: int, total: int, nodes: int) -> int:
    """How many groups of four points libketama gives a server.

    The share is a float, the product with 40 and the number of servers a double, and the
    argument of floorf() a float again.

    Example:
        >>> libketama_groups(1, 61, 61)
        39
    """
    share = f32(f32(weight) / f32(total))
    return floor(f32(share * 40.0 * nodes))


def libmemcached_groups(weight: int, total: int, nodes: int) -> int:
    """How many groups of four points libmemcached, twemproxy and spymemcached give a server.

    Every intermediate result is a float. The addend was meant to rescue results just below
    a whole number; it is too small to.

    Example:
        >>> libmemcached_groups(1, 100, 100)
        39
    """
    share = f32(f32(weight) / f32(total))
    points = f32(f32(f32(share * 160.0) / 4.0) * nodes)
    return floor(f32(points + 1e-10))
