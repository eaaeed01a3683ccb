"""The few fields of a statement's JSON that the rows need; msgspec skips the others without building them.

Agents stand as keys, swapped at the door: an actor, and an object that is an agent or group, is a string.
"""

from __future__ import annotations

import msgspec


class Verb(msgspec.Struct, gc=False):
    """verb"""

    id: str


class Target(msgspec.Struct, gc=False):
    """object: an activity or a statement reference; a sub-statement has no id."""

    id: str = ""


class Score(msgspec.Struct, gc=False):
    """result.score"""

    scaled: float | None = None
    raw: float | None = None
    min: float | None = None
    max: float | None = None


class Result(msgspec.Struct, gc=False):
    """result"""

    success: bool | None = None
    score: Score | None = None
    duration: str | None = None


class Context(msgspec.Struct, gc=False):
    """context"""

    registration: str | None = None


class Document(msgspec.Struct, gc=False):
    """A statement."""

    actor: str
    verb: Verb
    object: Target | str
    result: Result | None = None
    context: Context | None = None

    @property
    def activity(self) -> str:
        """Id of the object: of an activity or statement, the key of an agent, empty for a sub-statement."""
        return self.object if isinstance(self.object, str) else self.object.id


decode = msgspec.json.Decoder(Document).decode
"""Document of JSON bytes; raises msgspec.DecodeError (ValidationError among them)."""
