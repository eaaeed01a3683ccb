"""what a whole learning record store keeps: documents, quarantine, tokens, sandbox, forwards, imports"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forwards",
        sa.Column("name", sa.String(length=64), nullable=False, comment="short name"),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="URL of the other LRS, without /statements"),
        sa.Column("key", sa.Text(), nullable=False, comment="user name at the other LRS"),
        sa.Column("secret_variable", sa.Text(), nullable=False, comment="environment variable that holds the secret"),
        sa.Column("version", sa.String(length=8), nullable=False, comment="version of xAPI to speak"),
        sa.Column("filter", sa.Text(), nullable=False, comment="JSON: providers, verbs, activities; empty lists: all"),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False, comment="nothing is sent"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was made"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_forwards")),
        comment="Other LRSs that get a part of the stream.",
    )
    op.create_table(
        "reservations",
        sa.Column("statement_id", sa.LargeBinary(length=16), nullable=False, comment="bytes of the UUID"),
        sa.Column("digest", sa.BigInteger(), nullable=False, comment="of the content that took the id first"),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="it can be read from the store by then"),
        sa.PrimaryKeyConstraint("statement_id", name=op.f("pk_reservations")),
        comment="Ids that ingest processes have taken lately: of two that take one id at once, one is first.",
    )
    with op.batch_alter_table("reservations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reservations_until"), ["until"], unique=False)

    op.create_table(
        "token_issuers",
        sa.Column("issuer", sa.String(length=512), nullable=False, comment="iss of its tokens"),
        sa.Column("audience", sa.String(length=512), nullable=False, comment="aud that its tokens must name"),
        sa.Column(
            "jwks_url", sa.Text(), nullable=True, comment="where its keys are read; empty: the keys stand in jwks"
        ),
        sa.Column(
            "jwks", sa.Text(), nullable=True, comment="its keys as a JWK set (RFC 7517); empty: read from jwks_url"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was added"),
        sa.CheckConstraint("(jwks_url IS NULL) <> (jwks IS NULL)", name=op.f("ck_token_issuers_keys_known")),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_token_issuers")),
        comment="OAuth 2 authorization servers whose bearer tokens are accepted (RFC 9068).",
    )
    op.create_table(
        "documents",
        sa.Column(
            "document_key", sa.String(length=32), nullable=False, comment="BLAKE2b-128 of all that names it, hex"
        ),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="state, agent_profile or activity_profile"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="whose it is"),
        sa.Column("sandbox", sa.Boolean(), nullable=False, comment="of sandbox credentials"),
        sa.Column(
            "activity_id", sa.String(length=2048), nullable=False, comment="activity IRI; empty for agent profiles"
        ),
        sa.Column("identity_id", sa.String(length=22), nullable=False, comment="agent; empty for activity profiles"),
        sa.Column(
            "registration", sa.String(length=36), nullable=False, comment="registration; empty where there is none"
        ),
        sa.Column("name", sa.String(length=2048), nullable=False, comment="stateId or profileId"),
        sa.Column("content_type", sa.Text(), nullable=False, comment="as it was sent"),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="its bytes"),
        sa.Column("etag", sa.String(length=40), nullable=False, comment="SHA-1 of the content, hex"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="when it was last written"),
        sa.CheckConstraint(
            "kind IN ('state', 'agent_profile', 'activity_profile')", name=op.f("ck_documents_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_documents_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("document_key", name=op.f("pk_documents")),
        comment="Documents of the state, agent profile and activity profile resources (xAPI 1.0.3 part 3, 2.2 to 2.7).",
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_documents_owner", ["kind", "provider_id", "sandbox", "identity_id", "activity_id"], unique=False
        )

    op.create_table(
        "forward_failures",
        sa.Column("name", sa.String(length=64), nullable=False, comment="which forward"),
        sa.Column("statement_id", sa.String(length=36), nullable=False, comment="what was not taken"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was given up"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often it was tried"),
        sa.Column("status", sa.Integer(), nullable=False, comment="last HTTP status; 0: no answer"),
        sa.Column("message", sa.Text(), nullable=False, comment="what the other LRS said, shortened"),
        sa.ForeignKeyConstraint(["name"], ["forwards.name"], name=op.f("fk_forward_failures_name_forwards")),
        sa.PrimaryKeyConstraint("name", "statement_id", name=op.f("pk_forward_failures")),
        comment="Dead letters of forwarding: refused for good by the other LRS, or tried too often.",
    )
    op.create_table(
        "quarantined",
        sa.Column(
            "item_id",
            sa.String(length=36),
            nullable=False,
            comment="UUID, the statement's id where it came without one; of one with an id: of provider and content",
        ),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="who sent it"),
        sa.Column("credential", sa.String(length=64), nullable=False, comment="key of the credential that sent it"),
        sa.Column("request_id", sa.String(length=64), nullable=False, comment="id of the request"),
        sa.Column("idx", sa.Integer(), nullable=False, comment="index in its batch"),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="when it came"),
        sa.Column("version", sa.String(length=8), nullable=False, comment="version of xAPI that was spoken"),
        sa.Column(
            "statement",
            sa.Text(),
            nullable=False,
            comment="as it was sent, names and all: it never leaves the registry",
        ),
        sa.Column(
            "faults", sa.Text(), nullable=False, comment="JSON: what is wrong with it (ingest.xapi.faults.Fault)"
        ),
        sa.Column("repaired", sa.Text(), nullable=True, comment="the statement as it was sent on; empty: not repaired"),
        sa.Column(
            "status",
            sa.String(length=16),
            server_default="waiting",
            nullable=False,
            comment="waiting, replayed (its repaired form was accepted) or discarded",
        ),
        sa.Column("decided_at", sa.BigInteger(), nullable=True, comment="when it was replayed or discarded"),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="who did it, or the rule"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was discarded, or what was repaired"),
        sa.CheckConstraint("status IN ('waiting', 'replayed', 'discarded')", name=op.f("ck_quarantined_status_known")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_quarantined_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_quarantined")),
        comment="Statements that broke a rule, of providers in quarantine: kept until they are repaired or discarded.",
    )
    with op.batch_alter_table("quarantined", schema=None) as batch_op:
        batch_op.create_index("ix_quarantined_provider_id", ["provider_id", "status", "received_at"], unique=False)
        batch_op.create_index(
            "ix_quarantined_ready",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("repaired IS NOT NULL AND status = 'waiting'"),
            postgresql_where=sa.text("repaired IS NOT NULL AND status = 'waiting'"),
        )

    op.create_table(
        "provider_changes",
        sa.Column("change_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="whose"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was changed"),
        sa.Column("changed_by", sa.Text(), nullable=False, comment="who changed it"),
        sa.Column("what", sa.Text(), nullable=False, comment="what was changed, in words; no secret"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_provider_changes_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_provider_changes")),
        comment="Who changed credentials, mode, limits, rules and mappings of a provider.",
    )
    with op.batch_alter_table("provider_changes", schema=None) as batch_op:
        batch_op.create_index("ix_provider_changes_provider_id", ["provider_id", "at"], unique=False)

    op.create_table(
        "repairs",
        sa.Column("repair_id", sa.String(length=36), nullable=False, comment="random UUID"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="whose statements"),
        sa.Column("path", sa.Text(), nullable=False, comment="JSON path, * for any index: $.actor.objectType"),
        sa.Column("action", sa.String(length=16), nullable=False, comment="set, replace or remove"),
        sa.Column("found", sa.Text(), nullable=True, comment="JSON value that replace looks for"),
        sa.Column("value", sa.Text(), nullable=True, comment="JSON value that set and replace put there"),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False, comment="no longer applied"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was made"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="who made it"),
        sa.Column(
            "mended",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="statements that it helped to mend",
        ),
        sa.Column("mended_at", sa.BigInteger(), nullable=True, comment="when it last did; empty: never"),
        sa.CheckConstraint("action IN ('set', 'replace', 'remove')", name=op.f("ck_repairs_action_known")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_repairs_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("repair_id", name=op.f("pk_repairs")),
        comment="Rules that mend what a provider in quarantine sends wrong.",
    )
    with op.batch_alter_table("repairs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_repairs_provider_id"), ["provider_id"], unique=False)

    op.create_table(
        "sandboxed",
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="who sent it"),
        sa.Column("statement_id", sa.String(length=36), nullable=False, comment="lower-case UUID"),
        sa.Column("stored", sa.BigInteger(), nullable=False, comment="when it was accepted"),
        sa.Column("digest", sa.BigInteger(), nullable=False, comment="as in the envelopes"),
        sa.Column("statement", sa.Text(), nullable=False, comment="the statement as JSON, as it is read back"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_sandboxed_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("provider_id", "statement_id", name=op.f("pk_sandboxed")),
        comment="What sandbox credentials sent: valid statements that reach no log, no student and no count.",
    )
    with op.batch_alter_table("sandboxed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sandboxed_stored"), ["stored"], unique=False)

    op.create_table(
        "statement_imports",
        sa.Column("source", sa.String(length=512), nullable=False, comment="path or URL it is read from"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="in whose name"),
        sa.Column("position", sa.Text(), nullable=False, comment="byte of the file, or the more link, to go on from"),
        sa.Column("accepted", sa.BigInteger(), nullable=False, comment="statements accepted so far"),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="statements refused so far"),
        sa.Column("finished", sa.Boolean(), nullable=False, comment="whether all was read"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False, comment="when it last went on"),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_statement_imports_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_statement_imports")),
        comment="Dumps of other LRSs that are being imported, and how far.",
    )
    op.create_table(
        "token_clients",
        sa.Column("issuer", sa.String(length=512), nullable=False, comment="issuer"),
        sa.Column("client_id", sa.String(length=256), nullable=False, comment="client_id, azp or sub of its tokens"),
        sa.Column("provider_id", sa.String(length=64), nullable=False, comment="whose it is"),
        sa.Column("scopes", sa.Text(), nullable=False, comment="most that its tokens may do, whatever they claim"),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False, comment="no longer accepted"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="when it was added"),
        sa.ForeignKeyConstraint(
            ["issuer"], ["token_issuers.issuer"], name=op.f("fk_token_clients_issuer_token_issuers")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_token_clients_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("issuer", "client_id", name=op.f("pk_token_clients")),
        comment="Which provider a bearer token speaks for.",
    )
    with op.batch_alter_table("token_clients", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_clients_provider_id"), ["provider_id"], unique=False)

    with op.batch_alter_table("provider_credentials", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("label", sa.Text(), server_default="", nullable=False, comment="what it is for, in words")
        )
        batch_op.add_column(
            sa.Column(
                "scopes",
                sa.Text(),
                server_default="statements/write statements/read/mine state profile",
                nullable=False,
                comment="what it may do (xAPI 1.0.3 part 3, 4.2), separated by spaces",
            )
        )
        batch_op.add_column(
            sa.Column(
                "sandbox",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="what it sends reaches no student",
            )
        )
        batch_op.add_column(
            sa.Column(
                "expires_at", sa.BigInteger(), nullable=True, comment="no longer accepted from then on; empty: never"
            )
        )

    with op.batch_alter_table("providers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "mode",
                sa.String(length=16),
                server_default="strict",
                nullable=False,
                comment="strict: what breaks a rule is refused; quarantine: it is kept aside with its reasons",
            )
        )
        batch_op.add_column(
            sa.Column(
                "rate_per_second",
                sa.Integer(),
                nullable=True,
                comment="statements a second, averaged; empty: the setting's",
            )
        )
        batch_op.add_column(
            sa.Column("daily_quota", sa.Integer(), nullable=True, comment="statements a day (UTC); empty: no quota")
        )

    groups = sa.text("""json LIKE '%"member":[%'""")
    op.create_index("ix_agents_groups", "agents", ["agent_key"], sqlite_where=groups, postgresql_where=groups)


def downgrade() -> None:
    op.drop_index("ix_agents_groups", "agents")
    with op.batch_alter_table("providers", schema=None) as batch_op:
        batch_op.drop_column("daily_quota")
        batch_op.drop_column("rate_per_second")
        batch_op.drop_column("mode")

    with op.batch_alter_table("provider_credentials", schema=None) as batch_op:
        batch_op.drop_column("expires_at")
        batch_op.drop_column("sandbox")
        batch_op.drop_column("scopes")
        batch_op.drop_column("label")

    with op.batch_alter_table("token_clients", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_clients_provider_id"))

    op.drop_table("token_clients")
    op.drop_table("statement_imports")
    with op.batch_alter_table("sandboxed", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sandboxed_stored"))

    op.drop_table("sandboxed")
    with op.batch_alter_table("provider_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_provider_changes_provider_id")

    op.drop_table("provider_changes")
    with op.batch_alter_table("repairs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_repairs_provider_id"))

    op.drop_table("repairs")
    with op.batch_alter_table("quarantined", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_quarantined_ready",
            sqlite_where=sa.text("repaired IS NOT NULL AND status = 'waiting'"),
            postgresql_where=sa.text("repaired IS NOT NULL AND status = 'waiting'"),
        )
        batch_op.drop_index("ix_quarantined_provider_id")

    op.drop_table("quarantined")
    op.drop_table("forward_failures")
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.drop_index("ix_documents_owner")

    op.drop_table("documents")
    op.drop_table("token_issuers")
    with op.batch_alter_table("reservations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reservations_until"))

    op.drop_table("reservations")
    op.drop_table("forwards")
