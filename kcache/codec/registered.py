"""The user's own types that a codec takes: Enums and dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, Flag
from types import MappingProxyType
from typing import Any

from ormsgpack import Ext

from kcache.codec import tags
from kcache.errors import ConfigurationError, DecodeError, EncodeError

__all__ = ["Record", "Registry", "name_of"]


@dataclass(frozen=True)
class Record:
    """A registered dataclass.

    Values are taken apart and put together field by field, without the class's `__init__` and
    `__post_init__`.
    """

    kind: type
    mark: Ext
    fields: tuple[str, ...]

    @classmethod
    def of(cls, kind: type) -> Record:
        """Prepare a dataclass."""
        try:
            object.__new__(kind)
        except TypeError as error:
            raise ConfigurationError(
                f"types: {name_of(kind)} cannot be put together from its fields: {error}"
            ) from None
        mark = Ext(tags.RECORD, name_of(kind).encode())
        return cls(kind, mark, tuple(field.name for field in fields(kind)))

    def take(self, value: Any) -> list[Any]:
        """Give field, value, field, value."""
        try:
            return [part for name in self.fields for part in (name, getattr(value, name))]
        except AttributeError as error:
            raise EncodeError(f"cannot encode a {name_of(self.kind)}: {error}") from error

    def make(self, items: list[Any]) -> Any:
        """Put a value together from field, value, field, value."""
        names = tuple(items[::2])
        if names != self.fields or len(items) != 2 * len(names):
            raise DecodeError(f"{name_of(self.kind)} has other fields now")
        made: object = object.__new__(self.kind)
        for name, value in zip(names, items[1::2], strict=True):
            # Frozen ones, too.
            object.__setattr__(made, name, value)
        return made


@dataclass(frozen=True)
class Registry:
    """What `types` registered.

    Attributes:
        members: from an Enum to what makes an extension of a member.
        enums: from the name of an Enum to what makes a member of a text.
        records, named: the dataclasses, by type and by name.
    """

    members: Mapping[type, Callable[[Any], Ext]]
    enums: Mapping[str, Callable[[str], Any]]
    records: Mapping[type, Record]
    named: Mapping[str, Record]

    @classmethod
    def of(cls, types: Iterable[type]) -> Registry:
        """Register Enums and dataclasses.

        Raises:
            ConfigurationError: another type, or two of one name.
        """
        enums: dict[str, type[Enum]] = {}
        records: dict[str, Record] = {}
        for kind in types:
            name = _checked(kind)
            if name in enums or name in records:
                raise ConfigurationError(f"types: two are called {name}")
            if issubclass(kind, Enum):
                enums[name] = kind
            else:
                records[name] = Record.of(kind)
        return cls(
            MappingProxyType({kind: _lower_member(name) for name, kind in enums.items()}),
            MappingProxyType({name: _raise_member(kind) for name, kind in enums.items()}),
            MappingProxyType({record.kind: record for record in records.values()}),
            MappingProxyType(records),
        )

    def member(self, data: bytes) -> Any:
        """The member that an extension stands for."""
        name, _, text = data.decode(errors="surrogatepass").partition("=")
        make = self.enums.get(name)
        if make is None:
            raise DecodeError(f"a member of {name!r}, which is not among the codec's types")
        return make(text)

    def record(self, data: bytes) -> Record:
        """The dataclass that an extension stands for."""
        found = self.named.get(data.decode())
        if found is None:
            raise DecodeError(f"a {data!r}, which is not among the codec's types")
        return found


def name_of(kind: type) -> str:
    """The name that stands for a type, in entries and in messages."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _checked(kind: type) -> str:
    if not isinstance(kind, type) or not (issubclass(kind, Enum) or is_dataclass(kind)):
        raise ConfigurationError(f"types: Enums and dataclasses can be registered, not {kind!r}")
    return name_of(kind)


def _lower_member(enum: str) -> Callable[[Enum], Ext]:
    prefix = f"{enum}="

    def lower(value: Enum) -> Ext:
        # A combination of flags has no name of its own, but a number. Enums may define `name` and
        # `value` as they like; these two they may not.
        text = str(value._value_) if isinstance(value, Flag) else value._name_
        return Ext(tags.MEMBER, (prefix + text).encode(errors="surrogatepass"))

    return lower


def _raise_member(enum: type[Enum]) -> Callable[[str], Enum]:
    if issubclass(enum, Flag):
        return lambda text: enum(int(text))
    return enum.__members__.__getitem__
