"""No two things have the same wire key."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache.errors import InvalidKey
from kcache.key import wire_key
from kcache.namespace import Path, checked_prefix
from kcache.record import TOKEN_SIZE, pack_record, token_of
from tests.versions.client import ENTRIES

# Lone surrogates are among them.
TEXTS = st.text(st.characters(exclude_categories=()), min_size=1, max_size=8)
NAMES = st.one_of(TEXTS, st.binary(min_size=1, max_size=8))
PATHS = st.lists(NAMES, max_size=4).map(tuple)
PREFIXES = st.sampled_from([b"", b"kc", b"kc:", b"k", b"c", "é".encode()])


def canonical(name: str | bytes) -> tuple[bool, bytes]:
    """What makes a name or key: its bytes, and whether they stand for lone surrogates."""
    if isinstance(name, bytes):
        return False, name
    try:
        return False, name.encode()
    except UnicodeEncodeError:
        return True, name.encode(errors="surrogatepass")


def keys_of(path: Path) -> set[bytes]:
    return {*path.records, path.place("k").key}


@given(PREFIXES, PATHS, NAMES, NAMES)
def test_no_plain_key_is_that_of_an_entry_or_a_record(
    prefix: bytes, names: tuple[str | bytes, ...], key: str | bytes, plain: str | bytes
) -> None:
    path = Path(prefix, names)
    wires = {*path.records, path.place(key).key}
    assert wire_key(plain) not in wires
    for wire in wires:
        assert wire_key(wire) != wire
        assert prefix + b"\xff" == wire[: len(prefix) + 1]


@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(NAMES, min_size=1, max_size=5), PREFIXES)
@example(["a", "b"], ["ab"], b"kc")
@example(["a b"], ["a", "b"], b"kc")
@example(["a/b"], ["a", "b"], b"kc")
@example(["\ud800"], [b"\xed\xa0\x80"], b"kc")
@example(["\ud800"], ["\ud801"], b"kc")
@example(["a", "\x00"], ["a\x00"], b"kc")
@example(["a", "b"], ["b", "a"], b"kc")
@example(["a\x00b", "c"], ["a", "b\x00c"], b"kc")
def test_two_paths_or_keys_are_one_only_if_they_are_equal(
    one: list[str | bytes], other: list[str | bytes], prefix: bytes
) -> None:
    is_same = [*map(canonical, one)] == [*map(canonical, other)]
    records = [Path(prefix, tuple(names)).records[-1] for names in (one, other)]
    assert (records[0] == records[1]) is is_same
    places = [Path(prefix, tuple(names[:-1])).place(names[-1]) for names in (one, other)]
    assert (places[0].key == places[1].key) is is_same
    assert (places[0].digest == places[1].digest) is is_same
    assert set(records).isdisjoint(place.key for place in places)


@given(PATHS, st.tuples(PREFIXES, PREFIXES))
def test_two_prefixes_share_no_key(
    names: tuple[str | bytes, ...], prefixes: tuple[bytes, bytes]
) -> None:
    one, other = (keys_of(Path(prefix, names)) for prefix in prefixes)
    assert (one == other) if prefixes[0] == prefixes[1] else one.isdisjoint(other)


@given(PATHS)
def test_all_keys_of_one_path_are_different_and_short_enough(
    names: tuple[str | bytes, ...],
) -> None:
    path = Path(b"p" * 64, names)
    assert len(keys_of(path)) == len(names) + 2
    assert all(len(key) <= 250 for key in keys_of(path))
    assert all(not set(key) & {*range(0x21), 0x7F} for key in keys_of(path))


def test_text_and_its_bytes_are_one_name() -> None:
    assert Path(b"kc", ("é",)) == Path(b"kc", ("é".encode(),))
    assert Path(b"kc", ("é",)).records == Path(b"kc", ("é".encode(),)).records
    assert Path(b"kc", ()).place("é") == Path(b"kc", ()).place("é".encode())


@pytest.mark.parametrize("name", ["", b"", 5, None, ("a",)])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey):
        Path(b"kc", ("a", name))
    with pytest.raises(InvalidKey):
        Path(b"kc", ("a",)).place(name)


def test_a_path_has_a_limit() -> None:
    assert len(Path(checked_prefix("kc"), ("a",) * 16).records) == 17
    with pytest.raises(InvalidKey):
        Path(b"kc", ("a",) * 16).below(("b",))


@given(st.binary(min_size=TOKEN_SIZE, max_size=TOKEN_SIZE), st.binary(max_size=40))
def test_a_record_gives_its_token(token: bytes, identity: bytes) -> None:
    record = pack_record(token, identity)
    assert token_of(record) == token
    assert token_of(record[:-1]) == b""
    assert token_of(bytes([record[0] ^ 1]) + record[1:]) == b""


@given(st.one_of(st.binary(), st.integers(), st.text()))
@example("as long as a token is")
def test_an_entry_is_no_record(value: object) -> None:
    assert token_of(ENTRIES.frame(value, bytes(24))) == b""
    assert token_of(None) is None
