"""What the templates of a view use, those included that they extend and include."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask
from jinja2 import TemplateError, meta, nodes

__all__ = ["template_names"]

_MOST = 200


def template_names(app: Flask, templates: Iterable[str]) -> dict[str, str]:
    """Names that come from outside, each with a template that uses it.

    What cannot be read is left out: templates that are not there, or not named in the code.
    """
    found: dict[str, str] = {}
    waiting, seen = sorted(templates), set[str]()
    while waiting and len(seen) < _MOST:
        template = waiting.pop()
        if template in seen:
            continue
        seen.add(template)
        names, others = _read(app, template)
        found.update(dict.fromkeys(names - found.keys(), template))
        waiting += others
    return found


def _read(app: Flask, template: str) -> tuple[set[str], list[str]]:
    """The names that a template uses, and the templates."""
    environment = app.jinja_env
    if environment.loader is None:
        return set(), []
    try:
        text, _, _ = environment.loader.get_source(environment, template)
        tree = environment.parse(text)
    except (TemplateError, OSError, UnicodeError):
        return set(), []
    # Flask's own are globals, which are no undeclared variables.
    names = {each.name for each in tree.find_all(nodes.Name) if each.ctx == "load"}
    return names, [other for other in meta.find_referenced_templates(tree) if other is not None]
