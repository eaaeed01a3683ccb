ALTER TABLE statements
    MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE statements
    ADD COLUMN IF NOT EXISTS id_key UInt32 MATERIALIZED toUInt32(cityHash64(statement_id)) COMMENT 'hash of statement_id, by which a statement is found: ask for both' CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS related Array(UInt32) MATERIALIZED arrayMap(one -> toUInt32(cityHash64(one)), arrayConcat(extractAll(substring(statement, 100), '"id":"([^"]+)"'), extractAll(statement, '"([A-Za-z0-9_-]{22}\\.[0-9]+)"'))) COMMENT 'hashes of the ids and agent keys anywhere in the statement' CODEC(ZSTD(1));

ALTER TABLE statements
    ADD INDEX IF NOT EXISTS by_activity activity TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_registration registration TYPE bloom_filter(0.01) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_related related TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE statements
    ADD PROJECTION IF NOT EXISTS by_key (SELECT _part_offset ORDER BY id_key);

ALTER TABLE statements
    ADD PROJECTION IF NOT EXISTS by_time (SELECT _part_offset ORDER BY stored);

ALTER TABLE statements
    MATERIALIZE PROJECTION by_key;

ALTER TABLE statements
    MATERIALIZE PROJECTION by_time;

CREATE TABLE IF NOT EXISTS statement_references
(
    target       UUID COMMENT 'id of the statement that is referred to, whether it is there or not',
    statement_id UUID COMMENT 'id of the statement whose object is the reference',
    id_key       UInt32 COMMENT 'hash of statement_id, as in statements',
    provider_id  LowCardinality(String) COMMENT 'who sent it',
    stored       DateTime64(6, 'UTC') COMMENT 'when ingest accepted it',
    voiding      UInt8 COMMENT '1: it voids its target, if that is of the same provider and voids nothing itself'
)
ENGINE = ReplacingMergeTree
ORDER BY (target, statement_id, provider_id)
COMMENT 'Statements whose object is a reference to another statement: voiding ones and others. Filled from statements.';

CREATE MATERIALIZED VIEW IF NOT EXISTS statement_references_of TO statement_references AS
SELECT toUUIDOrZero(activity) AS target, statement_id, toUInt32(cityHash64(statement_id)) AS id_key, provider_id, stored,
       verb_iri = 'http://adlnet.gov/expapi/verbs/voided' AS voiding
FROM statements
WHERE length(activity) = 36 AND toUUIDOrZero(activity) != toUUID('00000000-0000-0000-0000-000000000000')
COMMENT 'Keeps statement_references.';

INSERT INTO statement_references
SELECT toUUIDOrZero(activity), statement_id, toUInt32(cityHash64(statement_id)), provider_id, stored,
       verb_iri = 'http://adlnet.gov/expapi/verbs/voided'
FROM statements
WHERE length(activity) = 36 AND toUUIDOrZero(activity) != toUUID('00000000-0000-0000-0000-000000000000');
