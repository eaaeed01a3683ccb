"""The formats in which statements are answered (Communication 2.1.3, parameter format), and versions of each other.

All functions change statements that were decoded for one answer, agents put back.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.xapi.agents import slots
from ingest.xapi.timestamps import TimestampError, format_microseconds, in_utc, microseconds
from ingest.xapi.version import ONE, TWO, statement_version

FORMATS: Final = ("exact", "ids", "canonical")
_IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")
_COMPONENTS: Final = ("choices", "scale", "source", "target", "steps")
_ONLY_2: Final = ("contextAgents", "contextGroups")
_ANY: Final = ""


def in_format(statement: dict[str, Any], kind: str, languages: list[str]) -> dict[str, Any]:
    """A statement in one of FORMATS; ``languages`` as of ``accepted_languages``."""
    if kind == "ids":
        _only_ids(statement)
    elif kind == "canonical":
        _one_language(statement, languages)
    return statement


def in_version(statement: dict[str, Any], spoken: str) -> dict[str, Any]:
    """A statement as readers of a version know it, if it was stored under the other one.

    1.0.3 has no contextAgents and contextGroups; 2.0.0 writes all timestamps in UTC (2.0.0 4.2.7).
    """
    own = statement.get("version", "1.0.0")
    if own == statement_version(spoken) or (spoken == ONE and own.startswith("1.0")):
        return statement
    statement["version"] = statement_version(spoken)
    if spoken == ONE:
        _without_what_is_new(statement)
    elif spoken == TWO:
        _all_in_utc(statement)
    return statement


def accepted_languages(header: str) -> list[str]:
    """Language ranges of Accept-Language, the most wanted first (RFC 9110, 12.5.4); those of weight 0 left out."""
    found: list[tuple[float, str]] = []
    for part in header.split(","):
        name, _, rest = part.partition(";")
        weight = 1.0
        if rest.strip().lower().startswith("q="):
            try:
                weight = float(rest.strip()[2:])
            except ValueError:
                weight = 0.0
        if name.strip() and 0 < weight <= 1:
            found.append((-weight, name.strip().lower()))
    # Sorting is stable: of equal weights the first one named comes first.
    return [_ANY if name == "*" else name for _, name in sorted(found, key=lambda one: one[0])]


def one_of(texts: dict[str, str], languages: list[str]) -> dict[str, str]:
    """A language map with one text: what is wanted most, else what stands first (RFC 4647, 3.4, with 3.3.1)."""
    if len(texts) < 2:
        return texts
    known = {tag.lower(): tag for tag in texts}
    for wanted in languages:
        if wanted == _ANY:
            break
        prefix = wanted
        while prefix:
            found = known.get(prefix) or next((known[tag] for tag in known if tag.startswith(f"{prefix}-")), None)
            if found is not None:
                return {found: texts[found]}
            prefix = prefix.rpartition("-")[0]
    first = known.get("und") or next(iter(texts))
    return {first: texts[first]}


def _only_ids(statement: dict[str, Any]) -> None:
    for holder, name in slots(statement):
        holder[name] = _agent_id(holder[name])
    for verb in _verbs(statement):
        verb.pop("display", None)
    for holder, name in _activities(statement):
        holder[name] = {"id": holder[name]["id"]}


def _agent_id(agent: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: agent[name] for name in ("objectType", *_IDENTIFIERS) if name in agent}
    if "member" in agent and len(found) < 2:
        # An anonymous group is who its members are.
        found["member"] = [_agent_id(one) for one in agent["member"]]
    return found


def _one_language(statement: dict[str, Any], languages: list[str]) -> None:
    for verb in _verbs(statement):
        if "display" in verb:
            verb["display"] = one_of(verb["display"], languages)
    for holder, name in _activities(statement):
        definition = holder[name].get("definition", {})
        for text in ("name", "description"):
            if text in definition:
                definition[text] = one_of(definition[text], languages)
        for components in _COMPONENTS:
            for one in definition.get(components, ()):
                if "description" in one:
                    one["description"] = one_of(one["description"], languages)


def _verbs(statement: dict[str, Any]) -> list[dict[str, Any]]:
    inner = statement["object"]
    return [statement["verb"], *(_verbs(inner) if inner.get("objectType") == "SubStatement" else ())]


def _activities(statement: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Each place of an activity: what holds it, and under which name or number."""
    found: list[tuple[Any, Any]] = []
    target = statement["object"]
    if target.get("objectType", "Activity") == "Activity":
        found.append((statement, "object"))
    elif target["objectType"] == "SubStatement":
        found.extend(_activities(target))
    context_activities = statement.get("context", {}).get("contextActivities", {})
    for name, value in context_activities.items():
        if isinstance(value, list):
            found.extend((value, number) for number in range(len(value)))
        else:
            found.append((context_activities, name))
    return found


def _without_what_is_new(statement: dict[str, Any]) -> None:
    if context := statement.get("context"):
        for name in _ONLY_2:
            context.pop(name, None)
        if not context:
            del statement["context"]
    if statement["object"].get("objectType") == "SubStatement":
        _without_what_is_new(statement["object"])


def _all_in_utc(statement: dict[str, Any]) -> None:
    for one in (statement, statement["object"]):
        told = one.get("timestamp")
        if isinstance(told, str) and not in_utc(told):
            try:
                one["timestamp"] = format_microseconds(microseconds(told))
            except TimestampError:
                continue  # of a sub-statement, beyond what the store's columns hold
