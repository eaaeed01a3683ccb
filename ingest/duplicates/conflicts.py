"""What is answered where an id stands for another content (1.0.3 Communication 2.1.1 and 2.1.2): 409, and no more.

Whose the other statement is, and what it says, is nobody's business. There is no Retry-After: sent again, the same
request is refused again, at the cost of a look-up that it shares with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingest.errors import ApiError
from ingest.xapi.faults import Faults, Rule

CONFLICT: Final = Rule(
    "statement.conflict",
    "1.0.3 Communication 2.1.1, 2.1.2",
    "Do not repeat it as it is: a statement never changes. Give what is new an id of its own, leave out what was sent.",
)
_FAULTS_TOLD: Final = 100


def conflict(ids: Sequence[str], indexes: Sequence[int], *, single: bool) -> ApiError:
    """409 for statements of a request with these ids that are kept with another content; nothing of it is accepted."""
    faults = Faults()
    for index in indexes[:_FAULTS_TOLD]:
        path = "$.id" if single else f"$[{index}].id"
        faults.add(CONFLICT, path, "another statement is kept under this id", ids[index])
    message = f"{faults[0].path}: {faults[0].message}"
    if not single:
        message += f"; {len(indexes)} of {len(ids)} statements are at fault, none was accepted"
    message += "; repeating the request will not help"
    return ApiError(409, message, faults, statements=len(ids), faulty=() if single else tuple(indexes))
