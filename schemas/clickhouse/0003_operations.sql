CREATE TABLE IF NOT EXISTS provider_minutes
(
    provider_id     LowCardinality(String) COMMENT 'provider',
    minute          DateTime('UTC') COMMENT 'start of the minute; for accepted statements that of stored',
    instance        String COMMENT 'ingest process',
    requests        UInt64 COMMENT 'requests answered',
    accepted        UInt64 COMMENT 'statements answered with a 2xx, after Kafka acknowledged them',
    rejected        UInt64 COMMENT 'statements of refused requests',
    latency_us      UInt64 COMMENT 'sum of the durations of the requests, µs',
    latency_buckets Array(UInt64) COMMENT 'requests by duration: at most 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 ms, above',
    offset          Int64 COMMENT 'offset of the count in its topic: the last one counts'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (provider_id, minute, instance)
COMMENT 'What ingest answered, counted at the door, apart from what was stored.';

CREATE TABLE IF NOT EXISTS ledger
(
    generation  UInt32 COMMENT 'generation of the statements topic',
    partition   UInt16 COMMENT 'partition',
    minute      DateTime('UTC') COMMENT 'start of the minute of stored' CODEC(Delta, ZSTD(1)),
    provider_id LowCardinality(String) COMMENT 'provider',
    statements  UInt64 COMMENT 'statements that the door has put into the log, by the header of each record',
    watermark   Int64 COMMENT 'offset of the last record counted'
)
ENGINE = ReplacingMergeTree(watermark)
ORDER BY (generation, partition, minute, provider_id)
SETTINGS merge_selector_base = 10
COMMENT 'What the log holds, as counted at the door and carried beside each envelope: exact whatever was killed, and apart from what was decoded.';

CREATE TABLE IF NOT EXISTS rejections
(
    provider_id LowCardinality(String) COMMENT 'provider; empty for a request without a known credential',
    at          DateTime64(6, 'UTC') COMMENT 'when it was refused',
    request_id  String COMMENT 'id of the request, as in its answer',
    status      UInt16 COMMENT 'HTTP status of the answer',
    rule        LowCardinality(String) COMMENT 'short code of the rule',
    section     String COMMENT 'section of the specification',
    path        String COMMENT 'JSON path of the fault',
    message     String COMMENT 'what is wrong',
    fix         String COMMENT 'what to do about it',
    value       String COMMENT 'short excerpt, without agents',
    offset      Int64 COMMENT 'offset in its topic'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (provider_id, at, request_id, path, rule)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'Why requests were refused, one row a fault.';

CREATE TABLE IF NOT EXISTS sink_progress
(
    generation   UInt32 COMMENT 'generation of the statements topic',
    partition    UInt16 COMMENT 'partition',
    offset       SimpleAggregateFunction(max, Int64) COMMENT 'last envelope whose rows are all written',
    end_offset   SimpleAggregateFunction(max, Int64) COMMENT 'last offset of the log, as the worker last saw it',
    stored_until SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'latest stored among the written statements',
    checked_at   SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'when the worker last said so, also when idle'
)
ENGINE = AggregatingMergeTree
ORDER BY (generation, partition)
SETTINGS merge_selector_base = 10
COMMENT 'How far the sinks are. Read with max() GROUP BY generation, partition.';

CREATE TABLE IF NOT EXISTS sink_flushes
(
    flushed_at      DateTime64(6, 'UTC') COMMENT 'when all rows of the batch were written',
    worker          String COMMENT 'worker process',
    partition       UInt16 COMMENT 'partition',
    statements      UInt32 COMMENT 'statements in the batch',
    rows            UInt32 COMMENT 'rows written',
    flush_ms        Float64 COMMENT 'time of the inserts, ms',
    latency_buckets Array(UInt32) COMMENT 'statements by stored-to-written time: at most 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 ms, above'
)
ENGINE = MergeTree
ORDER BY flushed_at
TTL toDateTime(flushed_at) + INTERVAL 14 DAY
SETTINGS merge_selector_base = 10
COMMENT 'Each flush of a worker: throughput and latency from acceptance to visibility. Not exact: a crash may leave a flush out.';

CREATE TABLE IF NOT EXISTS roster
(
    student_id UUID COMMENT 'opaque id of the student',
    school_id  LowCardinality(String) COMMENT 'school',
    grade      UInt8 COMMENT 'grade, 0 for kindergarten to 12',
    sections   Array(LowCardinality(String)) COMMENT 'sections (classes) the student is enrolled in',
    updated_at DateTime64(6, 'UTC') COMMENT 'when the registry last changed it'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY student_id
COMMENT 'Opaque copy of the roster, for grouping and for access: no names. Kept by the worker from the registry.';

CREATE TABLE IF NOT EXISTS audit
(
    at         DateTime64(6, 'UTC') COMMENT 'when',
    viewer_id  String COMMENT 'staff member',
    role       LowCardinality(String) COMMENT 'role acted in',
    student_id UUID COMMENT 'student whose record was opened',
    page       LowCardinality(String) COMMENT 'page',
    action     LowCardinality(String) COMMENT 'view, export or denied',
    reason     String COMMENT 'why access was given or denied'
)
ENGINE = MergeTree
ORDER BY (student_id, at)
COMMENT 'Who looked at which student, and why they could.';

CREATE TABLE IF NOT EXISTS dead_letter_decisions
(
    generation UInt32 COMMENT 'generation of the topic the letter is about',
    partition  UInt16 COMMENT 'partition of its record',
    offset     Int64 COMMENT 'offset of its record',
    idx        Int32 COMMENT 'index of the item in its envelope; -1: the whole record; -2: every letter of the partition up to the offset',
    decision   LowCardinality(String) COMMENT 'replayed, discarded, or accepted: put aside however many they are',
    reason     String COMMENT 'why, in the words of whoever decided',
    decided_by String COMMENT 'who',
    statements UInt32 COMMENT 'statements it is about, once for each time they were replayed',
    provider_id LowCardinality(String) COMMENT 'who sent them; empty for a single row that the store refused',
    stored     DateTime64(6, 'UTC') COMMENT 'when ingest had accepted them',
    at         DateTime64(6, 'UTC') COMMENT 'when'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (generation, partition, offset, idx, provider_id)
COMMENT 'What was done with dead letters. A replayed one counts no longer as dead; a discarded one does, with its reason.';

CREATE TABLE IF NOT EXISTS alarms
(
    alarm   LowCardinality(String) COMMENT 'unbalanced, dead_letters, stalled, ...',
    subject String COMMENT 'what it is about: a provider and hour, a partition, a worker',
    since   DateTime64(6, 'UTC') COMMENT 'when it was raised',
    until   Nullable(DateTime64(6, 'UTC')) COMMENT 'when it was over; empty while it stands',
    message String COMMENT 'what is wrong and what to do, in words',
    at      DateTime64(6, 'UTC') COMMENT 'when this row was written'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (alarm, subject, since)
TTL toDateTime(since) + INTERVAL 90 DAY
COMMENT 'What operations has to look at, raised and cleared by the workers.';

CREATE TABLE IF NOT EXISTS rebuilds
(
    rebuild_id  UUID COMMENT 'one run of roundtrip rebuild, however often it was interrupted',
    step        UInt32 COMMENT '0: begun; then one for each range of students and each part of the end',
    scope       String COMMENT 'whose rows are computed again, and whether they are only checked',
    phase       LowCardinality(String) COMMENT 'begun, range, carried or finished',
    generation  UInt32 COMMENT 'generation of the statements topic',
    calibration UInt32 COMMENT 'version of the calibration',
    until       UUID COMMENT 'last student of the range, in the order of ClickHouse',
    students    UInt32 COMMENT 'students of the range',
    statements  UInt64 COMMENT 'their statements',
    differences UInt32 COMMENT 'values in which live rows and rebuilt rows differ',
    examples    Array(String) COMMENT 'the first of them, in words',
    again       Array(String) COMMENT 'students whom a worker is to fold again',
    outdated    UInt32 COMMENT 'students whose live rows stand under another calibration',
    left        Array(String) COMMENT 'students left as they are, and why',
    written     Array(Int64) COMMENT 'by partition, when it began: all rows up to this offset were written',
    shadows     Array(String) COMMENT 'tables that take the place of the live ones at the end: name and UUID',
    at          DateTime64(6, 'UTC') COMMENT 'when the step was done'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (rebuild_id, step)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'How far each rebuild is, so that one that was interrupted goes on, and what it found.';
