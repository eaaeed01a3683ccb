"""The registry's tables (SQLAlchemy Core), each table and column described where it stands.

Times are integers, µs since the epoch, UTC: SQLite and PostgreSQL then agree to the digit.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from schemas.registry.base import metadata

providers = Table(
    "providers",
    metadata,
    Column("provider_id", String(64), primary_key=True, comment="short id, lower case, as in provider-a"),
    Column("name", Text, nullable=False, comment="name shown on pages"),
    Column("disabled", Boolean, nullable=False, server_default=false(), comment="no credential of it is accepted"),
    Column("created_at", BigInteger, nullable=False, comment="when it was added"),
    Column(
        "mode",
        String(16),
        nullable=False,
        server_default="strict",
        comment="strict: what breaks a rule is refused; quarantine: it is kept aside with its reasons",
    ),
    Column("rate_per_second", Integer, comment="statements a second, averaged; empty: the setting's"),
    Column("daily_quota", Integer, comment="statements a day (UTC); empty: no quota"),
    comment="Content providers.",
)

provider_credentials = Table(
    "provider_credentials",
    metadata,
    Column("key", String(64), primary_key=True, comment="user name of HTTP Basic authentication"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, index=True, comment="whose it is"),
    Column("secret_hash", Text, nullable=False, comment="argon2id hash of the secret"),
    Column("disabled", Boolean, nullable=False, server_default=false(), comment="no longer accepted"),
    Column("created_at", BigInteger, nullable=False, comment="when it was issued"),
    Column("label", Text, nullable=False, server_default="", comment="what it is for, in words"),
    Column(
        "scopes",
        Text,
        nullable=False,
        server_default="statements/write statements/read/mine state profile",
        comment="what it may do (xAPI 1.0.3 part 3, 4.2), separated by spaces",
    ),
    Column("sandbox", Boolean, nullable=False, server_default=false(), comment="what it sends reaches no student"),
    Column("expires_at", BigInteger, comment="no longer accepted from then on; empty: never"),
    comment="Credentials of providers; secrets are kept as hashes alone.",
)

token_issuers = Table(
    "token_issuers",
    metadata,
    Column("issuer", String(512), primary_key=True, comment="iss of its tokens"),
    Column("audience", String(512), nullable=False, comment="aud that its tokens must name"),
    Column("jwks_url", Text, comment="where its keys are read; empty: the keys stand in jwks"),
    Column("jwks", Text, comment="its keys as a JWK set (RFC 7517); empty: read from jwks_url"),
    Column("created_at", BigInteger, nullable=False, comment="when it was added"),
    CheckConstraint("(jwks_url IS NULL) <> (jwks IS NULL)", name="keys_known"),
    comment="OAuth 2 authorization servers whose bearer tokens are accepted (RFC 9068).",
)

token_clients = Table(
    "token_clients",
    metadata,
    Column("issuer", ForeignKey("token_issuers.issuer"), primary_key=True, comment="issuer"),
    Column("client_id", String(256), primary_key=True, comment="client_id, azp or sub of its tokens"),
    Column("provider_id", ForeignKey("providers.provider_id"), nullable=False, index=True, comment="whose it is"),
    Column("scopes", Text, nullable=False, comment="most that its tokens may do, whatever they claim"),
    Column("disabled", Boolean, nullable=False, server_default=false(), comment="no longer accepted"),
    Column("created_at", BigInteger, nullable=False, comment="when it was added"),
    comment="Which provider a bearer token speaks for.",
)

provider_verbs = Table(
    "provider_verbs",
    metadata,
    Column("provider_id", ForeignKey("providers.provider_id"), primary_key=True, comment="provider"),
    Column("verb_iri", String(512), primary_key=True, comment="verb.id as the provider sends it"),
    Column("verb", String(32), nullable=False, comment="canonical verb it means (schemas.verbs)"),
    comment="Verbs of providers, mapped to ours.",
)

schools = Table(
    "schools",
    metadata,
    Column("school_id", String(64), primary_key=True, comment="opaque id"),
    Column("name", Text, nullable=False, comment="name"),
    Column("lowest_grade", Integer, nullable=False, comment="lowest grade taught"),
    Column("highest_grade", Integer, nullable=False, comment="highest grade taught"),
    comment="Schools of the district.",
)

students = Table(
    "students",
    metadata,
    Column("student_id", String(36), primary_key=True, comment="random UUID, derived from nothing"),
    Column("given_name", Text, comment="empty until linked to the roster"),
    Column("family_name", Text, comment="empty until linked to the roster"),
    Column("grade", Integer, comment="0 (kindergarten) to 12"),
    Column("school_id", ForeignKey("schools.school_id"), index=True, comment="school"),
    Column("linked", Boolean, nullable=False, comment="known to the roster; else made for an unknown actor"),
    Column("created_at", BigInteger, nullable=False, comment="when it was added"),
    Column(
        "updated_at",
        BigInteger,
        nullable=False,
        index=True,
        comment="last change of roster fields or enrolment",
    ),
    comment="Students: the only place where a name stands beside a student id.",
)

identities = Table(
    "identities",
    metadata,
    Column("identity_id", String(22), primary_key=True, comment="random, derived from nothing"),
    Column("kind", String(16), nullable=False, comment="mbox, mbox_sha1sum, openid, account, or anonymous_group"),
    Column("value", Text, nullable=False, comment="the identifier; an account as homePage, a space, name"),
    Column(
        "student_id",
        ForeignKey("students.student_id"),
        index=True,
        comment="student; empty for groups and staff",
    ),
    Column("created_at", BigInteger, nullable=False, comment="when it was first seen or imported"),
    Column(
        "updated_at",
        BigInteger,
        nullable=False,
        server_default="0",
        index=True,
        comment="when its student last changed; 0: never. Ingest looks for what is newer",
    ),
    UniqueConstraint("kind", "value", name="uq_identities_kind_value"),
    CheckConstraint("kind IN ('mbox', 'mbox_sha1sum', 'openid', 'account', 'anonymous_group')", name="kind_known"),
    comment="Actor aliases: each identifier by which an agent or group is known (xAPI 1.0.3 part 2, 2.4.2.3).",
)

identity_links = Table(
    "identity_links",
    metadata,
    Column("link_id", String(36), primary_key=True, comment="random UUID; named as the cause by what it corrects"),
    Column("identity_id", ForeignKey("identities.identity_id"), nullable=False, index=True, comment="what was moved"),
    Column("from_student", ForeignKey("students.student_id"), comment="student before; empty: it had none"),
    Column("to_student", ForeignKey("students.student_id"), nullable=False, comment="student from then on"),
    Column("at", BigInteger, nullable=False, index=True, comment="when it was moved"),
    Column("decided_by", Text, nullable=False, comment="who decided it"),
    Column("reason", Text, nullable=False, comment="why, in words"),
    Column(
        "takes_back",
        ForeignKey("identity_links.link_id"),
        unique=True,
        comment="the link that this one undoes; empty for a link of its own",
    ),
    comment="History of the identities that were moved to another student; what they did moves with them.",
)

agents = Table(
    "agents",
    metadata,
    Column("agent_key", String(40), primary_key=True, comment="identity id, a point, number of the variant"),
    Column("identity_id", ForeignKey("identities.identity_id"), nullable=False, index=True, comment="whose it is"),
    Column("digest", String(32), nullable=False, unique=True, comment="BLAKE2b-128 of the exact JSON, hex"),
    Column("json", Text, nullable=False, comment="the agent or group as it was sent, members swapped for keys"),
    Index(
        "ix_agents_groups",
        "agent_key",
        # Groups are few among many agents: whose member somebody is must not be looked for in all of them.
        sqlite_where=text("""json LIKE '%"member":[%'"""),
        postgresql_where=text("""json LIKE '%"member":[%'"""),
    ),
    comment="What was swapped for a key at the door, to be put back on reading, value for value.",
)

sections = Table(
    "sections",
    metadata,
    Column("section_id", String(64), primary_key=True, comment="opaque id"),
    Column("school_id", ForeignKey("schools.school_id"), nullable=False, index=True, comment="school"),
    Column("name", Text, nullable=False, comment="as in Math 7, period 2"),
    Column("subject", String(32), nullable=False, comment="subject"),
    Column("grade", Integer, nullable=False, comment="grade"),
    comment="Classes as they are taught.",
)

enrollments = Table(
    "enrollments",
    metadata,
    Column("section_id", ForeignKey("sections.section_id"), primary_key=True, comment="section"),
    Column("student_id", ForeignKey("students.student_id"), primary_key=True, index=True, comment="student"),
    comment="Who sits in which section.",
)

staff = Table(
    "staff",
    metadata,
    Column("staff_id", String(36), primary_key=True, comment="random UUID"),
    Column("name", Text, nullable=False, comment="name"),
    Column("email", Text, nullable=False, unique=True, comment="address used at sign-in"),
    Column("role", String(16), nullable=False, comment="counselor, teacher, leader, operator or provider"),
    CheckConstraint("role IN ('counselor', 'teacher', 'leader', 'operator', 'provider')", name="role_known"),
    comment="People who use the pages.",
)

staff_scopes = Table(
    "staff_scopes",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True, comment="who"),
    Column("kind", String(16), primary_key=True, comment="district, school, grade, section, caseload or provider"),
    Column(
        "value",
        String(80),
        primary_key=True,
        comment="school id; school id/grade; section id; student id; provider id; * for the district",
    ),
    CheckConstraint("kind IN ('district', 'school', 'grade', 'section', 'caseload', 'provider')", name="kind_known"),
    comment="What each may see. A scope is a permission; a filter on a page never is.",
)

skills = Table(
    "skills",
    metadata,
    Column("skill_id", String(128), primary_key=True, comment="human code or CASE CFItem identifier"),
    Column("name", Text, nullable=False, comment="what it is, in words"),
    Column("domain", Text, nullable=False, comment="domain it belongs to"),
    Column("subject", String(32), nullable=False, comment="subject"),
    Column("grade", Integer, comment="grade it is expected in"),
    comment="The catalogue of skills.",
)

alignments = Table(
    "alignments",
    metadata,
    Column("provider_id", String(64), primary_key=True, comment="provider; empty: of any provider"),
    Column("activity_id", String(512), primary_key=True, comment="activity IRI"),
    Column(
        "skill_id",
        ForeignKey("skills.skill_id"),
        primary_key=True,
        index=True,
        comment="skill it is evidence of",
    ),
    comment="Which activity is evidence of which skills.",
)

prerequisites = Table(
    "prerequisites",
    metadata,
    Column("skill_id", ForeignKey("skills.skill_id"), primary_key=True, comment="skill"),
    Column(
        "requires_id",
        ForeignKey("skills.skill_id"),
        primary_key=True,
        index=True,
        comment="skill it builds on",
    ),
    comment="Edges of the prerequisite graph; acyclic.",
)

calendar = Table(
    "calendar",
    metadata,
    Column("school_id", String(64), primary_key=True, comment="school; empty: the whole district"),
    Column("day", Date, primary_key=True, comment="day"),
    Column("in_session", Boolean, nullable=False, comment="whether school is held"),
    Column("label", Text, nullable=False, server_default="", comment="holiday's name, or why"),
    comment="School days. A school's own row wins over the district's; a day without a row is no school day.",
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("version", Integer, primary_key=True, comment="1, 2, …; 0 is the built-in prior and has no row"),
    Column("active", Boolean, nullable=False, comment="the one that streams run under; at most one row"),
    Column("created_at", BigInteger, nullable=False, comment="when it was fitted"),
    Column("attempts", Integer, nullable=False, comment="attempts it was fitted on"),
    Column("seed", Integer, nullable=False, server_default="0", comment="seed of the fit"),
    Column("fingerprint", String(64), nullable=False, server_default="", comment="of the attempts, hex"),
    Column("metrics", Text, nullable=False, server_default="{}", comment="JSON: by fold, by skill, by group"),
    Column(
        "activation",
        Integer,
        nullable=False,
        server_default="0",
        comment="number of the last switch to it, 1, 2, … over all versions; 0: never used",
    ),
    Column(
        "switching",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="active, and not all states are folded under it yet",
    ),
    Column("parameters", Text, nullable=False, comment="JSON: difficulties of items and skills, logits"),
    Index(
        "uq_calibrations_active",
        "active",
        unique=True,
        sqlite_where=text("active"),
        postgresql_where=text("active"),
    ),
    comment="Versions of what is fitted apart from the stream.",
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(64), primary_key=True, comment="who looks: voids, copies"),
    Column("until", BigInteger, nullable=False, comment="everything stored before was looked at"),
    comment="How far those are that look through the statements on the clock; the next worker goes on there.",
)
