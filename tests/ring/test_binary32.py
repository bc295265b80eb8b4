"""The rounding on which the number of points hangs."""

from __future__ import annotations

import ctypes
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache import Node, Ring
from kcache.ring.binary32 import f32, libketama_groups, libmemcached_groups


@given(st.floats(allow_nan=False, min_value=0, max_value=1e30))
def test_f32_rounds_as_c_does(value: float) -> None:
    assert f32(value) == ctypes.c_float(value).value


@given(st.integers(1, 2**64 - 1))
@example(2**24 + 1)
@example(2**53 + 1)
@example((1 << 60) + (1 << 36) + 1)  # rounding by way of binary64 would go down
def test_f32_of_an_integer_is_the_nearest(value: int) -> None:
    rounded = Fraction(f32(value))
    ulp = Fraction(2 ** value.bit_length(), 2**24)
    assert abs(rounded - value) <= ulp / 2
    for neighbour in (rounded - ulp, rounded + ulp):
        if abs(neighbour - value) == abs(rounded - value) and ulp >= 1:
            assert (rounded / ulp) % 2 == 0


LIBKETAMA_39 = {61}
LIBMEMCACHED_39 = {25, 47, 50, 55, 61, 71, 94, 100}
LIBMEMCACHED_39 |= {107, 109, 110, 115, 122, 142, 159, 163, 188, 193, 200}


@pytest.mark.parametrize("n", range(1, 118))
def test_groups_of_equal_servers_in_libketama(n: int) -> None:
    assert libketama_groups(1, n, n) == (39 if n in LIBKETAMA_39 else 40)


@pytest.mark.parametrize("n", range(1, 201))
def test_groups_of_equal_servers_in_libmemcached(n: int) -> None:
    assert libmemcached_groups(1, n, n) == (39 if n in LIBMEMCACHED_39 else 40)


def test_uneven_weights_round_as_in_libketama() -> None:
    weights = [15, 1, 5, 5, 9, 8, 7, 3, 19, 18, 20]
    groups = [libketama_groups(weight, 110, 11) for weight in weights]
    assert (groups[1], groups[5]) == (3, 31)
    nodes = [
        Node(kind="memcached", host=f"10.0.0.{i}", weight=weight)
        for i, weight in enumerate(weights)
    ]
    assert len(Ring(nodes).points) == 4 * sum(groups)
