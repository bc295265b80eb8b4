"""From the arguments of a call to its key, the same however the call is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import Any, NoReturn

from kcache.canonical import SIMPLE, SURE_LENGTH, canonical, tuple_of
from kcache.codec.registered import name_of
from kcache.errors import ConfigurationError, EncodeError

__all__ = ["Arguments"]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_PREFIXES: Mapping[Any, str] = MappingProxyType(
    {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
)
_OWN = "\x00"
"""Begins a key that the user's function gave and that is no text as it stands."""


class Arguments:
    """The arguments of a function, and the keys of its calls.

    A key is the canonical text of the tuple of all arguments, in the order of the parameters and
    with defaults filled in. See `kcache.canonical` for what is told apart.

    Args:
        function: whose arguments these are.
        name: of the function, for messages.
        ignore: names of parameters that make no difference; of keyword arguments, too, where the
            function takes any.
        key: is called with the arguments, and gives the key: a str, which is used as it is, or
            anything else that has a canonical text.
        self_key: the attribute that identifies the first argument.
        identify: is given an argument that has no canonical text, and gives a value that has one
            in its place.

    Raises:
        ConfigurationError: a name that is no parameter; a `key` that takes other arguments; a
            function whose parameters nobody knows.

    Example:
        >>> arguments = Arguments(lambda a, b=2, *, c=3: ..., "f", ignore=["c"])
        >>> arguments.key((1,), {}), arguments.key((), {"b": 2, "a": 1, "c": 4})
        ('(1, 2)', '(1, 2)')
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        *,
        ignore: Iterable[str] = (),
        key: Callable[..., Any] | None = None,
        self_key: str | None = None,
        identify: Callable[[Any], Any] | None = None,
    ) -> None:
        self._name = name
        self._identify = identify
        parameters = _parameters(function, name)
        ignored = frozenset([ignore] if isinstance(ignore, str) else ignore)
        _check(name, ignored, self_key, parameters)
        self._kept = tuple(each for each in parameters if each.name not in ignored)
        self._ignored = ignored
        self._self_key = self_key or ""
        self._first = parameters[0].name if parameters else ""
        # A name that no parameter has.
        other = "_" + "".join(each.name for each in parameters)
        if key is not None:
            body = f"{other}({_call_of(key, parameters, name)})"
            self._values = _compiled(parameters, body, name, **{other: key})
            self.key = self._own_key
            return
        items = [f"{each.name}, " for each in self._kept]
        if self_key is not None and parameters[0].name not in ignored:
            items[0] = f"*{other}({self._first}), "
            # For its class.
            self._kept = (parameters[0], *self._kept)
        body = f"({''.join(items)})"
        self._values = _compiled(parameters, body, name, **{other: self._identity})
        self.key = self._quick_key()

    key: Callable[[tuple[Any, ...], Mapping[str, Any]], str]
    """The key of a call, from its positional and its keyword arguments.

    Raises:
        EncodeError: an argument has no canonical text.
        TypeError: the function takes no such arguments.
    """

    def _quick_key(self) -> Callable[[tuple[Any, ...], Mapping[str, Any]], str]:
        # Nearly all calls have simple arguments; their text is made in C. The function is in
        # variables of a closure, which are found faster than attributes.
        values_of, text_of, are_simple = self._values, self._text, SIMPLE.issuperset

        def key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
            values = values_of(*args, **kwargs)
            if are_simple(map(type, values)):
                try:
                    text = ascii(values)
                except ValueError:  # More digits than this process writes.
                    return text_of(values)
                if len(text) <= SURE_LENGTH:
                    return text
            return text_of(values)

        return key

    def _identity(self, value: Any) -> tuple[str, Any]:
        """The class of the first argument, and what identifies it in there."""
        kind = name_of(type(value))
        try:
            identity = getattr(value, self._self_key)
        except AttributeError as error:
            self._refuse(self._first, f"a {kind} without {error.name}", error)
        if identity is None:
            self._refuse(self._first, f"a {kind} whose {self._self_key} is None", None)
        return kind, identity

    def _own_key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        given = self._values(*args, **kwargs)
        if type(given) is str and given and not given.startswith(_OWN):
            return given
        try:
            return _OWN + canonical(given)
        except (EncodeError, RecursionError) as error:
            raise EncodeError(
                f"{self._name}: key= gave {error}: let it give a str, bytes, or a tuple of such"
            ) from error

    def _text(self, values: tuple[Any, ...]) -> str:
        return tuple_of(
            [self._one(each, value) for each, value in zip(self._kept, values, strict=True)]
        )

    def _one(self, parameter: Parameter, value: Any) -> str:
        name = parameter.name
        try:
            if parameter.kind is Parameter.VAR_KEYWORD and self._ignored:
                value = {key: item for key, item in value.items() if key not in self._ignored}
            return canonical(value)
        except EncodeError as error:
            if value is parameter.default:
                # Such as a sentinel of its own: it is the same in every call.
                return "default"
            if self._identify is not None:
                return f"identity({canonical(self._identify(value))})"
            self._refuse(name, str(error), error)
        except RecursionError as error:
            self._refuse(name, "a value that is nested too deep, or in itself", error)

    def _refuse(self, parameter: str, what: str, error: Exception | None) -> NoReturn:
        ways = [f"ignore={parameter!r}", "or key= with a function that gives the key"]
        if parameter == self._first and parameter == "self":
            ways.insert(0, "self_key= with the name of an attribute that identifies it")
        raise EncodeError(
            f"{self._name}: no key can be made of the argument {parameter!r}, {what}: give "
            f"that class a __cache_key__, or memoize with {', '.join(ways)}"
        ) from error


def _parameters(function: Callable[..., Any], name: str) -> tuple[Parameter, ...]:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"cannot memoize {name}: its parameters are not known; wrap it in a function"
        ) from error


def _check(
    name: str, ignored: frozenset[str], self_key: str | None, parameters: tuple[Parameter, ...]
) -> None:
    known = {each.name for each in parameters}
    takes_any = any(each.kind is Parameter.VAR_KEYWORD for each in parameters)
    if ignored - known and not takes_any:
        raise ConfigurationError(
            f"cannot memoize {name}: ignore: it has no parameter "
            f"{', '.join(map(repr, sorted(ignored - known)))}"
        )
    if self_key is not None and not isinstance(self_key, str):
        raise ConfigurationError(
            f"cannot memoize {name}: self_key is the name of an attribute, not {self_key!r}"
        )
    if self_key is not None and not (parameters and parameters[0].kind in _POSITIONAL):
        raise ConfigurationError(f"cannot memoize {name}: self_key: it has no first parameter")


def _compiled(
    parameters: tuple[Parameter, ...], body: str, name: str, **known: Any
) -> Callable[..., Any]:
    """A function of these parameters: Python itself sorts arguments fastest.

    Its text is made of names that `inspect` has checked to be names.
    """
    bare = [
        each.replace(
            annotation=Parameter.empty,
            default=each.default if each.default is Parameter.empty else None,
        )
        for each in parameters
    ]
    source = f"lambda {str(Signature(bare))[1:-1]}: {body}"
    made: Any = eval(source, {"__builtins__": {}, **known})  # noqa: S307
    given = [each for each in parameters if each.default is not Parameter.empty]
    made.__defaults__ = tuple(each.default for each in given if each.kind in _POSITIONAL) or None
    made.__kwdefaults__ = {
        each.name: each.default for each in given if each.kind not in _POSITIONAL
    } or None
    # What Python says of wrong arguments begins with it.
    made.__qualname__ = made.__name__ = name
    function: Callable[..., Any] = made
    return function


def _call_of(key: Callable[..., Any], parameters: tuple[Parameter, ...], name: str) -> str:
    """How to call the user's function: in order if it takes that, or else by names."""
    single = [each.name for each in parameters if each.kind not in _PREFIXES]
    first = [each.name for each in parameters if each.kind in _POSITIONAL]
    try:
        bind = inspect.signature(key).bind
    except (TypeError, ValueError):
        # Written in C. It is called in order, and says itself what it does not take.
        return _passed(parameters, first)
    for in_order in (first, []):
        named = dict.fromkeys(name for name in single if name not in in_order)
        try:
            bind(*in_order, **named)
        except TypeError:
            continue
        return _passed(parameters, in_order)
    raise ConfigurationError(f"cannot memoize {name}: key= takes other arguments than it does")


def _passed(parameters: tuple[Parameter, ...], in_order: list[str]) -> str:
    return ", ".join(
        each.name
        if each.name in in_order
        else _PREFIXES.get(each.kind, f"{each.name}=") + each.name
        for each in parameters
    )
