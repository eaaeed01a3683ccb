"""Health and metrics: for supervisors and scrapers, without credential."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.runtime.metrics import exposition

Check = Callable[[], Awaitable[bool]]

_CHECK_SECONDS = 2.0


async def live(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"live": True})


def ready(checks: dict[str, Check]) -> Callable[[Request], Awaitable[Response]]:
    """Whether what acceptance needs answers: 200, or 503 with what does not."""

    async def endpoint(_request: Request) -> Response:
        answers = dict(zip(checks, await asyncio.gather(*map(_answers, checks.values())), strict=True))
        return JSONResponse({"ready": all(answers.values()), **answers}, 200 if all(answers.values()) else 503)

    return endpoint


def metrics(registry: CollectorRegistry) -> Callable[[Request], Awaitable[Response]]:
    """Prometheus' text form."""

    async def endpoint(_request: Request) -> Response:
        body, kind = exposition(registry)
        return Response(body, headers={"content-type": kind})

    return endpoint


async def _answers(check: Check) -> bool:
    try:
        return await asyncio.wait_for(check(), _CHECK_SECONDS)
    except Exception:
        return False
