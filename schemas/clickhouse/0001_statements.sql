CREATE TABLE IF NOT EXISTS statements
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
    statement    String COMMENT 'the statement as JSON, agents swapped for keys' CODEC(ZSTD(1)),
    revision     Int64 DEFAULT -1 COMMENT 'offset of the event that took it out or put it back; -1: as it came' CODEC(Delta, ZSTD(1)),
    removed      UInt8 DEFAULT 0 COMMENT '1: taken out of the student''s record' CODEC(ZSTD(1)),
    precedence   UInt64 MATERIALIZED if(revision < 0, toUInt64(9223372036854775807 - offset), bitOr(bitShiftLeft(toUInt64(1), 63), toUInt64(revision))) COMMENT 'of equal keys the last revision stays, else the earliest row' CODEC(Delta, ZSTD(1)),
    INDEX by_id statement_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_stored stored TYPE minmax GRANULARITY 1,
    INDEX by_verb verb_iri TYPE set(64) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(precedence, removed)
PARTITION BY toYYYYMM(stored)
ORDER BY (student_id, timestamp, statement_id)
SETTINGS index_granularity = 1024, merge_selector_base = 10
COMMENT 'Every accepted statement, once. Read with FINAL: a redelivered row may stand twice until parts are merged.';

CREATE TABLE IF NOT EXISTS credits
(
    student_id   UUID COMMENT 'opaque id of the student',
    timestamp    DateTime64(6, 'UTC') COMMENT 'when it happened' CODEC(Delta, ZSTD(1)),
    statement_id UUID COMMENT 'its row stands in statements under another student',
    stored       DateTime64(6, 'UTC') COMMENT 'when ingest accepted it' CODEC(Delta, ZSTD(1)),
    provider_id  LowCardinality(String) COMMENT 'who sent it',
    verb         LowCardinality(String) COMMENT 'canonical verb',
    activity     String COMMENT 'as in statements' CODEC(ZSTD(1)),
    skills       Array(LowCardinality(String)) COMMENT 'skills the activity was aligned to',
    outcome      Float64 COMMENT 'as in attempts; -1: no attempt' CODEC(ZSTD(1)),
    duration_ms  Int64 COMMENT 'time taken, ms; -1 unknown' CODEC(T64, ZSTD(1)),
    digest       Int64 COMMENT 'BLAKE2b-64 of the content, to tell a repetition from a conflict',
    generation   UInt32 COMMENT 'generation of the statements topic',
    partition    UInt16 COMMENT 'partition of its envelope',
    offset       Int64 COMMENT 'offset of its envelope' CODEC(Delta, ZSTD(1)),
    idx          UInt32 COMMENT 'index in its envelope' CODEC(Delta, ZSTD(1)),
    revision     Int64 DEFAULT -1 COMMENT 'offset of the event that took it out or put it back; -1: as it came' CODEC(Delta, ZSTD(1)),
    removed      UInt8 DEFAULT 0 COMMENT '1: taken out of the student''s record' CODEC(ZSTD(1)),
    precedence   UInt64 MATERIALIZED if(revision < 0, toUInt64(9223372036854775807 - offset), bitOr(bitShiftLeft(toUInt64(1), 63), toUInt64(revision))) COMMENT 'of equal keys the last revision stays, else the earliest row' CODEC(Delta, ZSTD(1)),
    INDEX by_id statement_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(precedence, removed)
ORDER BY (student_id, timestamp, statement_id)
SETTINGS index_granularity = 1024, merge_selector_base = 10
COMMENT 'Students that a statement is credited to beside the one its row stands under: members of a group, and whom an identity was linked to later; with all that counts for them, since the statement may be written later.';

CREATE TABLE IF NOT EXISTS outcomes
(
    generation   UInt32 COMMENT 'generation of the topic',
    partition    UInt16 COMMENT 'partition of the record',
    offset       Int64 COMMENT 'offset of the record',
    idx          Int32 COMMENT 'index of the item in its envelope; -1: the whole record',
    provider_id  LowCardinality(String) COMMENT 'who sent it; empty when it could not be read',
    statement_id UUID COMMENT 'id of the statement; zero when it could not be read',
    stored       DateTime64(6, 'UTC') COMMENT 'when ingest accepted it',
    statements   UInt32 COMMENT 'how many statements of the provider this is about',
    outcome      LowCardinality(String) COMMENT 'duplicate (same content again) or dead (kept in the dead-letters topic)',
    reason       LowCardinality(String) COMMENT 'short code: duplicate, conflict, undecodable, ...',
    message      String COMMENT 'what is wrong, in words',
    at           DateTime64(6, 'UTC') COMMENT 'when the worker said so'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (generation, partition, offset, idx, provider_id)
COMMENT 'What became of accepted statements that are not in statements: duplicates and dead letters.';

CREATE TABLE IF NOT EXISTS removals
(
    student_id   UUID COMMENT 'student from whose record it was taken',
    timestamp    DateTime64(6, 'UTC') COMMENT 'of the statement',
    statement_id UUID COMMENT 'id of the statement',
    reason       LowCardinality(String) COMMENT 'voided, unlinked, duplicate or conflict',
    cause        String COMMENT 'id of the voiding statement or of the link; position of the first copy',
    restored     UInt8 COMMENT '1: put back since by a new link',
    generation   UInt32 COMMENT 'generation of the statements topic',
    partition    UInt16 COMMENT 'partition of the student',
    offset       Int64 COMMENT 'offset of the event',
    at           DateTime64(6, 'UTC') COMMENT 'when the event was put into the log'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (student_id, timestamp, statement_id)
COMMENT 'What was taken out of the records of students, and why: the student''s state is the fold of all else.';
