"""The house keeps its floors: a module imports only from lower ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The longest prefix of a module's name says its floor. Modules of one floor may import each
# other, as long as no cycle comes of it.
FLOORS = {
    "kcache.errors": 0,
    "kcache.label": 0,
    "kcache.url": 0,
    "kcache.node": 0,
    "kcache.command": 0,
    "kcache.hit": 0,
    "kcache.invalidation": 0,
    "kcache.interruption": 0,
    "kcache.ttl": 0,
    "kcache.protocols": 1,
    "kcache.arguments": 2,
    "kcache.canonical": 2,
    "kcache.codec": 2,
    "kcache.compress": 2,
    "kcache.defined": 2,
    "kcache.entry": 2,
    "kcache.events": 2,
    "kcache.failures": 2,
    "kcache.frame": 2,
    "kcache.key": 2,
    "kcache.flow": 2,
    "kcache.form": 2,
    "kcache.framed": 2,
    "kcache.arrears": 2,
    "kcache.health": 2,
    "kcache.known": 2,
    "kcache.mirror": 2,
    "kcache.namespace": 2,
    "kcache.namespaced": 3,
    "kcache.options": 2,
    "kcache.policy": 2,
    "kcache.record": 2,
    "kcache.versions": 3,
    "kcache.ring": 2,
    "kcache.sight": 2,
    "kcache.rings": 2,
    "kcache.route": 2,
    "kcache.secret": 2,
    "kcache.signed": 2,
    "kcache.signer": 2,
    "kcache.wire": 2,
    "kcache.plain": 3,
    "kcache.plain_signed": 3,
    "kcache.plain_filling": 3,
    "kcache.core": 4,
    "kcache.executor": 4,
    "kcache.fills": 4,
    "kcache.fills_many": 4,
    "kcache.guard": 4,
    "kcache.guarded": 4,
    "kcache.flights": 4,
    "kcache.refresher": 4,
    "kcache.memory": 4,
    "kcache.off_loop": 4,
    "kcache.memory_node": 4,
    "kcache.net": 4,
    "kcache.quick": 4,
    "kcache.cache": 5,
    "kcache.calls": 5,
    "kcache.fill_calls": 5,
    "kcache.cli": 5,
    "kcache.memoize": 5,
    "kcache.memoized": 5,
    "kcache.memoized_async": 5,
    "kcache.__main__": 5,
    # The package itself only gathers the public names.
    "kcache": 5,
    "kcache_flask.cache_status": 6,
    "kcache_flask.cache_type": 6,
    "kcache_flask.conditional": 6,
    "kcache_flask.conditions": 6,
    "kcache_flask.config": 6,
    "kcache_flask.entry": 6,
    "kcache_flask.http": 6,
    "kcache_flask.identity": 6,
    "kcache_flask.keys": 6,
    "kcache_flask.nothing": 6,
    "kcache_flask.timeouts": 6,
    "kcache_flask.values": 6,
    "kcache_flask.recent": 7,
    "kcache_flask.signals": 7,
    "kcache_flask.role": 7,
    "kcache_flask.fetch": 7,
    "kcache_flask.finish": 7,
    "kcache_flask.ready": 7,
    "kcache_flask.answer": 7,
    "kcache_flask.called": 7,
    "kcache_flask.state": 8,
    "kcache_flask.view_key": 8,
    "kcache_flask.visit": 9,
    "kcache_flask.cached_response": 9,
    "kcache_flask.cached_view": 9,
    "kcache_flask.memoize": 9,
    "kcache_flask.jinja": 9,
    "kcache_flask.calls": 9,
    "kcache_flask.choice": 10,
    "kcache_flask.cli": 10,
    "kcache_flask.doctor": 10,
    "kcache_flask.doctor_functions": 10,
    "kcache_flask.doctor_reading": 10,
    "kcache_flask.doctor_views": 10,
    "kcache_flask.findings": 10,
    "kcache_flask.node_facts": 10,
    "kcache_flask.source": 10,
    "kcache_flask.templates": 10,
    "kcache_flask.terminal": 10,
    "kcache_flask.why": 10,
    "kcache_flask.why_words": 10,
    "kcache_flask.extension": 11,
    "kcache_flask": 11,
}
PACKAGES = ("kcache", "kcache_flask")
PURE = (
    "kcache_flask.cache_status",
    "kcache_flask.conditional",
    "kcache_flask.conditions",
    "kcache_flask.config",
    "kcache_flask.entry",
    "kcache_flask.http",
    "kcache_flask.keys",
    "kcache_flask.timeouts",
)
EDGE = 4
EDGE_MODULES = {
    "asyncio",
    "os",
    "pymemcache",
    "random",
    "redis",
    "socket",
    "ssl",
    "threading",
    "time",
}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[dotted.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, at the top or inside functions, but not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            yield from (
                name if (name := f"{module}.{alias.name}") in MODULES else module
                for alias in node.names
            )
        else:
            yield from imports(node)


def floor(module: str) -> int:
    while module not in FLOORS:
        module = module.rpartition(".")[0]
    return FLOORS[module]


def test_every_module_has_a_floor_of_its_own() -> None:
    top_level = {".".join(name.split(".")[:2]) for name in MODULES}
    assert top_level == set(FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_from_above(module: str) -> None:
    above = {
        name
        for name in imports(MODULES[module])
        if name.partition(".")[0] in PACKAGES and floor(name) > floor(module)
    }
    assert not above


@pytest.mark.parametrize("module", [name for name in MODULES if floor(name) < EDGE])
def test_no_floor_below_the_edges_touches_the_world(module: str) -> None:
    roots = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert not roots & EDGE_MODULES


def test_the_flask_extension_uses_public_names_only() -> None:
    for module, tree in MODULES.items():
        if module.partition(".")[0] != "kcache_flask":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "") in MODULES:
                public = import_module(node.module or "").__all__
                assert {alias.name for alias in node.names} <= set(public), module


@pytest.mark.parametrize("module", PURE)
def test_what_decides_for_flask_knows_nothing_of_it(module: str) -> None:
    roots = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert not roots & (EDGE_MODULES | {"flask", "werkzeug", "jinja2"})


def test_no_import_cycles() -> None:
    graph = {
        module: {name for name in imports(tree) if name in MODULES and name != module}
        for module, tree in MODULES.items()
    }
    while leaves := [module for module, below in graph.items() if not below & graph.keys()]:
        for leaf in leaves:
            del graph[leaf]
    assert not graph


def test_an_import_from_above_would_be_found() -> None:
    tree = ast.parse("def f():\n    from kcache.cli import main\n    import time\n")
    assert set(imports(tree)) == {"kcache.cli", "time"}
    assert floor("kcache.cli") > floor("kcache.ring.ring")
