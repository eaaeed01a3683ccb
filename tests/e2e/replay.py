"""A replay of ASSISTments under kill -9, for the test and for ``python -m tests.e2e.replay --data PATH``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from infra.dev.meter import accepted_total
from tests.e2e.platform import Platform, quiet_environment, wait


def replay_under_kills(platform: Platform, data: Path, responses: int, *, limit: int = 0, rate: float = 0.0) -> str:
    """Replay with ``--verify``; the worker is killed twice on the way and Kafka once. What the command says."""
    arguments = ["replay", "assistments", "--data", str(data), "--verify", "--batch", "25", "--connections", "2"]
    arguments += ["--limit", str(limit), "--rate", str(rate)]
    before = _accepted(platform)
    with tempfile.TemporaryFile("w+") as said:
        replay = subprocess.Popen(
            platform.command(*arguments), stdout=said, stderr=subprocess.STDOUT, env=quiet_environment()
        )
        try:
            for share, victim in ((0.15, "worker"), (0.35, "kafka.Kafka"), (0.6, "worker")):
                _wait_for(platform, before + share * responses)
                platform.child(victim).kill()
            replay.wait(600)
        finally:
            replay.kill()
            replay.wait()
        said.seek(0)
        told = said.read()
    assert replay.returncode == 0, told + platform.said()
    return told


def _wait_for(platform: Platform, accepted: float) -> None:
    wait(lambda: _accepted(platform) >= accepted, platform.said, 240, platform.process)


def _accepted(platform: Platform) -> float:
    """Statements that ingest has accepted since it was started."""
    with urllib.request.urlopen(f"http://127.0.0.1:{platform.settings().ingest.port}/metrics", timeout=10) as answer:
        return accepted_total(answer.read().decode())


def main() -> int:
    """Start a platform, replay, print what was said."""
    parser = argparse.ArgumentParser(prog="replay", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--limit", type=int, default=0, help="only the first so many responses; 0: all")
    parser.add_argument("--rate", type=float, default=0.0, help="statements a second; 0: as fast as they are taken")
    arguments = parser.parse_args()
    responses = arguments.limit or 58_266
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, Platform(Path(scratch) / "data") as platform:
        told = replay_under_kills(
            platform.until_up(), arguments.data, responses, limit=arguments.limit, rate=arguments.rate
        )
        killed = [line for line in platform.said().splitlines() if "was killed by" in line]
        left = platform.end()
    sys.stdout.write("\n".join([told, *killed, f"{time.monotonic() - began:.0f} s, {len(left)} processes left", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
