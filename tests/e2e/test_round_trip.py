"""From a provider's POST to ClickHouse and back, on the whole platform."""

from __future__ import annotations

import base64
import json
import urllib.request
import uuid
from typing import Any

import pytest
from kafka import KafkaProducer

from infra.runtime.kafka import connection, statements_topic
from infra.runtime.registry import open_registry
from tests.e2e.platform import Platform, wait
from tests.e2e.scan import log_texts, names_of, seen, store_texts

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

STATEMENT = {
    "actor": {"objectType": "Agent", "name": "Quillon Wexford", "mbox": "mailto:quillon.wexford@example.org"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered"}},
    "object": {"objectType": "Activity", "id": "https://example.org/items/1"},
    "result": {"success": True, "duration": "PT20S", "score": {"scaled": 0.30000000000000004}},
    "context": {
        "instructor": {"name": "Isolde Varga", "account": {"homePage": "https://sso.example.org", "name": "ivarga"}}
    },
    "timestamp": "2026-11-02T15:04:05.123456Z",
}


def call(address: str, credential: tuple[str, str], body: Any = None) -> Any:
    """A request as curl makes it; the JSON answered."""
    request = urllib.request.Request(address, None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(":".join(credential).encode()).decode())
    request.add_header("X-Experience-API-Version", "1.0.3")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def a_new_provider(platform: Platform, name: str) -> tuple[str, tuple[str, str]]:
    """``roundtrip admin provider add``: its endpoint and its credential, read from what the command says."""
    told = dict(line.split(maxsplit=1) for line in platform.type("admin", "provider", "add", name).splitlines()[:4])
    return told["endpoint"], (told["key"], told["secret"])


def test_what_a_new_provider_posts_is_stored_and_read_back_value_for_value(platform: Platform) -> None:
    endpoint, credential = a_new_provider(platform, "mathlab")
    statement = {"id": str(uuid.uuid4()), **STATEMENT}
    assert call(f"{endpoint}/statements", credential, statement) == [statement["id"]]

    count = "SELECT count() FROM attempts FINAL WHERE statement_id = {id:UUID}"
    wait(lambda: platform.ask(count, id=statement["id"]) == 1, platform.said)
    read = call(f"{endpoint}/statements?statementId={statement['id']}", credential)
    assert {name: read[name] for name in statement} == statement
    assert {"stored", "authority"} <= read.keys()


def test_names_and_addresses_are_nowhere_in_log_and_store(platform: Platform) -> None:
    platform.type("simulate", "--students", "30", "--history-days", "4", "--once")
    accepted = "SELECT sum(accepted) FROM provider_minutes FINAL WHERE provider_id NOT IN ('mathlab', 'planted')"
    kept = (
        "SELECT (SELECT count() FROM statements FINAL WHERE provider_id NOT IN ('mathlab', 'planted'))"
        " + (SELECT sum(statements) FROM outcomes FINAL WHERE provider_id NOT IN ('mathlab', 'planted'))"
    )
    wait(lambda: platform.ask(accepted) == platform.ask(kept) > 300, platform.said)

    settings = platform.settings()
    engine = open_registry(settings.registry_url())
    names = names_of(engine, settings.ingest.authority_home_page)
    engine.dispose()
    assert len(names) > 100
    with platform.store() as client:
        for texts in (list(log_texts(settings.kafka)), list(store_texts(client))):
            assert sum(map(len, texts)) > 200_000
            assert seen(names, texts) == set()

        # The scan can fail: it finds a name that is put there.
        planted = sorted(names)[len(names) // 2]
        assert seen({*names}, [f'{{"name":"{planted.title()}"}}']) >= {planted}
        client.command("INSERT INTO audit (viewer_id) VALUES ({name:String})", parameters={"name": planted.title()})
        assert seen(names, store_texts(client)) >= {planted}
        client.command("TRUNCATE TABLE audit")
    producer = KafkaProducer(compression_type="gzip", **connection(settings.kafka))
    producer.send(statements_topic(settings.kafka), planted.encode(), partition=0).get(20)
    producer.close()
    assert seen(names, log_texts(settings.kafka)) >= {planted}
