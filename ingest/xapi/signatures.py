"""Signed statements (Data 2.6): an attachment holds a JSON web signature of the statement that it is attached to.

Whether a certificate is to be trusted is not judged: a signature proves that who holds its key has signed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from ingest.xapi.attachments import Attached
from ingest.xapi.faults import Faults, Rule
from ingest.xapi.parse import parse
from ingest.xapi.signed import difference

_SECTION: Final = "1.0.3 Data 2.6"
TYPE = Rule("signature.content_type", _SECTION, "Give the signature the contentType application/octet-stream.")
MALFORMED = Rule("signature.malformed", _SECTION, "Attach a JSON web signature in compact serialization (RFC 7515).")
ALGORITHM = Rule("signature.algorithm", _SECTION, "Sign with RS256, RS384 or RS512.")
PAYLOAD = Rule("signature.payload", _SECTION, "Sign the JSON of the whole statement, as it is before it is attached.")
DIFFERS = Rule("signature.differs", _SECTION, "Send the statement that was signed, unchanged.")
CERTIFICATE = Rule("signature.certificate", _SECTION, "Send x5c as base64 DER, the signer's RSA certificate first.")
INVALID = Rule("signature.invalid", _SECTION, "Sign with the private key of the first certificate in x5c.")

_ALGORITHMS: Final = ("RS256", "RS384", "RS512")
_LEAST_BITS: Final = 2048
_LONGEST: Final = 16 * 1024 * 1024


class _Registry(jws.JWSRegistry):
    """Statements are longer than tokens, and x5c is long; other header parameters are the signer's business."""

    max_header_length = 64 * 1024
    max_payload_length = _LONGEST
    max_signature_length = 4096


_REGISTRY: Final = _Registry(algorithms=_ALGORITHMS, strict_check_header=False)


def signature(one: Attached, data: bytes, faults: Faults) -> None:
    """Note what is wrong with a signature: an attachment and its bytes, of a statement that keeps all other rules."""
    if one.attachment.get("contentType") != "application/octet-stream":
        faults.add(TYPE, f"{one.path}.contentType", "is not that of a signature", one.attachment.get("contentType"))
        return
    try:
        found = jws.extract_compact(data, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        faults.add(MALFORMED, one.path, f"the attachment is no JSON web signature: {_words(error)}")
        return
    header = found.protected
    if not isinstance(header, dict) or header.get("alg") not in _ALGORITHMS:
        alg = header.get("alg") if isinstance(header, dict) else None
        faults.add(ALGORITHM, one.path, "the signature's algorithm is not allowed", alg)
        return
    if "crit" in header:
        faults.add(MALFORMED, one.path, "the signature has critical header parameters, which are not understood here")
        return
    if "x5c" in header and not _holds(found, header["x5c"], one.path, faults):
        return
    _payload(one, found.payload, faults)


def _holds(found: jws.CompactSignature, chain: Any, path: str, faults: Faults) -> bool:
    """Whether the signature is that of the first certificate's key (RFC 7515, 4.1.6)."""
    key = _key(chain)
    if isinstance(key, str):
        faults.add(CERTIFICATE, path, key)
        return False
    try:
        holds = jws.validate_compact(found, RSAKey.import_key(key), _ALGORITHMS, _REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        faults.add(MALFORMED, path, f"the signature cannot be checked: {_words(error)}")
        return False
    if not holds:
        faults.add(INVALID, path, "the signature is not that of the certificate's key")
    return holds


def _key(chain: Any) -> RSAPublicKey | str:
    """The public key of a chain's first certificate, or what is wrong with it."""
    if not isinstance(chain, list) or not chain or not all(isinstance(one, str) for one in chain):
        return "x5c is no array of certificates"
    try:
        # Each has to be a certificate; the first one's key is the signer's.
        certificates = [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain[:8]]
        key = certificates[0].public_key()
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        return "x5c holds what is no X.509 certificate"
    if not isinstance(key, RSAPublicKey):
        return "the first certificate of x5c has no RSA key"
    if key.key_size < _LEAST_BITS:
        return f"the first certificate of x5c has a key of fewer than {_LEAST_BITS} bits"
    return key


def _payload(one: Attached, payload: bytes | None, faults: Faults) -> None:
    inner = Faults()
    value = parse(payload or b"", inner)
    if inner or not isinstance(value, dict):
        reason = inner[0].message if inner else "it is no object"
        faults.add(PAYLOAD, one.path, f"what is signed is not the JSON of a statement: {reason}")
        return
    where = difference(one.holder, value)
    if where is not None:
        faults.add(DIFFERS, one.path, f"what is signed differs from the statement in {where}")


def _words(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__
