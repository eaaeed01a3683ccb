"""What the local stack runs: a command line, a log and signs of health for each child."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from infra.dev import health, ports
from infra.dev.datadir import DataDir
from infra.dev.front.process import Front
from infra.dev.supervisor import Spec
from infra.runtime.settings import Settings

WORKER_UNHEALTHY_SECONDS = 8.0
"""A worker says that it is not live after streams.liveness_timeout_seconds without progress: with this, a stall is
noticed and the worker started again within 30 s of its beginning."""
COMMAND = (sys.executable, "-m", "infra.cli")


def front_spec(front: Front, environment: Mapping[str, str]) -> Spec:
    """The ClickHouse front."""
    return Spec("ClickHouse front", front.command(), front.log_path, environment, front.answers)


def service_specs(
    settings: Settings, data: DataDir, environment: Mapping[str, str], worker_ports: Sequence[int]
) -> list[Spec]:
    """Ingest, workers and pages, as the commands that anyone can type."""
    ingest, pages, streams = settings.ingest, settings.dashboards, settings.streams
    door = f"http://{ingest.host}:{ingest.port}/health"
    specs = [
        # Alive is not ready: while the broker is away it answers 503 and goes on by itself when it is back.
        Spec(
            "ingest",
            [*COMMAND, "ingest"],
            data.log("ingest"),
            environment,
            ready=health.http(f"{door}/ready"),
            alive=health.http(f"{door}/live"),
        )
    ]
    for number, port in enumerate(worker_ports, 1):
        name = "worker" if len(worker_ports) == 1 else f"worker {number}"
        specs.append(
            Spec(
                name,
                [*COMMAND, "worker"],
                data.log(name.replace(" ", "-")),
                {**environment, "ROUNDTRIP_STREAMS__PORT": str(port)},
                ready=health.http(f"http://{streams.host}:{port}/health/live"),
                unhealthy_seconds=WORKER_UNHEALTHY_SECONDS,
                grace_seconds=30.0,
            )
        )
    specs.append(
        Spec(
            "pages",
            [*COMMAND, "pages"],
            data.log("pages"),
            environment,
            ready=health.http(f"http://{pages.host}:{pages.port}/_stcore/health"),
        )
    )
    return specs


def forward_spec(settings: Settings, data: DataDir, environment: Mapping[str, str]) -> Spec:
    """The service that sends statements on to other learning record stores."""
    own = settings.forwarding
    port = ports.choose("forwarding", own.port, own.host, set()).number
    return Spec(
        "forwarding",
        [*COMMAND, "forward"],
        data.log("forwarding"),
        {**environment, "ROUNDTRIP_FORWARDING__PORT": str(port)},
        ready=health.http(f"http://{own.host}:{port}/metrics"),
    )


def simulation_spec(data: DataDir, environment: Mapping[str, str], arguments: Sequence[str]) -> Spec:
    """The simulated providers of the demo; they may end by themselves."""
    return Spec("providers", [*COMMAND, "simulate", *arguments], data.log("providers"), environment, may_end=True)
