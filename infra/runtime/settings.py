"""One typed tree of settings: built once in a command's main, passed down, never read at import.

Every field can be set by an environment variable: ``ROUNDTRIP_`` and the path of the field joined by
``__``, as in ``ROUNDTRIP_KAFKA__BOOTSTRAP_SERVERS``. ``docs/settings.md`` is generated from this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Section):
    """The broker. Without bootstrap servers the local stack starts one of its own."""

    bootstrap_servers: str = Field("", description="host:port, comma-separated; empty: the local stack starts a broker")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the broker"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, used with a SASL_ protocol"
    )
    sasl_username: str = Field("", description="SASL user")
    sasl_password: SecretStr = Field(SecretStr(""), description="SASL password")
    ssl_cafile: Path | None = Field(
        None, description="certificate authority that signed the broker's certificate (PEM)"
    )
    ssl_certfile: Path | None = Field(None, description="client certificate (PEM)")
    ssl_keyfile: Path | None = Field(None, description="key of the client certificate (PEM)")
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(
        64, description="partitions of the statements topic; fixed for a generation of the topic"
    )
    replication_factor: Annotated[int, Field(ge=1, le=10)] = Field(3, description="copies of each topic")
    generation: Annotated[int, Field(ge=1)] = Field(
        1, description="generation of the statements topic: offsets are comparable only within one"
    )
    statements_retention_hours: Annotated[int, Field(ge=1)] = Field(
        168, description="how long the log keeps statements"
    )
    session_timeout_seconds: Annotated[float, Field(ge=3, le=120)] = Field(
        10.0, description="a worker unheard of for so long loses its partitions"
    )
    schema_registry_url: str = Field(
        "", description="Confluent-compatible schema registry; empty: the ids in schemas/avro/ids.json"
    )


class ClickHouseSettings(_Section):
    """The analytics store. Without a host the local stack starts its stand-in."""

    host: str = Field("", description="ClickHouse host; empty: the local stack starts the chdb front")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8123, description="HTTP port")
    database: str = Field("roundtrip", description="database")
    username: str = Field("default", description="user")
    password: SecretStr = Field(SecretStr(""), description="password")
    secure: bool = Field(False, description="use HTTPS")
    connect_timeout_seconds: Annotated[float, Field(gt=0)] = Field(5.0, description="time to connect")
    query_timeout_seconds: Annotated[float, Field(gt=0)] = Field(60.0, description="time for one answer")
    cluster: str = Field("", description="cluster name: migrations then run ON CLUSTER")
    replicated: bool = Field(False, description="use the Replicated table engines and sequentially consistent reads")


class RegistrySettings(_Section):
    """The transactional store: providers, roster, identities, catalogue."""

    url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data directory")


class IngestSettings(_Section):
    """The learning record store's HTTP service."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, description="port to listen on")
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(8 * 1024 * 1024, description="largest request body, bytes")
    max_batch: Annotated[int, Field(ge=1)] = Field(1000, description="most statements in one POST")
    max_depth: Annotated[int, Field(ge=8, le=500)] = Field(64, description="deepest nesting of JSON in a statement")
    max_string: Annotated[int, Field(ge=1024)] = Field(
        1024 * 1024, description="longest string of a statement, characters"
    )
    max_parameters: Annotated[int, Field(ge=12)] = Field(32, description="most parameters of one query")
    max_document_bytes: Annotated[int, Field(ge=1024)] = Field(4 * 1024 * 1024, description="largest document, bytes")
    max_attachment_bytes: Annotated[int, Field(ge=0)] = Field(
        32 * 1024 * 1024, description="largest attachment inside a request, bytes; 0: none is taken"
    )
    max_multipart_bytes: Annotated[int, Field(ge=1024)] = Field(
        64 * 1024 * 1024, description="largest multipart request, bytes"
    )
    max_attachments: Annotated[int, Field(ge=0)] = Field(100, description="most attachments inside one request")
    attachment_types: list[str] = Field(
        [], description="media types of attachments that are taken, text/* for all of text; empty: all"
    )
    attachments_url: str = Field(
        "",
        description="where attachments are kept: file:///… or s3://bucket/prefix; empty: in the data directory",
    )
    request_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0, description="a request that is not there in full by then is answered 408"
    )
    cors_origins: list[str] = Field(
        [], description="origins whose pages may call xAPI from a browser, * for all; empty: none"
    )
    sandbox_statements: Annotated[int, Field(ge=0)] = Field(
        10_000, description="newest statements kept of the sandbox credentials of a provider"
    )
    quarantine_statements: Annotated[int, Field(ge=1)] = Field(
        100_000, description="most statements of a provider that wait in quarantine; beyond them faults are refused"
    )
    reservation_seconds: Annotated[float, Field(ge=60)] = Field(
        600.0, description="so long an id that was taken is told among ingest processes; the store knows it by then"
    )
    remembered_ids: Annotated[int, Field(ge=0)] = Field(
        20_000_000,
        description="stored ids remembered at the door, 3 bytes each; older ones are told by workers; 0: none",
    )
    credited_types: list[str] = Field(
        [],
        description="relevantTypes (IRIs) of context agents and groups that a statement is credited to, beside its "
        "actor; those that name no type always are",
    )
    rate_limit_per_second: Annotated[float, Field(ge=0)] = Field(
        0.0, description="statements a second and provider, averaged, in each ingest process; 0: no limit"
    )
    rate_limit_burst: Annotated[int, Field(ge=1)] = Field(10_000, description="statements a provider may send at once")
    publish_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        8.0, description="wait so long for Kafka's acknowledgement, then answer 503"
    )
    own_writes_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        1.0, description="a read waits so long for what the same credential was last told is kept"
    )
    max_pending_statements: Annotated[int, Field(ge=1000)] = Field(
        100_000, description="statements waiting for Kafka before new ones are answered 503"
    )
    live_listeners: Annotated[int, Field(ge=0)] = Field(
        100, description="most connections that listen to the live tail of one process; 0: nobody may"
    )
    live_heartbeat_seconds: Annotated[float, Field(gt=0)] = Field(
        15.0, description="a listener who gets nothing else gets a sign of life so often"
    )
    default_xapi_version: Literal["1.0.3", "2.0.0"] = Field(
        "2.0.0", description="version under which requests without a version header are answered"
    )
    authority_home_page: str = Field(
        "https://roundtrip.invalid",
        description="homePage of the account that is set as a statement's authority",
    )
    catalogue_refresh_seconds: Annotated[float, Field(gt=0)] = Field(
        5.0, description="how often credentials, alignments and links are read again from the registry"
    )


class StreamsSettings(_Section):
    """The worker."""

    host: str = Field("127.0.0.1", description="address of health and metrics")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(6067, description="port of health and metrics")
    batch_envelopes: Annotated[int, Field(ge=1)] = Field(250, description="most envelopes flushed together")
    batch_seconds: Annotated[float, Field(gt=0)] = Field(0.1, description="longest wait for a fuller batch")
    cached_students: Annotated[int, Field(ge=10)] = Field(20_000, description="students whose state is kept in memory")
    tick_seconds: Annotated[float, Field(gt=0)] = Field(
        5.0, description="how often warnings are evaluated on the clock"
    )
    corrections_seconds: Annotated[float, Field(gt=0)] = Field(
        5.0, description="how often voided statements and moved identities are looked for"
    )
    copies_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="how often ids are looked for that were accepted under two students or timestamps"
    )
    copies_days: Annotated[int, Field(ge=1, le=3660)] = Field(
        35, description="how long before its copy the first statement of an id may have been accepted"
    )
    liveness_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        15.0, description="no progress for so long while there is lag: the worker is not live"
    )
    dead_letter_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="more than this share of statements that cannot be processed stops a partition; 1: never"
    )
    dead_letter_window: Annotated[int, Field(ge=1)] = Field(
        1_000, description="the share is that of so many statements of the partition, the last ones"
    )
    dead_letter_least: Annotated[int, Field(ge=1)] = Field(
        100, description="fewer than so many of them never stop a partition"
    )


class ForwardingSettings(_Section):
    """The service that sends statements on to other learning record stores."""

    host: str = Field("127.0.0.1", description="address of metrics")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(6167, description="port of metrics")
    refresh_seconds: Annotated[float, Field(gt=0)] = Field(
        5.0, description="how often forwards are read again from the registry"
    )
    batch_statements: Annotated[int, Field(ge=1)] = Field(100, description="most statements in one request")
    batch_bytes: Annotated[int, Field(ge=1024)] = Field(1024 * 1024, description="bytes of one request, about")
    connections: Annotated[int, Field(ge=1)] = Field(4, description="requests to one LRS at the same time")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(30.0, description="time for one answer")
    longest_wait_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="longest pause before an LRS that takes nothing is tried again"
    )


class DistrictSettings(_Section):
    """What depends on the district."""

    name: str = Field("Sample District", description="shown in the header of each page")
    timezone: str = Field("America/Chicago", description="IANA zone in which a school day begins and ends")
    warnings_from_grade: Annotated[int, Field(ge=0, le=12)] = Field(
        6, description="lowest grade in which warnings are raised"
    )
    inactivity_days: Annotated[int, Field(ge=1)] = Field(
        5, description="warn after no activity on so many of the student's usual days"
    )
    success_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="warn when the success rate falls by so much against the student's own past"
    )
    time_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.6, description="warn when the time of activity falls by this share of the student's own past"
    )
    pace_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="warn when the answers on an active day fall by this share of the student's own past"
    )
    absence_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="warn when this share of the year's school days was missed (chronic absence)"
    )
    severe_absence_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="call it severe when this share of the year's school days was missed"
    )
    absence_rise: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="warn when the share of days missed rises by so much against the student's own past"
    )
    incidents: Annotated[int, Field(ge=1)] = Field(
        2, description="warn after so many behaviour incidents within forty school days"
    )
    failing_mark: Annotated[float, Field(gt=0, lt=1)] = Field(0.6, description="marks below this share are failing")
    marks_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="warn when the average mark falls by so much against the student's own past"
    )
    missing_work: Annotated[int, Field(ge=1)] = Field(
        3, description="warn when so much of the work of twenty school days was not handed in, and a third of it"
    )
    late_work: Annotated[int, Field(ge=1)] = Field(
        4, description="warn when so much of the work of twenty school days was handed in late, and half of it"
    )
    nearly_at: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="a skill is nearly mastered when the chance of a right answer surely lies above this"
    )
    mastered_at: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.7, description="a skill is mastered when the chance of a right answer surely lies above this"
    )
    mastered_answers: Annotated[int, Field(ge=1)] = Field(5, description="no skill is called mastered on fewer answers")
    refresh_days: Annotated[int, Field(ge=1)] = Field(
        60, description="a mastered skill needs a refresh after so many days without practice"
    )
    case_cooldown_days: Annotated[int, Field(ge=0)] = Field(
        10, description="school days after a case was closed in which the same rules do not raise it again"
    )
    cases_per_counselor: Annotated[int, Field(ge=1)] = Field(
        37, description="length of a queue: a tenth of the 370 students of a counselor; the others wait, and say so"
    )


class DashboardsSettings(_Section):
    """The pages."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8501, description="port to listen on")
    refresh_seconds: Annotated[float, Field(gt=0)] = Field(3.0, description="how often live parts are read again")
    demo_sign_in: bool = Field(
        False, description="let anyone choose a staff member to act as; only for a sample district"
    )
    suppress_below: Annotated[int, Field(ge=1)] = Field(10, description="groups smaller than this are not shown")


class LogSettings(_Section):
    """Logs."""

    format: Literal["console", "json"] = Field("console", description="for people or for machines")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level written")


class Settings(BaseSettings):
    """The whole tree. Fields are documented in docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="ROUNDTRIP_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(Path(".roundtrip"), description="where the local stack keeps its state")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    streams: StreamsSettings = Field(default_factory=StreamsSettings)
    dashboards: DashboardsSettings = Field(default_factory=DashboardsSettings)
    forwarding: ForwardingSettings = Field(default_factory=ForwardingSettings)
    district: DistrictSettings = Field(default_factory=DistrictSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    def registry_url(self) -> str:
        """URL of the registry: the one set, else SQLite in the data directory."""
        return self.registry.url or f"sqlite:///{self.data_dir.absolute() / 'registry.sqlite3'}"

    def environment(self) -> dict[str, str]:
        """The settings that differ from their defaults, as environment variables for a child process."""
        found: dict[str, str] = {}
        _collect(self, "ROUNDTRIP_", found)
        return found


def _collect(node: BaseModel, prefix: str, found: dict[str, str]) -> None:
    for name, field in type(node).model_fields.items():
        value = getattr(node, name)
        if isinstance(value, BaseModel):
            _collect(value, f"{prefix}{name.upper()}__", found)
        elif value != field.get_default(call_default_factory=True):
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            found[f"{prefix}{name.upper()}"] = json.dumps(plain) if isinstance(plain, list) else str(plain)
