"""What a run was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

import ingest.xapi.accepted  # noqa: F401  # asks for the extension of ingest
import streams.app  # noqa: F401  # asks for all extensions of a worker
from infra.runtime.compiled import in_use

PACKAGES = ("aiokafka", "chdb-core", "clickhouse-connect", "fastavro", "faust-streaming", "msgspec", "uvicorn")


class Machine(msgspec.Struct, frozen=True):
    """Facts of a machine: ``memory_gib`` in GiB, ``load`` its load average (1 min) before the first bench, ``compiled``
    the extensions that were built."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]
    load: float
    compiled: list[str] = []

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}, "
            f"load before {self.load:.1f}; {packages}; compiled: {', '.join(self.compiled) or 'nothing'}"
        )


def this_machine() -> Machine:
    """The facts of this one."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        load=os.getloadavg()[0],
        compiled=in_use(),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
