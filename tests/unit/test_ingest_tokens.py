"""Bearer tokens: which are believed, what they may do, and how the keys of their issuers are read and kept."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from ingest.auth_bearer import Bearer
from ingest.auth_keys import ASKED_AGAIN_SECONDS, KEPT_SECONDS, Keys, NoKeysError
from ingest.auth_tokens import LONGEST, keys_of
from ingest.credentials import SCOPES, Credential
from ingest.errors import ApiError
from ingest.issuers import Issuer, Trusted

NOW = 1_800_000_000.0
NAME = "https://login.example.org/"
AUDIENCE = "https://lrs.example.org/xapi"
KEYS: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "okp"}),
}
WEAK = json.dumps({"keys": [{"kty": "RSA", "e": "AQAB", "n": base64.urlsafe_b64encode(b"\xc5" * 128).decode()}]})
JWKS = json.dumps(KeySet(list(KEYS.values())).as_dict(private=False))
ISSUER = Issuer(NAME, AUDIENCE, None, JWKS)
WRITES = frozenset({"statements/write", "statements/read"})
CLIENT = Credential("token:course:1", "p1", "", False, WRITES)


def token(algorithm: str = "RS256", *, header: dict[str, Any] | None = None, **claims: Any) -> bytes:
    """A good token, with claims and header fields changed, or left out where they are None."""
    key = KEYS[algorithm]
    fields = {"iss": NAME, "aud": AUDIENCE, "exp": NOW + 300, "client_id": "course", "scope": "all", **claims}
    head = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in fields.items() if value is not None},
        key,
        algorithms=[algorithm],
    ).encode()


def unsigned(header: dict[str, Any], signature: bytes = b"") -> bytes:
    claims = {"iss": NAME, "aud": AUDIENCE, "exp": NOW + 300, "client_id": "course"}
    parts = [json.dumps(part).encode() for part in (header, claims)] + [signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def bearer(issuer: Issuer = ISSUER, keys: Keys | None = None, client: Credential = CLIENT) -> Bearer:
    made = Bearer(keys, now=lambda: NOW)
    made.trusted = Trusted({NAME: issuer}, {(NAME, "course"): client})
    return made


async def asked(by: Bearer, sent: bytes) -> Credential:
    return await by.authenticate(sent, sent[-16:] + bytes(len(sent) % 256))


async def refusal(by: Bearer, sent: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        await asked(by, sent)
    assert caught.value.status == 401
    assert [name for name, _ in caught.value.headers] == [b"www-authenticate"] * 2
    assert b'error="invalid_token"' in caught.value.headers[1][1]
    return caught.value.message


@pytest.mark.parametrize("algorithm", list(KEYS))
async def test_a_token_that_its_issuer_signed_speaks_for_its_client(algorithm: str) -> None:
    by = bearer()
    credential = await asked(by, token(algorithm))
    assert (credential.key, credential.provider_id) == ("token:course:1", "p1")
    assert credential.scopes == {"statements/write", "statements/read", "statements/read/mine"}
    by.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://other.example.org/"}, "issuer is not trusted"),
        ({"iss": None}, "names no issuer"),
        ({"aud": "https://other.example.org/"}, "meant for somebody else"),
        ({"aud": None}, "meant for somebody else"),
        ({"exp": NOW}, "expired"),
        ({"exp": None}, "does not say when it ends"),
        ({"exp": "tomorrow"}, "its exp is no time"),
        ({"exp": True}, "its exp is no time"),
        ({"nbf": NOW + 60}, "not valid yet (nbf)"),
        ({"iat": NOW + 60}, "not valid yet (iat)"),
        ({"client_id": "another"}, "client is not known"),
        ({"client_id": 7}, "client is not known"),
        ({"header": {"kid": "none of ours"}}, "no key of this id"),
        ({"header": {"kid": None}}, "no key of this id"),
        ({"header": {"kid": "ec"}}, "signature does not fit"),
        ({"header": {"typ": "logout+jwt"}}, "no access token"),
    ],
)
async def test_a_token_that_is_not_as_it_should_be_is_not_believed(changed: dict[str, Any], reason: str) -> None:
    by = bearer()
    assert reason in await refusal(by, token(**changed))
    by.close()


async def test_small_differences_of_clocks_and_several_audiences_do_no_harm() -> None:
    by = bearer()
    await asked(by, token(nbf=NOW + 10, iat=NOW + 10, aud=["else", AUDIENCE], header={"typ": "JWT"}))
    await asked(by, token(client_id=None, azp="course", header={"typ": None}))
    await asked(by, token(client_id=None, sub="course"))
    by.close()


async def test_nothing_but_a_private_key_makes_a_signature() -> None:
    by = bearer()
    assert "algorithm is not taken" in await refusal(by, unsigned({"alg": "none"}))
    public = KEYS["RS256"].as_pem(private=False)
    unfinished = unsigned({"alg": "HS256", "kid": "rsa"}).rstrip(b".")
    mac = hmac.digest(public, unfinished, "sha256")
    forged = unfinished + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    assert "algorithm is not taken" in await refusal(by, forged)
    good = token()
    head, body, signature = good.split(b".")
    other = json.loads(base64.urlsafe_b64decode(body + b"=="))
    other["client_id"] = "admin"
    changed = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=")
    assert "signature does not fit" in await refusal(by, b".".join((head, changed, signature)))
    assert "signature does not fit" in await refusal(by, unsigned({"alg": "RS256", "kid": "rsa"}, b"x" * 256))
    by.close()


@pytest.mark.parametrize("sent", [b"", b"a.b", b"a.b.c", b"....", b"\xff.\xff.\xff", b"W10.W10.", b"x" * (LONGEST + 1)])
async def test_what_is_no_token_is_told_so(sent: bytes) -> None:
    by = bearer()
    assert "no JSON web token" in await refusal(by, sent)
    by.close()


@pytest.mark.parametrize(
    ("claimed", "granted", "may"),
    [
        ("statements/write", "all", {"statements/write"}),
        ("all", "state profile", {"state", "profile"}),
        (["all/read"], "statements/read", {"statements/read", "statements/read/mine"}),
        ("statements/read/mine", "statements/read", {"statements/read/mine"}),
        ("openid email", "all", set()),
        (None, "all", {"statements/write", "statements/read/mine"}),
        (7, "all", set()),
        ("all", "all", set(SCOPES)),
    ],
)
async def test_a_token_may_do_what_it_claims_and_its_client_was_granted(
    claimed: Any, granted: str, may: set[str]
) -> None:
    by = bearer(client=CLIENT._replace(scopes=frozenset(granted.split())))
    assert (await asked(by, token(scope=claimed))).scopes == may
    by.close()


async def test_a_token_that_is_known_ends_with_its_time_its_client_and_its_issuer() -> None:
    at = NOW
    by = Bearer(now=lambda: at)
    everything = Trusted({NAME: ISSUER}, {(NAME, "course"): CLIENT})
    by.trusted = everything
    sent = token()
    await asked(by, sent)
    by.trusted = Trusted({NAME: ISSUER}, {(NAME, "course"): CLIENT._replace(disabled=True)})
    assert (await asked(by, sent)).disabled
    for less in (Trusted({}, everything.clients), Trusted(everything.issuers, {})):
        by.trusted = everything
        by._refused.clear()
        await asked(by, sent)
        by.trusted = less
        await refusal(by, sent)
    by.trusted = everything
    by._refused.clear()
    at = NOW + 301
    assert "expired" in await refusal(by, sent)
    by.close()


class Published:
    """An issuer's keys behind an address; counts who asks."""

    def __init__(self) -> None:
        self.jwks: str | None = JWKS
        self.asked = 0
        self.now = 1000.0

    async def fetch(self, _url: str) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.jwks is None:
            raise httpx.ConnectError("away")
        return self.jwks.encode()

    def keys(self) -> Keys:
        return Keys(self.fetch, lambda: self.now)


REMOTE = Issuer(NAME, AUDIENCE, "https://login.example.org/jwks", None)


async def test_keys_are_read_once_and_again_when_they_are_old() -> None:
    published = Published()
    keys = published.keys()
    found = await asyncio.gather(*(keys.find(REMOTE, "rsa") for _ in range(5)))
    assert all(found)
    assert published.asked == 1
    published.now += KEPT_SECONDS + 1
    published.jwks = None
    assert await keys.find(REMOTE, "rsa")
    while published.asked < 2:  # noqa: ASYNC110  # it is read behind
        await asyncio.sleep(0.001)
    assert await keys.find(REMOTE, "rsa"), "the old keys are good while new ones cannot be read"


async def test_a_new_key_is_found_by_its_id_but_invented_ids_do_not_make_us_ask_for_ever() -> None:
    published = Published()
    keys = published.keys()
    new = ECKey.generate_key("P-256", {"kid": "new"})
    assert await keys.find(REMOTE, "new") is None
    published.jwks = json.dumps(KeySet([new]).as_dict(private=False))
    assert await keys.find(REMOTE, "new") is None
    assert published.asked == 1
    published.now += ASKED_AGAIN_SECONDS + 1
    assert await keys.find(REMOTE, "new")
    for number in range(10):
        assert await keys.find(REMOTE, f"invented {number}") is None
    assert published.asked == 2


async def test_keys_that_cannot_be_read_are_tried_again_later_and_later() -> None:
    published = Published()
    published.jwks = None
    keys = published.keys()
    waits = []
    for _ in range(4):
        with pytest.raises(NoKeysError) as caught:
            await keys.find(REMOTE, "rsa")
        waits.append(caught.value.wait)
        with pytest.raises(NoKeysError):
            await keys.find(REMOTE, "rsa")
        published.now += caught.value.wait
    assert (waits, published.asked) == ([1.0, 2.0, 4.0, 8.0], 4)
    by = bearer(REMOTE, keys)
    with pytest.raises(ApiError) as refused:
        await asked(by, token())
    assert refused.value.status == 503
    published.now += 100
    published.jwks = JWKS
    await asked(by, token())
    by.close()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": 1}', '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', '{"keys": [1]}']
)
def test_a_set_without_public_keys_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no JWK set"):
        keys_of(text)


def test_a_key_that_can_be_broken_or_is_not_understood_is_left_out() -> None:
    [weak] = json.loads(WEAK)["keys"]
    with pytest.raises(ValueError, match="no JWK set"):
        keys_of(WEAK)
    strong = json.loads(JWKS)["keys"]
    odd = [weak, 7, {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}, {"kty": "EC"}, {"kty": "AKP"}]
    assert [key.kid for key in keys_of(json.dumps({"keys": [*odd, *strong]})).keys] == ["rsa", "ec", "okp"]
