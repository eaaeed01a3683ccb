"""What to do with a dead letter, in words, by its reason. Pure."""

from __future__ import annotations

from typing import Final

from streams.letters.place import Place

_REPAIR: Final = (
    "Repair it: roundtrip dead-letters show {place} --payload > item.json, mend the file, then roundtrip dead-letters"
    " replay {place} --file item.json."
)
_BY_REASON: Final = {
    "undecodable": (
        "The record's bytes are not of a schema that this version knows: replay it after an upgrade, or when the schema"
        " registry is back. Else discard it and have the provider send the statements again."
    ),
    "processing_failed": (
        "A fault of this program, not of the statement: report it with the message, and replay it after the upgrade"
        " that mends it."
    ),
    "conflict": (
        "Another statement of the same id came first and stays. If both are right, give this one an id of its own and"
        " replay it. {repair} Else discard it and tell the provider."
    ),
    "stored_out_of_range": ("The clock of ingest was wrong. Replayed, it counts as accepted when it was put aside."),
}
_ROW: Final = (
    "The statement itself is stored; one row that follows from it was refused. Mend the table or upgrade, then"
    " roundtrip rebuild; discard the letter when that is done."
)
_REFUSED: Final = "The store did not take the row: mend the table or upgrade, then replay it."


def advice(place: Place, reason: str) -> str:
    """One or two sentences for an operator."""
    repair = _REPAIR.format(place=place)
    if place.table:
        return _ROW
    if reason.startswith("refused_by_"):
        return _REFUSED
    return _BY_REASON.get(reason, "{repair} Or discard it and tell the provider.").format(repair=repair)
