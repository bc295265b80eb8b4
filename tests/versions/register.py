"""What the calls on one key of one namespace may answer: those of a register, at some order.

A register holds a value or none. An invalidation, a delete and an eviction empty it. A history of
calls is right if each of them can be given a moment between its call and its return, so that all
answers are those of a register at these moments (Herlihy and Wing: linearizability; of a set of
keys it holds if it holds of each). This is more than R1, R2 and R4 say. What a call may do apart
from that:

* A `set` takes its place where its first store arrives. If something was invalidated before, that
  store may be dead: the register is empty, and the value appears later, if no other write came in
  between, and unless another invalidation did. A lease that is taken meanwhile is broken.
* A `miss` gives a lease only where the register is empty, and a `renewal` only on the value it
  saw. A `fill` stores only if nothing was written, deleted or invalidated since then. Who meets a
  lease of somebody else is told that it is busy, which says nothing of the register.
* A `takeover` gives a lease in any case, and nothing that others have begun before is stored any
  more, whether it leads to a lease or not.
* `delete` and `touch` look first, and then act; what they say is what they saw.
* `cas` stores if the entry is the one that `gets` saw: on Redis the same bytes, on memcached no
  other store.
* After a restart of memcached, entries may be lost, since the numbers that `cas` compares come
  again; and after a record was damaged, since whoever has seen that replaces it, though it may be
  a sound one by then.

The register is followed as the set of all states that it may be in; a history is wrong when none
is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kcache.flow import MISSING

__all__ = [
    "BUSY",
    "CALLED",
    "IDLE",
    "MISSED",
    "Register",
    "Registers",
    "Wrong",
    "after",
    "beginning",
]

MISSED = "missed"
"""The answer of `miss` that lets a computation begin."""
BUSY = "busy"
"""The answer of `miss`, `renewal` and `takeover` that lets nothing begin."""
IDLE, CALLED, LOOKED, HIDDEN, DONE = range(5)
FRESH, WRITTEN, VOID = range(3)


class Part(NamedTuple):
    """A client's part.

    Attributes:
        phase: of its call.
        name: of the call; `value` is its argument.
        value: to store, or else what the call needs.
        result: of the call when it is DONE; what it saw when it has LOOKED.
        crossed: whether something was invalidated since it was called.
        passed: whether somebody wrote since its store was HIDDEN.
        seen: the value that `gets`, `miss`, `renewal` or `takeover` saw; None for none.
        ticket: what happened since.
    """

    phase: int = IDLE
    name: str = ""
    value: Any = None
    result: Any = None
    crossed: bool = False
    passed: bool = False
    seen: Any = None
    ticket: int = VOID


class Register(NamedTuple):
    """One state that it may be in.

    Attributes:
        value: that it holds, or MISSING.
        parts: of the clients.
        renewed: whether a record was ever replaced or lost, so that known tokens may be old.
        lossy: whether it may become empty at any time.
    """

    value: Any
    parts: tuple[Part, ...]
    renewed: bool = False
    lossy: bool = False


Registers = frozenset[Register]


class Wrong(Exception):  # noqa: N818 - it is a finding
    """No register answers like that."""


def beginning(clients: int) -> Registers:
    """An empty register."""
    return frozenset([Register(MISSING, (Part(),) * clients)])


def after(kind: str, registers: Registers, event: tuple[Any, ...]) -> Registers:
    """The states that are left after an event.

    Raises:
        Wrong: none is.
    """
    name, *rest = event
    left = _EVENTS[name](kind, registers, *rest)
    if not left:
        raise Wrong
    return left


def _call(_kind: str, registers: Registers, client: int, name: str, value: Any) -> Registers:
    def called(part: Part) -> Part:
        return part._replace(phase=CALLED, name=name, value=value, crossed=False, passed=False)

    return frozenset(_changed(register, client, called) for register in registers)


def _stored(kind: str, registers: Registers, client: int) -> Registers:
    """The first store of a `set` has arrived."""
    found = set()
    for register in _closure(kind, registers):
        part = register.parts[client]
        if part.phase != CALLED:
            found.add(register)
            continue
        found.add(_finish(_write(register, client, part.value), client, result=True))
        if register.renewed:
            hidden = _write(register, client, MISSING)
            found.add(_changed(hidden, client, lambda part: part._replace(phase=HIDDEN)))
    return frozenset(found)


def _return(kind: str, registers: Registers, client: int, result: Any) -> Registers:
    return frozenset(
        _changed(register, client, _idle)
        for register in _closure(kind, registers)
        if register.parts[client].phase == DONE and register.parts[client].result == result
    )


def _lose(kind: str, registers: Registers) -> Registers:
    return frozenset(_write(register, -1, MISSING) for register in _closure(kind, registers))


def _renew(kind: str, registers: Registers) -> Registers:
    return frozenset(map(_invalidate, _closure(kind, registers)))


def _restart(kind: str, registers: Registers) -> Registers:
    is_lossy = kind == "memcached"
    return frozenset(
        register._replace(lossy=register.lossy or is_lossy) for register in _renew(kind, registers)
    )


def _corrupt(kind: str, registers: Registers) -> Registers:
    return frozenset(register._replace(lossy=True) for register in _renew(kind, registers))


_EVENTS: Mapping[str, Callable[..., Registers]] = MappingProxyType(
    {
        "call": _call,
        "stored": _stored,
        "return": _return,
        "lose": _lose,
        "renew": _renew,
        "restart": _restart,
        "corrupt": _corrupt,
    }
)


def _closure(kind: str, registers: Registers) -> Registers:
    """All states that calls under way can lead to."""
    found = set(registers)
    fresh = list(registers)
    while fresh:
        for register in _moves(kind, fresh.pop()):
            if register not in found:
                found.add(register)
                fresh.append(register)
    return frozenset(found)


def _moves(kind: str, register: Register) -> Iterator[Register]:
    for client, part in enumerate(register.parts):
        if part.phase not in (IDLE, DONE):
            yield from _MOVES[part.name](kind, register, client, part)
    if register.lossy:
        # Where there is no entry, a lease may be lost.
        yield _write(register, -1, MISSING)


def _changed(register: Register, client: int, change: Callable[[Part], Part]) -> Register:
    parts = register.parts
    changed = (*parts[:client], change(parts[client]), *parts[client + 1 :])
    return register._replace(parts=changed)


def _finish(register: Register, client: int, result: Any) -> Register:
    return _changed(register, client, lambda part: part._replace(phase=DONE, result=result))


def _idle(part: Part) -> Part:
    if part.name in ("gets", "miss", "renewal", "takeover"):
        return Part(seen=part.seen, ticket=part.ticket)
    return Part()


def _write(register: Register, writer: int, value: Any) -> Register:
    """The register with another value; the others' tickets and hidden stores take note."""
    parts = tuple(
        part if client == writer else _passed(part) for client, part in enumerate(register.parts)
    )
    return register._replace(value=value, parts=parts)


def _passed(part: Part) -> Part:
    ticket = WRITTEN if part.ticket == FRESH else part.ticket
    return part._replace(ticket=ticket, passed=part.passed or part.phase == HIDDEN)


def _invalidate(register: Register) -> Register:
    parts = tuple(
        part._replace(ticket=VOID, crossed=part.phase in (CALLED, LOOKED, HIDDEN))
        for part in register.parts
    )
    return register._replace(value=MISSING, parts=parts, renewed=True)


Moves = Iterator[Register]


def _get(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _finish(register, client, register.value)


def _noted(register: Register, client: int, result: Any) -> Register:
    noted = _changed(
        register, client, lambda part: part._replace(seen=register.value, ticket=FRESH)
    )
    return _finish(noted, client, result)


def _gets(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _noted(register, client, register.value)


def _miss(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _finish(register, client, BUSY)
    if register.value is MISSING:
        yield _noted(register, client, MISSED)
    else:
        yield _finish(register, client, register.value)


def _renewal(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _finish(register, client, BUSY)
    if register.value is not MISSING:
        yield _noted(register, client, register.value)


def _takeover(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _finish(register, client, BUSY)
    broken = _broken(register, client)
    yield broken
    yield _noted(broken, client, MISSED if register.value is MISSING else register.value)


def _broken(register: Register, client: int) -> Register:
    """The register after somebody has broken what the others had begun."""
    is_empty = register.value is MISSING

    def broken(part: Part) -> Part:
        # On Redis what is seen may be stored again in the place of nothing, as it was.
        ticket = max(part.ticket, WRITTEN if is_empty else VOID)
        return part._replace(ticket=ticket)

    parts = tuple(
        part if other == client else broken(part) for other, part in enumerate(register.parts)
    )
    return register._replace(parts=parts)


def _fill(_kind: str, register: Register, client: int, part: Part) -> Moves:
    if part.ticket == FRESH:
        yield _finish(_write(register, client, part.value), client, result=True)
    else:
        yield _finish(register, client, result=False)


def _set(_kind: str, register: Register, client: int, part: Part) -> Moves:
    if part.phase != HIDDEN:
        return
    if not part.passed:
        yield _finish(_write(register, client, part.value), client, result=True)
    if part.passed or part.crossed:
        yield _finish(register, client, result=True)
    if part.crossed and register.value is MISSING:
        # What it stores then is dead as well, and may have broken a lease.
        yield _finish(_write(register, client, MISSING), client, result=True)


def _delete(_kind: str, register: Register, client: int, part: Part) -> Moves:
    alive = register.value is not MISSING
    if part.phase == CALLED:
        yield _looked(register, client, alive)
        return
    emptied = _write(register, client, MISSING)
    yield _finish(emptied, client, part.result)
    if part.result and not alive:
        yield _finish(emptied, client, result=False)


def _touch(_kind: str, register: Register, client: int, part: Part) -> Moves:
    alive = register.value is not MISSING
    if part.phase == CALLED:
        yield _looked(register, client, alive)
        return
    yield _finish(register, client, part.result)
    if part.result and not alive:
        yield _finish(register, client, result=False)


def _looked(register: Register, client: int, alive: bool) -> Register:  # noqa: FBT001 - what it saw
    return _changed(register, client, lambda part: part._replace(phase=LOOKED, result=alive))


def _add(_kind: str, register: Register, client: int, part: Part) -> Moves:
    if register.value is MISSING:
        yield _finish(_write(register, client, part.value), client, result=True)
    else:
        yield _finish(register, client, result=False)


def _replace(_kind: str, register: Register, client: int, part: Part) -> Moves:
    if register.value is MISSING:
        yield _finish(register, client, result=False)
    else:
        yield _finish(_write(register, client, part.value), client, result=True)


def _count(_kind: str, register: Register, client: int, part: Part) -> Moves:
    delta, initial = part.value
    number = initial if register.value is MISSING else register.value + delta
    if number is None:
        yield _finish(register, client, None)
    else:
        yield _finish(_write(register, client, number), client, number)


def _cas(kind: str, register: Register, client: int, part: Part) -> Moves:
    is_same = part.ticket == FRESH or (
        part.ticket == WRITTEN and kind == "redis" and register.value == part.seen
    )
    if is_same:
        yield _finish(_write(register, client, part.value), client, result=True)
    else:
        yield _finish(register, client, result=False)


def _invalidated(_kind: str, register: Register, client: int, _part: Part) -> Moves:
    yield _finish(_invalidate(register), client, result=True)


_MOVES: Mapping[str, Callable[[str, Register, int, Part], Moves]] = MappingProxyType(
    {
        "get": _get,
        "gets": _gets,
        "miss": _miss,
        "renewal": _renewal,
        "takeover": _takeover,
        "fill": _fill,
        "set": _set,
        "delete": _delete,
        "touch": _touch,
        "add": _add,
        "replace": _replace,
        "count": _count,
        "cas": _cas,
        "invalidate": _invalidated,
    }
)
