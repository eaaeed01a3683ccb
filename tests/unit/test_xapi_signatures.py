"""Signed statements: which signatures hold, and what a signed statement may have gained on its way."""

from __future__ import annotations

import base64
import copy
import datetime
import json
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from ingest.xapi.attachments import attached
from ingest.xapi.faults import Faults
from ingest.xapi.signatures import signature
from ingest.xapi.signed import difference, hundredths
from tests.unit.test_xapi_validation import ANSWERED, PLANNED, VOIDING, changed

SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"
UNSIGNED = {name: value for name, value in ANSWERED.items() if name != "attachments"}


@cache
def private_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def signed(statement: Any, alg: str = "RS256", key: Any = None, **header: Any) -> bytes:
    payload = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
    made = key or RSAKey.import_key(private_key())
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jws.serialize_compact({"alg": alg, **header}, payload, made, [alg], registry).encode()


def faults_of(data: bytes, statement: dict[str, Any] = UNSIGNED, **attachment: Any) -> list[str]:
    sent = copy.deepcopy(statement)
    own = {"usageType": SIGNATURE, "contentType": "application/octet-stream", **attachment}
    sent["attachments"] = [*sent.get("attachments", []), own]
    one = attached(sent)[-1]
    faults = Faults()
    signature(one, data, faults)
    return [fault.rule for fault in faults]


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
def test_a_signature_of_the_statement_holds(alg: str) -> None:
    assert faults_of(signed(UNSIGNED, alg)) == []
    assert faults_of(signed(UNSIGNED, alg, x5c=[certificate(private_key())])) == []


@pytest.mark.parametrize("statement", [ANSWERED, PLANNED, VOIDING], ids=["whole", "sub-statement", "voiding"])
def test_other_attachments_and_kinds_of_statements_are_signed_too(statement: dict[str, Any]) -> None:
    assert faults_of(signed(statement), statement) == []


@pytest.mark.parametrize("alg", ["HS256", "PS256", "none"])
def test_other_algorithms_are_refused(alg: str) -> None:
    key = OctKey.import_key("k" * 64) if alg == "HS256" else None
    if alg == "none":
        head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
        data = head + b"." + signed(UNSIGNED).split(b".")[1] + b"."
    else:
        data = signed(UNSIGNED, alg, key)
    assert faults_of(data) == ["signature.algorithm"]


@pytest.mark.parametrize("data", [b"", b"x", b"a.b", b"a.b.c", b"\xff.\xff.\xff", b"e30.e30", b"W10.e30.eA", b"....."])
def test_what_is_no_signature_is_refused(data: bytes) -> None:
    assert faults_of(data) in (["signature.malformed"], ["signature.algorithm"])


def test_what_is_critical_and_not_understood_is_refused() -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","crit":["exp"],"exp":1}').rstrip(b"=")
    assert faults_of(head + b"." + signed(UNSIGNED).split(b".", 1)[1]) == ["signature.malformed"]


@pytest.mark.parametrize("payload", [b"{'a':1}", b"[]", b"", b'{"a":1,"a":2}', b"\xff"])
def test_what_is_signed_has_to_be_a_statement(payload: bytes) -> None:
    assert faults_of(signed(payload)) == ["signature.payload"]


def test_the_content_type_of_a_signature_is_fixed() -> None:
    assert faults_of(signed(UNSIGNED), contentType="text/plain") == ["signature.content_type"]


@pytest.mark.parametrize(
    "where", ["verb.id", "actor.name", "result.score.scaled", "object.id", "id", "context.language"]
)
def test_a_statement_that_was_changed_is_refused(where: str) -> None:
    assert faults_of(signed(changed(UNSIGNED, where, "changed"))) == ["signature.differs"]


def test_a_signature_by_another_key_than_the_certificates_is_refused() -> None:
    chain = [certificate(private_key(2048, 1)), certificate(private_key())]
    assert faults_of(signed(UNSIGNED, x5c=chain)) == ["signature.invalid"]
    assert faults_of(signed(UNSIGNED, x5c=chain[::-1])) == []


@pytest.mark.parametrize(
    "chain", [[], "x", ["!"], ["aGVsbG8="], [1], [certificate(ec.generate_private_key(ec.SECP256R1()))]]
)
def test_a_certificate_that_is_none_is_refused(chain: Any) -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "x5c": chain}).encode()).rstrip(b"=")
    assert faults_of(head + b"." + signed(UNSIGNED).split(b".", 1)[1]) in (
        ["signature.certificate"],
        ["signature.malformed"],
    )


def test_a_short_key_proves_nothing() -> None:
    head = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "x5c": [certificate(private_key(1024))]}).encode()
    ).rstrip(b"=")
    assert faults_of(head + b"." + signed(UNSIGNED).split(b".", 1)[1]) == ["signature.certificate"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("result.duration", "PT35.129S"),
        ("stored", "2020-01-01T00:00:00Z"),
        ("version", "1.0.9"),
        ("authority", {"mbox": "mailto:other@example.org"}),
        ("id", ANSWERED["id"].upper()),
        ("result.score.raw", 7.0),
    ],
)
def test_what_a_store_or_a_form_may_change_makes_no_difference(where: str, value: Any) -> None:
    statement = changed(changed(UNSIGNED, "result.duration", "PT35.12S"), "result.score.raw", 7)
    assert difference(statement, changed(statement, where, value)) is None


def test_what_only_one_has_of_what_stores_set_makes_no_difference() -> None:
    bare = {name: value for name, value in UNSIGNED.items() if name not in ("id", "timestamp", "stored", "version")}
    assert difference(UNSIGNED, bare) is None
    assert difference(bare, UNSIGNED) is None


def test_timestamps_are_compared_as_moments() -> None:
    one = changed(UNSIGNED, "timestamp", "2026-11-20T09:30:00.1239Z")
    assert difference(one, changed(one, "timestamp", "2026-11-20T10:30:00.123+01:00")) is None
    assert difference(one, changed(one, "timestamp", "2026-11-20T09:30:00.124Z")) == "timestamp"
    assert difference(one, changed(one, "timestamp", 7)) == "timestamp"


def test_one_context_activity_is_an_array_of_one() -> None:
    activity = {"id": "https://p.example/1"}
    one = changed(UNSIGNED, "context.contextActivities", {"parent": activity})
    assert difference(one, changed(UNSIGNED, "context.contextActivities", {"parent": [activity]})) is None


def test_true_is_not_one_and_a_missing_property_is_none() -> None:
    one = changed(UNSIGNED, "result.extensions", {"urn:x": [True, {"a": None}]})
    for other in ([1, {"a": None}], [True, {}], [True], [True, {"a": None, "b": 1}]):
        assert difference(one, changed(one, "result.extensions", {"urn:x": other})) == "result"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PT35.129S", (0, 3512)),
        ("PT0.009S", (0, 0)),
        ("P1Y2M", (1400, 0)),
        ("P1DT1H1M1S", (0, 9_006_100)),
        ("P2W", (0, 120_960_000)),
        ("PT1,5H", (0, 540_000)),
        ("P1.5Y", (1800, 0)),
        ("PT", None),
        ("PT" + "9" * 200 + "S", None),
    ],
)
def test_durations_are_months_and_hundredths_of_seconds(text: str, value: tuple[int, int] | None) -> None:
    assert hundredths(text) == value
