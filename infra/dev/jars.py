"""The jars of Apache Kafka, from Maven through jgo, each checked against kafka.lock.

The lock names every jar of the class path (group:artifact:version) with its SHA-256 sum, so nothing is resolved at
start: a jar is in the machine's Maven cache (~/.m2/repository or M2_REPO) or is fetched into it once.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.dev.errors import LocalStackError, require

LOCK = Path(__file__).with_name("kafka.lock")
KAFKA_VERSION = "4.1.1"


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def location(self) -> Path:
        """Where a Maven repository keeps it, relative to its root."""
        name = f"{self.artifact}-{self.version}.jar"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The jars of the class path, in the order of the lock."""
    jars = []
    for line in lock.read_text().splitlines():
        digest, coordinates = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, digest))
    return jars


def class_path(
    lock: Path = LOCK, cache: Path | None = None, say: Callable[[str], None] = lambda line: None
) -> list[Path]:
    """Paths of all jars, fetched where they are missing.

    Raises LocalStackError when a jar cannot be fetched or is not the one in the lock.
    """
    require("jgo", "the broker")
    root = cache or maven_cache()
    jars = read_lock(lock)
    missing = [jar for jar in jars if not (root / jar.location).exists()]
    if missing:
        say(f"fetching Apache Kafka {KAFKA_VERSION} ({len(missing)} jars) into {root}")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda jar: _fetch(jar, root), missing))
    paths = [root / jar.location for jar in jars]
    for jar, path in zip(jars, paths, strict=True):
        _verify(jar, path)
    return paths


def maven_cache() -> Path:
    """The machine's Maven cache, as jgo and Maven find it."""
    from jgo.constants import default_maven_repo

    return Path(default_maven_repo())


def _fetch(jar: Jar, root: Path) -> None:
    from jgo.maven import MavenContext

    target = root / jar.location
    target.parent.mkdir(parents=True, exist_ok=True)
    # Into a directory of its own first: an interrupted or concurrent download leaves no half jar in the cache.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as staging:
        context = MavenContext(repo_cache=Path(staging))
        try:
            found = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except Exception as error:
            raise LocalStackError(
                f"Cannot fetch {jar.artifact} {jar.version} from Maven ({error}). Check the network and start again, "
                "or set ROUNDTRIP_KAFKA__BOOTSTRAP_SERVERS to a broker of your own."
            ) from error
        _verify(jar, found)
        found.replace(target)


def _verify(jar: Jar, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise LocalStackError(
            f"{path} is not the jar that {LOCK.name} names: its SHA-256 is {found}, expected {jar.sha256}. "
            "Delete the file to have it fetched again; if that does not help, do not run it."
        )
