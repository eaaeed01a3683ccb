"""Where Avro schemas and their ids come from: the files of this package, or a Confluent-compatible registry.

The files are append-only: avro/<subject>/vN.avsc with ids in avro/ids.json. Each version is fully compatible
(it reads, and is read by) all versions before it, so ingest and workers may be upgraded in any order.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import httpx

from schemas.compatibility import faults

AVRO = Path(__file__).parent / "avro"


class UnknownSchemaError(LookupError):
    """A schema id that the registry does not hold."""


class SchemaRegistry(Protocol):
    """Where the codec looks schemas up."""

    def latest(self, subject: str) -> tuple[int, dict[str, Any]]:
        """Id and schema that new records of the subject are written with."""

    def by_id(self, schema_id: int) -> dict[str, Any]:
        """Schema of an id; raises UnknownSchemaError."""


def versions(subject: str, root: Path = AVRO) -> list[dict[str, Any]]:
    """All versions of a subject, oldest first; raises FileNotFoundError for an unknown subject."""
    files = sorted((root / subject).glob("v*.avsc"), key=lambda path: int(path.stem[1:]))
    if not files:
        raise FileNotFoundError(f"no Avro schema in {root / subject}: add v1.avsc and its id to ids.json")
    return [json.loads(path.read_text()) for path in files]


def compatibility_faults(subject: str, root: Path = AVRO) -> list[str]:
    """What breaks full compatibility between any two versions of a subject; empty when nothing does."""
    known = versions(subject, root)
    return [
        f"{subject} v{a + 1} cannot read v{b + 1}: {fault}"
        for a, reader in enumerate(known)
        for b, writer in enumerate(known)
        if a != b
        for fault in faults(reader, writer)
    ]


class FileSchemaRegistry:
    """Schemas and ids from the files of this package."""

    def __init__(self, root: Path = AVRO) -> None:
        ids: dict[str, int] = json.loads((root / "ids.json").read_text())
        self._by_id: dict[int, dict[str, Any]] = {
            i: json.loads((root / f"{name}.avsc").read_text()) for name, i in ids.items()
        }
        self._latest: dict[str, int] = {}
        for name, i in sorted(ids.items(), key=lambda pair: int(pair[0].rsplit("/v", 1)[1])):
            self._latest[name.rsplit("/", 1)[0]] = i

    def latest(self, subject: str) -> tuple[int, dict[str, Any]]:
        schema_id = self._latest[subject]
        return schema_id, self._by_id[schema_id]

    def by_id(self, schema_id: int) -> dict[str, Any]:
        try:
            return self._by_id[schema_id]
        except KeyError:
            raise UnknownSchemaError(f"schema id {schema_id} is not in {AVRO.name}/ids.json") from None


class HttpSchemaRegistry:
    """A Confluent-compatible schema registry; the newest file of each subject is registered on first use.

    Source: Confluent Schema Registry API, POST /subjects/(subject)/versions and GET /schemas/ids/(id).
    """

    def __init__(self, url: str, client: httpx.Client | None = None) -> None:
        self._client = client or httpx.Client(base_url=url, timeout=10.0)
        self.latest = cache(self._register)
        self.by_id = cache(self._fetch)

    def _register(self, subject: str) -> tuple[int, dict[str, Any]]:
        schema = versions(subject)[-1]
        answer = self._client.post(f"/subjects/{subject}-value/versions", json={"schema": json.dumps(schema)})
        answer.raise_for_status()
        return int(answer.json()["id"]), schema

    def _fetch(self, schema_id: int) -> dict[str, Any]:
        answer = self._client.get(f"/schemas/ids/{schema_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UnknownSchemaError(f"schema id {schema_id} is not in the schema registry")
        answer.raise_for_status()
        schema: dict[str, Any] = json.loads(answer.json()["schema"])
        return schema


def schema_registry(url: str) -> SchemaRegistry:
    """The registry at ``url``, or the files when it is empty."""
    return HttpSchemaRegistry(url) if url else FileSchemaRegistry()
