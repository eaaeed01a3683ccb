"""Ports: the one that is wanted, else the next free one."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from dataclasses import dataclass

from infra.dev.errors import LocalStackError

TRIED = 200


@dataclass(frozen=True)
class Port:
    """A port for a service; ``notice`` says in words that it is not the one wanted, else it is empty."""

    number: int
    notice: str = ""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT is not taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def any_free(host: str = "127.0.0.1") -> int:
    """A free port, for a server that keeps it over restarts.

    Below the range from which systems take the ports of outgoing connections: one of those could take it while the
    server is away, or even connect to itself, as a client does that keeps trying a local port nobody listens on.
    """
    while True:
        port = random.randint(10_240, 32_000)  # noqa: S311
        if is_free(port, host):
            return port


def choose(name: str, wanted: int, host: str = "127.0.0.1", taken: Collection[int] = ()) -> Port:
    """The wanted port when it is free, else the next one that is.

    ``taken`` are ports already promised to other services that do not listen yet.
    """
    for number in range(wanted, min(wanted + TRIED, 65_536)):
        if number not in taken and is_free(number, host):
            notice = "" if number == wanted else f"{name}: port {wanted} is taken, using {number}"
            return Port(number, notice)
    raise LocalStackError(f"{name}: no free port from {wanted} to {wanted + TRIED - 1} on {host}; choose another one")
