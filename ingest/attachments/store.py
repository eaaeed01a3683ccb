"""The bytes of attachments, kept under their SHA-2: equal bytes are kept once, and what is kept never changes.

Nothing here knows of media types: bytes leave only inside the answer to a GET of statements, never by an address of
their own, so nothing is ever executed or shown inline.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from ingest.xapi.terms import is_sha2

_TRY_FOR: Final = timedelta(seconds=8)
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class AttachmentStoreError(Exception):
    """The store does not answer, or refuses; trying again later may help."""


class AttachmentStore:
    """Bytes by hash, over any object store. May be used by many requests at once; never blocks the loop."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, sha2: str, data: bytes) -> None:
        """Keep ``data``; a repetition changes nothing. When it returns, others can read the whole of it.

        ``sha2``: its SHA-224, -256, -384 or -512 in hexadecimal, which the caller has verified. Raises
        AttachmentStoreError.
        """
        try:
            # Written beside and renamed (files), or one request (S3): nobody sees a part of it.
            await self._store.put_async(_place(sha2), data, use_multipart=False)
        except (BaseError, OSError, ValueError) as error:
            raise AttachmentStoreError(f"an attachment could not be kept: {type(error).__name__}") from error

    async def has(self, sha2: str) -> bool:
        """Whether there are bytes of this hash. Raises AttachmentStoreError."""
        if not is_sha2(sha2):
            return False
        try:
            await self._store.head_async(_place(sha2))
        except FileNotFoundError:
            return False
        except (BaseError, OSError, ValueError) as error:
            raise AttachmentStoreError(f"an attachment could not be looked for: {type(error).__name__}") from error
        return True

    async def get(self, sha2: str) -> bytes | None:
        """The bytes of this hash; None where there are none. Raises AttachmentStoreError."""
        if not is_sha2(sha2):
            return None
        try:
            found = await self._store.get_async(_place(sha2))
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise AttachmentStoreError(f"an attachment could not be read: {type(error).__name__}") from error


def open_store(url: str, data_dir: Path) -> AttachmentStore:
    """The store of the setting ``ingest.attachments_url``; an empty one is a directory of the data directory.

    S3 takes endpoint, region and credentials from the usual variables (AWS_ENDPOINT_URL, AWS_REGION,
    AWS_ACCESS_KEY_ID, …). Nothing is connected yet. Raises ValueError for what is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        plain = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
        return AttachmentStore(
            S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                client_options={"timeout": _TRY_FOR, "allow_http": plain},
                retry_config={"max_retries": 2, "retry_timeout": _TRY_FOR},
            )
        )
    if not url or (parts.scheme == "file" and parts.path and not parts.netloc):
        directory = Path(url2pathname(parts.path)) if url else data_dir.absolute() / "attachments"
        return AttachmentStore(LocalStore(directory, mkdir=True))
    raise ValueError(f"attachments_url is file:///directory or s3://bucket/prefix, not {url!r}")


def _place(sha2: str) -> str:
    """Its path: directories by the first byte, so that none of them grows too large."""
    if not is_sha2(sha2):
        raise ValueError("no SHA-2 in hexadecimal")
    name = sha2.lower()
    return f"{name[:2]}/{name}"
