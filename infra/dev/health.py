"""Checks of health: each returns a function that says whether a service answers now, within two seconds."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT_SECONDS = 2.0


def http(url: str) -> Callable[[], bool]:
    """Whether a GET is answered with 2xx."""

    def check() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return 200 <= int(answer.status) < 300
        except (urllib.error.URLError, OSError, ValueError):
            return False

    return check


def tcp(host: str, port: int) -> Callable[[], bool]:
    """Whether a connection is taken."""

    def check() -> bool:
        try:
            with socket.create_connection((host, port), TIMEOUT_SECONDS):
                return True
        except OSError:
            return False

    return check
