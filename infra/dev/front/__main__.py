"""``python -m infra.dev.front --path DIR [--host ADDRESS] [--port PORT]``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from infra.dev.errors import LocalStackError
from infra.dev.front.app import MAX_BODY_BYTES, Front
from infra.dev.front.engine import MEBIBYTE, Engine, Limits
from infra.dev.front.server import Server
from infra.runtime.logging import configure, get_logger
from infra.runtime.settings import Settings

DRAIN_SECONDS = 5.0


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 with a line of explanation when the directory cannot be used."""
    parser = argparse.ArgumentParser(prog="front", description="A stand-in for a ClickHouse server on one machine.")
    parser.add_argument("--path", type=Path, required=True, help="directory of the store")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8123, help="port to listen on")
    parser.add_argument("--memory-mib", type=int, default=2048, help="what the engine may use in all")
    parser.add_argument(
        "--check-credentials",
        action="store_true",
        help="ask for ROUNDTRIP_CLICKHOUSE__USERNAME and ROUNDTRIP_CLICKHOUSE__PASSWORD",
    )
    arguments = parser.parse_args()
    settings = Settings()
    configure(settings.log, service="front")
    memory = arguments.memory_mib * MEBIBYTE
    try:
        engine = Engine.open(arguments.path, Limits(memory, memory // 2))
    except LocalStackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    store = settings.clickhouse
    credential = (store.username, store.password.get_secret_value()) if arguments.check_credentials else None
    get_logger(__name__).info(
        "a stand-in for a ClickHouse server, for one machine: the chdb engine in one process",
        engine=engine.version,
        path=str(arguments.path),
        address=f"http://{arguments.host}:{arguments.port}",
    )
    try:
        server = Server((arguments.host, arguments.port), Front(engine, credential).answer, MAX_BODY_BYTES)
    except OSError as error:
        sys.stderr.write(f"{arguments.host}:{arguments.port} cannot be listened on: {error}\n")
        engine.close()
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    with server:
        server.serve_forever()
    server.drain(DRAIN_SECONDS)
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
