"""Checks that several parts of a statement share: types, allowed properties, language maps, extensions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ingest.xapi import terms
from ingest.xapi.faults import Faults, Rule, kind_of

NULL = Rule("null", "1.0.3 Data 2.2", "Leave the property out: null is allowed inside extensions alone.")
TYPE = Rule("type", "1.0.3 Data 2.2", "Send the JSON type that the specification's table gives for the property.")
UNKNOWN = Rule("property.unknown", "1.0.3 Data 2.2", "Remove the property, or move it into extensions.")
CASE = Rule("property.case", "1.0.3 Data 2.2", "Property names are case-sensitive: write it as the specification does.")
IRI = Rule("iri", "1.0.3 Data 4.3", "Send an absolute IRI with its scheme, as in https://example.org/unit/3.")
UUID = Rule("uuid", "1.0.3 Data 4.4", "Send a UUID in its 36-character form (RFC 4122).")
LANGUAGE = Rule("language", "1.0.3 Data 4.2", "Use a language tag of RFC 5646, as en or es-419.")
LANGUAGE_MAP = Rule("language_map", "1.0.3 Data 4.2", 'Send an object of language tags and texts: {"en": "Fractions"}.')
EXTENSIONS = Rule("extensions", "1.0.3 Data 4.1", "Send an object whose keys are IRIs.")
EXTENSION_KEY = Rule("extensions.key", "1.0.3 Data 4.1", "Use an IRI with a scheme as the key of each extension.")

NUMBER: Final = (int, float, Decimal)


def wrong_type(faults: Faults, path: str, value: Any, wanted: str) -> None:
    """Note that ``value`` is not of the type wanted; null has a rule of its own."""
    if value is None:
        faults.add(NULL, path, f"null where {wanted} is expected")
    else:
        faults.add(TYPE, path, f"{kind_of(value)} where {wanted} is expected")


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; a boolean is none."""
    return isinstance(value, NUMBER) and value is not True and value is not False


def properties(value: dict[str, Any], allowed: frozenset[str], path: str, faults: Faults) -> None:
    """Note each property that the specification does not name (Data 2.2)."""
    if value.keys() <= allowed:
        return
    proper = {name.lower(): name for name in allowed}
    for name in value:
        if name in allowed:
            continue
        known = proper.get(name.lower())
        if known:
            faults.add(CASE, f"{path}.{name}", f"{name!r} is written {known!r}")
        else:
            faults.add(UNKNOWN, f"{path}.{name}", f"the specification has no property {name!r} here")


def object_(value: Any, path: str, faults: Faults, wanted: str = "an object") -> bool:
    """Whether ``value`` is a JSON object; notes a fault when it is none."""
    if isinstance(value, dict):
        return True
    wrong_type(faults, path, value, wanted)
    return False


def string(value: Any, path: str, faults: Faults) -> None:
    """A string, the empty one too where no format is required."""
    if not isinstance(value, str):
        wrong_type(faults, path, value, "a string")


def boolean(value: Any, path: str, faults: Faults) -> None:
    """true or false."""
    if value is not True and value is not False:
        wrong_type(faults, path, value, "true or false")


def iri(value: Any, path: str, faults: Faults) -> None:
    """An absolute IRI (Data 4.3)."""
    if not terms.is_iri(value):
        if isinstance(value, str):
            faults.add(IRI, path, "is no IRI with a scheme" if value else "is empty", value)
        else:
            wrong_type(faults, path, value, "an IRI")


def uuid(value: Any, path: str, faults: Faults) -> None:
    """A UUID (Data 4.4)."""
    if not terms.is_uuid(value):
        if isinstance(value, str):
            faults.add(UUID, path, "is no UUID", value)
        else:
            wrong_type(faults, path, value, "a UUID")


def language(value: Any, path: str, faults: Faults) -> None:
    """A language tag (RFC 5646)."""
    if not terms.is_language(value):
        if isinstance(value, str):
            faults.add(LANGUAGE, path, "is no language tag", value)
        else:
            wrong_type(faults, path, value, "a language tag")


def language_map(value: Any, path: str, faults: Faults) -> None:
    """A language map (Data 4.2)."""
    if not isinstance(value, dict):
        if value is None:
            wrong_type(faults, path, value, "a language map")
        else:
            faults.add(LANGUAGE_MAP, path, f"{kind_of(value)} where a language map is expected")
        return
    for tag, text in value.items():
        if not terms.is_language(tag):
            faults.add(LANGUAGE, f"{path}[{tag!r}]", "the key is no language tag", tag)
        if not isinstance(text, str):
            wrong_type(faults, f"{path}[{tag!r}]", text, "a string")


def extensions(value: Any, path: str, faults: Faults) -> None:
    """Extensions: IRI keys, any value, null too (Data 4.1)."""
    if not isinstance(value, dict):
        if value is None:
            wrong_type(faults, path, value, "an object")
        else:
            faults.add(EXTENSIONS, path, f"{kind_of(value)} where an object of extensions is expected")
        return
    for key in value:
        if not terms.is_iri(key):
            faults.add(EXTENSION_KEY, f"{path}[{key!r}]", "the key is no IRI", key)
