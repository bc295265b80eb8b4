"""Where and with what a benchmark ran."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["Environment", "describe"]

_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Environment:
    """What the readings of a report depend on.

    Attributes:
        date: when the run began, UTC.
        cpu: the CPU's model.
        cores: how many the machine has; the run uses one.
        system: the operating system and its kernel.
        load: processes that wanted to run in the minute before, the run itself included.
        python: implementation and version.
        commit: of this repository; ends with `-dirty` where files were changed since.
        versions: of the packages that take part.
    """

    date: str
    cpu: str
    cores: int
    system: str
    load: float
    python: str
    commit: str
    versions: dict[str, str]


def describe(packages: Iterable[str]) -> Environment:
    """The environment of a run that begins now."""
    return Environment(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        system=_system(),
        load=round(os.getloadavg()[0], 2),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        commit=_commit(),
        versions={package: version(package) for package in packages},
    )


def _cpu() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    version = ".".join(platform.release().split(".")[:2])
    kernel = f"{platform.system()} {version}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except OSError:
        return kernel


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    told = subprocess.run(
        [git, "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"
