"""Whether data written with one Avro schema can be read with another.

Source: Avro 1.12 specification, "Schema Resolution". Only what the platform's schemas use is accepted:
records, arrays, maps, unions and primitive types; anything else is reported, not guessed.
"""

from __future__ import annotations

from typing import Any

Schema = Any

_PROMOTIONS: dict[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def faults(reader: Schema, writer: Schema, path: str = "$") -> list[str]:
    """What keeps ``reader`` from reading what ``writer`` wrote; empty when it can. One line a fault, with its path."""
    if isinstance(writer, list):
        return [f for branch in writer for f in faults(reader, branch, path)]
    if isinstance(reader, list):
        if any(not faults(branch, writer, path) for branch in reader):
            return []
        return [f"{path}: no branch of the reader's union takes {_name(writer)}"]
    r, w = _name(reader), _name(writer)
    if r != w:
        return [] if r in _PROMOTIONS.get(w, ()) else [f"{path}: {w} cannot be read as {r}"]
    if r == "record":
        return _record_faults(reader, writer, path)
    if r == "array":
        return faults(reader["items"], writer["items"], f"{path}[]")
    if r == "map":
        return faults(reader["values"], writer["values"], f"{path}{{}}")
    return [] if r in _PRIMITIVES else [f"{path}: type {r} is not used by this project's schemas"]


def _record_faults(reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
    if reader["name"] != writer["name"]:
        return [f"{path}: record {writer['name']} was renamed to {reader['name']}"]
    written = {field["name"]: field for field in writer["fields"]}
    found: list[str] = []
    for field in reader["fields"]:
        where = f"{path}.{field['name']}"
        if field["name"] in written:
            found += faults(field["type"], written[field["name"]]["type"], where)
        elif "default" not in field:
            found.append(f"{where}: new field without a default")
    return found


def _name(schema: Schema) -> str:
    if isinstance(schema, str):
        return schema
    inner = schema["type"]
    return inner if isinstance(inner, str) else _name(inner)
