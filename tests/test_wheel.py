"""The wheel that users install: what is in it, and that it works without this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it needs at least, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel],
        check=True,
        capture_output=True,
    )
    return python


def in_clean(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "KCACHE"))}
    return subprocess.run(
        [python, *arguments],
        cwd=python.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "kcache",
        "kcache_client",
        "kcache_flask",
    }
    folders = ("kcache", "kcache_flask")
    assert {f"{folder}/py.typed" for folder in folders} <= set(names)
    packaged = {name for name in names if name.split("/")[0] in folders and name.endswith(".py")}
    sources = {
        str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py")
    }
    assert packaged == sources
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_ring_needs_no_extra(clean_python: Path) -> None:
    program = (
        "import json, sys, kcache; "
        "ring = kcache.Ring(['memcached://10.0.0.1', 'memcached://10.0.0.2']); "
        "print(json.dumps([ring.node_for('user:42').name, kcache.__file__, kcache.__version__]))"
    )
    done = in_clean(clean_python, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    name, file, version = json.loads(done.stdout)
    assert name == "10.0.0.1:11211"
    assert Path(file).is_relative_to(clean_python.parent.parent)
    assert version == "0.1.0"


def test_the_command_line_without_its_extra_says_what_to_install(clean_python: Path) -> None:
    done = in_clean(clean_python, "-m", "kcache", "demo")
    assert done.returncode == 2
    assert done.stderr == (
        "kcache: the command line needs click: install the extra `cli` of the distribution "
        "kcache-client\n"
    )


def test_the_flask_extension_without_its_extra_says_what_to_install(clean_python: Path) -> None:
    done = in_clean(clean_python, "-c", "import kcache_flask")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: kcache_flask needs Flask: install the extra `flask` of the distribution "
        "kcache-client"
    )
