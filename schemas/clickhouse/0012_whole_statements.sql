DROP TABLE IF EXISTS statements_before SYNC;

CREATE TABLE statements_before
(
    student_id   UUID COMMENT 'opaque id of the student that the primary item is credited to',
    timestamp    DateTime64(6, 'UTC') COMMENT 'when it happened, by the provider; stored where the provider sent none' CODEC(Delta, ZSTD(1)),
    statement_id UUID COMMENT 'id of the statement',
    stored       DateTime64(6, 'UTC') COMMENT 'when ingest accepted it' CODEC(Delta, ZSTD(1)),
    provider_id  LowCardinality(String) COMMENT 'who sent it',
    verb         LowCardinality(String) COMMENT 'canonical verb, mapped at the door',
    verb_iri     LowCardinality(String) COMMENT 'verb.id as the provider sent it',
    activity     String COMMENT 'object.id of an activity or a statement reference; the key of an agent' CODEC(ZSTD(1)),
    actor        String COMMENT 'key of the actor; the agent behind it is in the registry' CODEC(ZSTD(1)),
    registration UUID COMMENT 'context.registration; zero where there is none',
    skills       Array(LowCardinality(String)) COMMENT 'skills the activity was aligned to when it was accepted',
    digest       Int64 COMMENT 'BLAKE2b-64 of the content, to tell a repetition from a conflict',
    generation   UInt32 COMMENT 'generation of the statements topic',
    partition    UInt16 COMMENT 'partition of its envelope',
    offset       Int64 COMMENT 'offset of its envelope' CODEC(Delta, ZSTD(1)),
    idx          UInt32 COMMENT 'index in its envelope' CODEC(Delta, ZSTD(1)),
    statement    String COMMENT 'the statement as JSON, agents swapped for keys; without its id and the brace before it where it began as usual: see json' CODEC(ZSTD(1)),
    revision     Int64 DEFAULT -1 COMMENT 'offset of the event that took it out or put it back; -1: as it came' CODEC(Delta, ZSTD(1)),
    removed      UInt8 DEFAULT 0 COMMENT '1: taken out of the student''s record' CODEC(ZSTD(1)),
    precedence   UInt64 MATERIALIZED if(revision < 0, toUInt64(9223372036854775807 - offset), bitOr(bitShiftLeft(toUInt64(1), 63), toUInt64(revision))) COMMENT 'of equal keys the last revision stays, else the earliest row' CODEC(Delta, ZSTD(1)),
    id_key       UInt32 MATERIALIZED toUInt32(cityHash64(statement_id)) COMMENT 'hash of statement_id, by which a statement is found: ask for both' CODEC(Delta, ZSTD(1)),
    related      Array(UInt32) MATERIALIZED arrayMap(one -> toUInt32(cityHash64(one)), arrayConcat(arrayMap(one -> substringIndex(one, '"', 1), splitByString('"id":"', statement)), extractAll(statement, '":"([A-Za-z0-9_-]{22}\\.[0-9]+)"'))) COMMENT 'hashes of the ids and agent keys anywhere in the statement' CODEC(ZSTD(1)),
    json         String ALIAS if(startsWith(statement, '"'), concat('{"id":"', toString(statement_id), '",', statement), statement) COMMENT 'the whole statement as JSON, agents swapped for keys',
    INDEX by_stored stored TYPE minmax GRANULARITY 4,
    INDEX by_verb verb_iri TYPE set(64) GRANULARITY 4,
    INDEX by_activity activity TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_registration registration TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_related related TYPE bloom_filter(0.01) GRANULARITY 4,
    PROJECTION by_key (SELECT _part_offset ORDER BY id_key),
    PROJECTION by_time (SELECT _part_offset ORDER BY stored)
)
ENGINE = ReplacingMergeTree(precedence, removed)
PARTITION BY toYYYYMM(stored)
ORDER BY (student_id, timestamp, statement_id)
SETTINGS index_granularity = 256, min_compress_block_size = 16384, merge_selector_base = 10, deduplicate_merge_projection_mode = 'rebuild'
COMMENT 'Every accepted statement, once. Read with FINAL: a redelivered row may stand twice until parts are merged.';

INSERT INTO statements_before
(student_id, timestamp, statement_id, stored, provider_id, verb, verb_iri, activity, actor, registration, skills, digest, generation, partition, offset, idx, statement, revision, removed)
SELECT student_id, timestamp, statement_id, stored, provider_id, verb, verb_iri, activity, actor, registration, skills, digest, generation, partition, offset, idx,
       if(match(statement, '^\\{"authority":"[A-Za-z0-9_.-]+","id":"') AND substring(statement, position(statement, '","id":"') + 8, 38) = concat(toString(statement_id), '",'),
          concat(substring(statement, 2, position(statement, '","id":"')), substring(statement, position(statement, '","id":"') + 46)),
          statement),
       revision, removed
FROM statements
SETTINGS max_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 65536, min_insert_block_size_bytes = 134217728, optimize_on_insert = 0;

DROP TABLE IF EXISTS statement_references_of SYNC;

EXCHANGE TABLES statements AND statements_before;

CREATE MATERIALIZED VIEW IF NOT EXISTS statement_references_of TO statement_references AS
SELECT toUUIDOrZero(activity) AS target, statement_id, toUInt32(cityHash64(statement_id)) AS id_key, provider_id, stored,
       verb_iri = 'http://adlnet.gov/expapi/verbs/voided' AS voiding
FROM statements
WHERE length(activity) = 36 AND toUUIDOrZero(activity) != toUUID('00000000-0000-0000-0000-000000000000')
COMMENT 'Keeps statement_references.';

DROP TABLE statements_before SYNC;
