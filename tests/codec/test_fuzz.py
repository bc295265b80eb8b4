"""Reading bytes that anybody may have written, for a short time; both can be run for a long one."""

from __future__ import annotations

import pytest

from tests.codec.corruption import SECRET, corruptions
from tests.codec.fuzz import fuzz

INPUTS = 2_000
CORRUPTIONS = 5_000


def test_any_bytes_are_a_value_or_a_miss_and_a_value_only_if_they_are_signed() -> None:
    told = fuzz(INPUTS)
    assert set(told) == {"value", "miss"}


@pytest.mark.parametrize("secret", [None, SECRET], ids=["unsigned", "signed"])
def test_no_corrupted_entry_is_altered_and_none_is_an_exception(secret: str | None) -> None:
    told = corruptions(CORRUPTIONS, secret)
    assert set(told) <= {"miss", "same"}
    assert told["miss"] > CORRUPTIONS * 0.95
