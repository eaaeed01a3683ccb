"""A statement's text in its row: without its id, which stands in a column of its own (decision 32).

The id is a third of what the text would take on disk. The column ``json`` of the table puts it back.
"""

from __future__ import annotations

import re

_HEAD = re.compile(rb'\{("authority":"[A-Za-z0-9_.-]+",)"id":"([0-9a-f-]{36})",')


def row_text(statement: bytes, statement_id: str) -> bytes:
    """What the row of a statement with this id (a UUID) holds: from the authority on, without the brace before it,
    where it begins as ingest/xapi/stamp.py writes it; else all of it, so that its first character tells which it is."""
    found = _HEAD.match(statement)
    if found is None or found[2] != statement_id.encode():
        return statement
    return found[1] + statement[found.end() :]


def whole_text(text: bytes, statement_id: str) -> bytes:
    """The statement of a row's text, as the column ``json`` shows it: the id stands first."""
    return b'{"id":"%s",%s' % (statement_id.encode(), text) if text.startswith(b'"') else text
