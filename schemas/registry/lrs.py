"""The registry's tables of the learning record store: documents, quarantine, sandbox, forwards and imports.

As in tables: times are integers, µs since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from schemas.registry.base import metadata

quarantined = Table(
    "quarantined",
    metadata,
    Column(
        "item_id",
        String(36),
        primary_key=True,
        comment="UUID, the statement's id where it came without one; of one with an id: of provider and content",
    ),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, comment="who sent it"),
    Column("credential", String(64), nullable=False, comment="key of the credential that sent it"),
    Column("request_id", String(64), nullable=False, comment="id of the request"),
    Column("idx", Integer, nullable=False, comment="index in its batch"),
    Column("received_at", BigInteger, nullable=False, comment="when it came"),
    Column("version", String(8), nullable=False, comment="version of xAPI that was spoken"),
    Column("statement", Text, nullable=False, comment="as it was sent, names and all: it never leaves the registry"),
    Column("faults", Text, nullable=False, comment="JSON: what is wrong with it (ingest.xapi.faults.Fault)"),
    Column("repaired", Text, comment="the statement as it was sent on; empty: not repaired"),
    Column(
        "status",
        String(16),
        nullable=False,
        server_default="waiting",
        comment="waiting, replayed (its repaired form was accepted) or discarded",
    ),
    Column("decided_at", BigInteger, comment="when it was replayed or discarded"),
    Column("decided_by", Text, comment="who did it, or the rule"),
    Column("reason", Text, comment="why it was discarded, or what was repaired"),
    Index("ix_quarantined_provider_id", "provider_id", "status", "received_at"),
    Index(
        "ix_quarantined_ready",
        "received_at",
        sqlite_where=text("repaired IS NOT NULL AND status = 'waiting'"),
        postgresql_where=text("repaired IS NOT NULL AND status = 'waiting'"),
    ),
    CheckConstraint("status IN ('waiting', 'replayed', 'discarded')", name="status_known"),
    comment="Statements that broke a rule, of providers in quarantine: kept until they are repaired or discarded.",
)

repairs = Table(
    "repairs",
    metadata,
    Column("repair_id", String(36), primary_key=True, comment="random UUID"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, index=True, comment="whose statements"),
    Column("path", Text, nullable=False, comment="JSON path, * for any index: $.actor.objectType"),
    Column("action", String(16), nullable=False, comment="set, replace or remove"),
    Column("found", Text, comment="JSON value that replace looks for"),
    Column("value", Text, comment="JSON value that set and replace put there"),
    Column("disabled", Boolean, nullable=False, server_default=false(), comment="no longer applied"),
    Column("created_at", BigInteger, nullable=False, comment="when it was made"),
    Column("created_by", Text, nullable=False, comment="who made it"),
    Column("mended", BigInteger, nullable=False, server_default="0", comment="statements that it helped to mend"),
    Column("mended_at", BigInteger, comment="when it last did; empty: never"),
    CheckConstraint("action IN ('set', 'replace', 'remove')", name="action_known"),
    comment="Rules that mend what a provider in quarantine sends wrong.",
)

provider_changes = Table(
    "provider_changes",
    metadata,
    Column("change_id", String(36), primary_key=True, comment="random UUID"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, comment="whose"),
    Column("at", BigInteger, nullable=False, comment="when it was changed"),
    Column("changed_by", Text, nullable=False, comment="who changed it"),
    Column("what", Text, nullable=False, comment="what was changed, in words; no secret"),
    Index("ix_provider_changes_provider_id", "provider_id", "at"),
    comment="Who changed credentials, mode, limits, rules and mappings of a provider.",
)

documents = Table(
    "documents",
    metadata,
    Column("document_key", String(32), primary_key=True, comment="BLAKE2b-128 of all that names it, hex"),
    Column("kind", String(16), nullable=False, comment="state, agent_profile or activity_profile"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, comment="whose it is"),
    Column("sandbox", Boolean, nullable=False, comment="of sandbox credentials"),
    Column("activity_id", String(2048), nullable=False, comment="activity IRI; empty for agent profiles"),
    Column("identity_id", String(22), nullable=False, comment="agent; empty for activity profiles"),
    Column("registration", String(36), nullable=False, comment="registration; empty where there is none"),
    Column("name", String(2048), nullable=False, comment="stateId or profileId"),
    Column("content_type", Text, nullable=False, comment="as it was sent"),
    Column("content", LargeBinary, nullable=False, comment="its bytes"),
    Column("etag", String(40), nullable=False, comment="SHA-1 of the content, hex"),
    Column("updated_at", BigInteger, nullable=False, comment="when it was last written"),
    Index("ix_documents_owner", "kind", "provider_id", "sandbox", "identity_id", "activity_id"),
    CheckConstraint("kind IN ('state', 'agent_profile', 'activity_profile')", name="kind_known"),
    comment="Documents of the state, agent profile and activity profile resources (xAPI 1.0.3 part 3, 2.2 to 2.7).",
)

sandboxed = Table(
    "sandboxed",
    metadata,
    Column("provider_id", ForeignKey("providers.provider_id"), primary_key=True, comment="who sent it"),
    Column("statement_id", String(36), primary_key=True, comment="lower-case UUID"),
    Column("stored", BigInteger, nullable=False, index=True, comment="when it was accepted"),
    Column("digest", BigInteger, nullable=False, comment="as in the envelopes"),
    Column("statement", Text, nullable=False, comment="the statement as JSON, as it is read back"),
    comment="What sandbox credentials sent: valid statements that reach no log, no student and no count.",
)

reservations = Table(
    "reservations",
    metadata,
    Column("statement_id", LargeBinary(16), primary_key=True, comment="bytes of the UUID"),
    Column("digest", BigInteger, nullable=False, comment="of the content that took the id first"),
    Column("until", BigInteger, nullable=False, index=True, comment="it can be read from the store by then"),
    comment="Ids that ingest processes have taken lately: of two that take one id at once, one is first.",
)

forwards = Table(
    "forwards",
    metadata,
    Column("name", String(64), primary_key=True, comment="short name"),
    Column("endpoint", Text, nullable=False, comment="URL of the other LRS, without /statements"),
    Column("key", Text, nullable=False, comment="user name at the other LRS"),
    Column("secret_variable", Text, nullable=False, comment="environment variable that holds the secret"),
    Column("version", String(8), nullable=False, comment="version of xAPI to speak"),
    Column("filter", Text, nullable=False, comment="JSON: providers, verbs, activities; empty lists: all"),
    Column("disabled", Boolean, nullable=False, server_default=false(), comment="nothing is sent"),
    Column("created_at", BigInteger, nullable=False, comment="when it was made"),
    comment="Other LRSs that get a part of the stream.",
)

forward_failures = Table(
    "forward_failures",
    metadata,
    Column("name", ForeignKey("forwards.name"), primary_key=True, comment="which forward"),
    Column("statement_id", String(36), primary_key=True, comment="what was not taken"),
    Column("at", BigInteger, nullable=False, comment="when it was given up"),
    Column("attempts", Integer, nullable=False, comment="how often it was tried"),
    Column("status", Integer, nullable=False, comment="last HTTP status; 0: no answer"),
    Column("message", Text, nullable=False, comment="what the other LRS said, shortened"),
    comment="Dead letters of forwarding: refused for good by the other LRS, or tried too often.",
)

statement_imports = Table(
    "statement_imports",
    metadata,
    Column("source", String(512), primary_key=True, comment="path or URL it is read from"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, comment="in whose name"),
    Column("position", Text, nullable=False, comment="byte of the file, or the more link, to go on from"),
    Column("accepted", BigInteger, nullable=False, comment="statements accepted so far"),
    Column("refused", BigInteger, nullable=False, comment="statements refused so far"),
    Column("finished", Boolean, nullable=False, comment="whether all was read"),
    Column("updated_at", BigInteger, nullable=False, comment="when it last went on"),
    comment="Dumps of other LRSs that are being imported, and how far.",
)

said_rows = Table(
    "said_rows",
    metadata,
    Column("slot", String(32), primary_key=True, comment="hash of provider, kind and what the row is about"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, index=True, comment="in whose name"),
    Column("kind", String(16), nullable=False, comment="attendance, behavior or marks"),
    Column("statement_id", String(36), comment="statement that says so; empty: nothing is said any more"),
    Column("digest", String(32), nullable=False, comment="BLAKE2b-128 of what was said, hex"),
    Column("revision", Integer, nullable=False, comment="0, 1, …: how often it was corrected"),
    Column("voids", Text, nullable=False, server_default="", comment="statements before it that are to be voided"),
    Column("accepted", Boolean, nullable=False, comment="the door has taken it, and the voiding of those before"),
    Column("updated_at", BigInteger, nullable=False, comment="last change"),
    comment="What imported rows of a student information system said last, so that a correction voids.",
)
