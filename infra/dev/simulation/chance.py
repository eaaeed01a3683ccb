"""Seeded chance: the same key gives the same numbers, whatever was drawn before."""

from __future__ import annotations

import base64
import math
from random import Random


def chance(*key: object) -> Random:
    """A generator of its own for one key: anything with a stable ``str``."""
    return Random("/".join(map(str, key)))  # noqa: S311 - a simulation wants to be repeatable


def uuid4_of(rng: Random) -> str:
    """A random UUID, version 4, lower case (RFC 9562, 5.4)."""
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def token22(rng: Random) -> str:
    """128 random bits as 22 characters safe in URLs."""
    return base64.urlsafe_b64encode(rng.randbytes(16)).rstrip(b"=").decode()


def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))
