"""The keys of the extension as texts: with the namespace, where there is one.

A key in the app's own namespace is the text itself. One in a namespace within it begins with a
control character, so that what `make_cache_key` gives can be handed to `get`, `set` and `delete`,
wherever it has been in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import quote, unquote

from kcache import InvalidKey
from kcache.canonical import canonical

__all__ = ["Names", "joined", "make_template_fragment_key", "names_of", "split"]

Names: TypeAlias = str | tuple[str, ...]
"""The path of a namespace: one name, or several from the outermost to the innermost."""

_MARK = "\x1f"
_BETWEEN = "/"


def names_of(namespace: Names) -> tuple[str, ...]:
    """The path of a namespace as a tuple; `""` and `()` stand for none.

    Raises:
        InvalidKey: a name that is no str, or empty.
    """
    names = (namespace,) if isinstance(namespace, str) and namespace else namespace
    if not isinstance(names, (tuple, list, str)) or not all(
        isinstance(name, str) and name for name in names
    ):
        raise InvalidKey(f"a namespace is a name, or a tuple of names, not {namespace!r}")
    return tuple(names)


def joined(names: tuple[str, ...], key: str) -> str:
    r"""One text for a key in a namespace.

    Example:
        >>> joined((), "view//"), joined(("albums", "4/2"), "view//")
        ('view//', '\x1falbums/4%2F2\x1fview//')
    """
    if not names:
        return key
    return f"{_MARK}{_BETWEEN.join(quote(name, safe='') for name in names)}{_MARK}{key}"


def split(key: str) -> tuple[tuple[str, ...], str]:
    r"""The namespace and the key of a text.

    Example:
        >>> split("\x1falbums/4%2F2\x1fview//"), split("plain")
        ((('albums', '4/2'), 'view//'), ((), 'plain'))
    """
    if not key.startswith(_MARK):
        return (), key
    path, mark, rest = key[1:].partition(_MARK)
    if not mark:
        return (), key
    return tuple(unquote(name) for name in path.split(_BETWEEN)), rest


def make_template_fragment_key(fragment_name: str, vary_on: Iterable[object] | None = None) -> str:
    r"""The key of a template's fragment, for `cache.get` and `cache.delete`.

    Args:
        fragment_name: the second argument of the `{% cache %}` tag.
        vary_on: those that follow; no two lists of different values have one key.

    Raises:
        EncodeError: of a value no key can be made.

    Example:
        >>> make_template_fragment_key("sidebar")
        '_template_fragment_cache_sidebar'
        >>> make_template_fragment_key("sidebar", ["de", 42])
        "_template_fragment_cache_sidebar\x1f('de', 42)"
    """
    name = f"_template_fragment_cache_{fragment_name}"
    if not vary_on:
        return name
    varied = tuple(_plain(value) for value in vary_on)
    return f"{name}{_MARK}{canonical(varied)}" if varied else name


def _plain(value: object) -> object:
    """Markup and lazy texts count as the text that they are."""
    is_text = isinstance(value, str) or hasattr(value, "__html__")
    return str(value) if is_text else value
