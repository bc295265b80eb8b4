"""No two things have the same wire key."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache.errors import InvalidKey
from kcache.key import wire_key
from kcache.namespace import Path, checked_prefix
from kcache.record import (
    TOKEN_SIZE,
    epoch_of,
    ids_of,
    pack_epoch,
    pack_ids,
    pack_record,
    parts_of,
    token_of,
    tokens_of,
)
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


def test_the_layout_of_records_never_changes() -> None:
    # Every namespace would be lost with it.
    token = bytes(range(16))
    record = "c16b63 01 00 0f 000102030405060708090a0b0c0d0e0f 6964"
    assert pack_record(token, b"id").hex()[:-14] == record.replace(" ", "")


@pytest.mark.parametrize("size", range(16))
def test_a_record_without_a_whole_token_is_corrupt(size: int) -> None:
    assert token_of(pack_record(bytes(size))) == b""
    assert token_of(pack_record(bytes(16))) == bytes(16)


def test_the_layout_of_epochs_and_debts_never_changes() -> None:
    one, other = b"a" * 16, b"b" * 16
    assert pack_epoch(258).hex()[:-14] == "c16b6301000c" + "0000000000000102"
    assert pack_ids([one, other]).hex()[:-14] == "c16b6301000d" + "61" * 16 + "62" * 16


@given(st.integers(0, 2**63 - 1))
def test_an_epoch_is_read_as_it_was_written(epoch: int) -> None:
    assert epoch_of(pack_epoch(epoch)) == epoch


def test_what_is_no_epoch_is_none() -> None:
    damaged = pack_epoch(7)[:-1]
    for record in (None, b"", damaged, pack_record(bytes(16)), pack_ids([bytes(16)])):
        assert epoch_of(record) == 0


@given(st.sets(st.binary(min_size=16, max_size=16)))
def test_ids_are_read_as_they_were_written(ids: set[bytes]) -> None:
    assert ids_of(pack_ids(ids)) == ids
    assert ids_of(None) == frozenset()


def test_ids_that_cannot_be_read_stand_for_one_of_their_own() -> None:
    records = [b"", pack_ids([bytes(16)])[:-1], pack_ids([bytes(15)]), pack_record(bytes(16))]
    found = [ids_of(record) for record in records]
    assert [*map(len, found)] == [1] * len(records)
    assert len(set(found)) == len(records)
    assert all(len(each) == 16 and each.strip(b"\0") for ids in found for each in ids)
    assert found == [ids_of(record) for record in records]


def test_a_record_that_was_made_on_another_server_is_corrupt() -> None:
    tokens = (b"0" * 16, b"1" * 16)
    records = [pack_record(tokens[0], b"here"), pack_record(tokens[1])]
    assert parts_of(records[0]) == (tokens[0], b"here")
    assert parts_of(records[1]) == (tokens[1], b"")
    assert parts_of(records[0][:-1]) == (b"", b"")
    assert tokens_of(records, None) == tokens
    assert tokens_of(records, b"here") == tokens
    for identity in (b"there", b"", b"here "):
        assert tokens_of(records, identity) == (b"", tokens[1])
        assert tokens_of([None, records[1]], identity) == (None, tokens[1])
    assert tokens_of([records[0], None], b"here") == (tokens[0], None)
    assert tokens_of([records[1], records[0]], b"") == (tokens[1], tokens[0])
    assert tokens_of([], b"here") == ()
