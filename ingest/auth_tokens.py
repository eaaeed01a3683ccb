"""Bearer tokens (RFC 6750): JSON web tokens of authorization servers that the district trusts (RFC 9068).

A token is believed when a key of its issuer signed it with an algorithm of the list, when it is meant for us (aud) and
when it is in time (exp, nbf); what it may do is what it claims and its client was granted, both.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any, Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key

from ingest.credentials import SCOPES, Credential
from ingest.issuers import Issuer

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Signatures by private keys alone: never none, and no HS, for which an issuer's public key would do as the secret."""

TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt", "application/jwt"})
LONGEST: Final = 16 * 1024
LEEWAY_SECONDS: Final = 30
"""Clocks differ: a token may come from so far in the future. It ends on the second."""

_RSA_BITS: Final = 2048
_UNSCOPED: Final = frozenset({"statements/write", "statements/read/mine"})


class BadTokenError(Exception):
    """A token that is not believed; the reason is for whoever sent it and quotes nothing of it."""


class Unverified(NamedTuple):
    """What a token says of itself before anything was checked."""

    issuer: str
    kid: str | None


class Claims(NamedTuple):
    """What a believed token says; ``expires`` in seconds since the epoch."""

    client_ids: tuple[str, ...]
    scopes: frozenset[str]
    expires: float


def peek(token: bytes) -> Unverified:
    """Issuer and key id that a token names, to find the key; raises BadTokenError where it is no token at all."""
    if len(token) > LONGEST or token.count(b".") != 2:
        raise BadTokenError("it is no JSON web token")
    try:
        header, claims = (json.loads(_decoded(part)) for part in token.split(b".")[:2])
    except (ValueError, binascii.Error, RecursionError):
        raise BadTokenError("it is no JSON web token") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadTokenError("it is no JSON web token")
    issuer, kid = claims.get("iss"), header.get("kid")
    if header.get("alg") not in ALGORITHMS:
        raise BadTokenError("its algorithm is not taken")
    if str(header.get("typ", "")).lower() not in TYPES:
        raise BadTokenError("it is no access token")
    if not isinstance(issuer, str) or not (kid is None or isinstance(kid, str)):
        raise BadTokenError("it names no issuer")
    return Unverified(issuer, kid)


def key_of(keys: KeySet, kid: str | None) -> Key | None:
    """The key that a token names, or the only one where it names none."""
    if kid is None:
        return keys.keys[0] if len(keys.keys) == 1 else None
    return next((key for key in keys.keys if key.kid == kid), None)


def verify(token: bytes, key: Key, issuer: Issuer, now: float) -> Claims:
    """Check signature and claims at ``now`` (seconds since the epoch); raises BadTokenError."""
    try:
        claims = jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError):
        raise BadTokenError("its signature does not fit") from None
    if claims.get("iss") != issuer.issuer:
        raise BadTokenError("its issuer is another one")
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise BadTokenError("it is meant for somebody else (aud)")
    expires = _seconds(claims, "exp")
    if expires is None:
        raise BadTokenError("it does not say when it ends (exp)")
    if expires <= now:
        raise BadTokenError("it has expired")
    for name in ("nbf", "iat"):
        if (_seconds(claims, name) or 0.0) > now + LEEWAY_SECONDS:
            raise BadTokenError(f"it is not valid yet ({name})")
    names = [claims.get(name) for name in ("client_id", "azp", "sub")]
    return Claims(tuple(name for name in names if isinstance(name, str)), _scopes(claims), expires)


def granted(client: Credential, scopes: frozenset[str]) -> Credential:
    """The client's credential, cut down to what its token claims."""
    return client._replace(scopes=_closed(client.scopes) & _closed(scopes))


def keys_of(text: str | bytes) -> KeySet:
    """A JWK set's public signing keys, without those that are not understood (RFC 7517, 5); raises ValueError where it
    has none."""
    try:
        sent = json.loads(text)["keys"]
    except (TypeError, KeyError, ValueError, RecursionError):
        sent = None
    keys = []
    for one in sent if isinstance(sent, list) else ():
        try:
            if isinstance(one, dict) and one.get("use", "sig") == "sig" and _strong(one):
                keys.append(import_key(one))
        except (JoseError, UnsupportedAlgorithm, TypeError, KeyError, ValueError):
            continue
    if not keys:
        raise ValueError("no JWK set with public keys for signatures")
    return KeySet(keys)


def _strong(key: dict[str, Any]) -> bool:
    """Whether it is a public key, and, where it is RSA, none that can be broken (RFC 7518, 3.3)."""
    if key.get("kty") == "RSA":
        return isinstance(n := key.get("n"), str) and len(_decoded(n.encode())) * 8 >= _RSA_BITS
    return key.get("kty") in ("EC", "OKP")


def _closed(scopes: frozenset[str]) -> frozenset[str]:
    """Scopes with those that they contain."""
    if "all" in scopes:
        return SCOPES
    found = scopes & SCOPES
    if "all/read" in found:
        found |= {"statements/read", "statements/read/mine"}
    return found | {"statements/read/mine"} if "statements/read" in found else found


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """The claim scope (RFC 9068), or scp; without one what xAPI says: write, and read what is one's own."""
    claimed = claims.get("scope", claims.get("scp"))
    if claimed is None:
        return _UNSCOPED
    if isinstance(claimed, str):
        claimed = claimed.split()
    return frozenset(one for one in claimed if isinstance(one, str)) if isinstance(claimed, list) else frozenset()


def _seconds(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadTokenError(f"its {name} is no time")
    return float(value)


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
