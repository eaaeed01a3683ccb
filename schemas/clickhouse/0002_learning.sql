CREATE TABLE IF NOT EXISTS attempts
(
    student_id   UUID COMMENT 'opaque id of the student',
    timestamp    DateTime64(6, 'UTC') COMMENT 'when it happened' CODEC(Delta, ZSTD(1)),
    statement_id UUID COMMENT 'statement it comes from',
    item         String COMMENT 'activity id of the item' CODEC(ZSTD(1)),
    skills       Array(LowCardinality(String)) COMMENT 'skills it is evidence of, sorted; may be empty',
    outcome      Float64 COMMENT '0 wrong … 1 right; between for partial credit',
    duration_ms  Int64 COMMENT 'time taken, ms; -1 unknown' CODEC(T64, ZSTD(1)),
    verb         LowCardinality(String) COMMENT 'canonical verb',
    provider_id  LowCardinality(String) COMMENT 'who sent it',
    stored       DateTime64(6, 'UTC') COMMENT 'when ingest accepted it' CODEC(Delta, ZSTD(1)),
    generation   UInt32 COMMENT 'generation of the statements topic',
    partition    UInt16 COMMENT 'partition of its envelope',
    offset       Int64 COMMENT 'offset of its envelope' CODEC(Delta, ZSTD(1)),
    idx          UInt32 COMMENT 'index in its envelope' CODEC(Delta, ZSTD(1)),
    revision     Int64 DEFAULT -1 COMMENT 'offset of the event that took it out or put it back; -1: as it came' CODEC(Delta, ZSTD(1)),
    removed      UInt8 DEFAULT 0 COMMENT '1: taken out of the student''s record' CODEC(ZSTD(1)),
    precedence   UInt64 MATERIALIZED if(revision < 0, toUInt64(9223372036854775807 - offset), bitOr(bitShiftLeft(toUInt64(1), 63), toUInt64(revision))) COMMENT 'of equal keys the last revision stays, else the earliest row' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence, removed)
ORDER BY (student_id, timestamp, statement_id)
SETTINGS index_granularity = 1024, merge_selector_base = 10
COMMENT 'Evidence of skill: one row a student and statement with an outcome. States are a fold over these.';

CREATE TABLE IF NOT EXISTS skill_states
(
    student_id  UUID COMMENT 'opaque id of the student',
    skill_id    LowCardinality(String) COMMENT 'skill of the catalogue',
    attempts    UInt32 COMMENT 'attempts folded in',
    successes   Float64 COMMENT 'sum of their outcomes',
    rating      Float64 COMMENT 'Elo rating of the student in this skill, logits, beside the student rating',
    mastery     Float64 COMMENT 'P(correct on an item of median difficulty of the skill) at the last attempt',
    recent      Float64 COMMENT 'outcomes, exponentially weighted, half-life five attempts',
    first_at    DateTime64(6, 'UTC') COMMENT 'first attempt',
    last_at     DateTime64(6, 'UTC') COMMENT 'last attempt',
    calibration UInt32 COMMENT 'version of the calibration it was folded under',
    generation  UInt32 COMMENT 'generation of the statements topic',
    partition   UInt16 COMMENT 'partition of the student',
    watermark   Int64 COMMENT 'offset of the last envelope folded in',
    removed     UInt8 DEFAULT 0 COMMENT '1: nothing of it is left'
)
ENGINE = ReplacingMergeTree(watermark, removed)
ORDER BY (student_id, skill_id)
SETTINGS index_granularity = 256, merge_selector_base = 5
COMMENT 'What a student is taken to know: the fold of the attempts, per skill.';

CREATE TABLE IF NOT EXISTS student_states
(
    student_id        UUID COMMENT 'opaque id of the student',
    rating            Float64 COMMENT 'Elo rating of the student over all skills, logits',
    attempts          UInt32 COMMENT 'attempts folded in',
    last_at           DateTime64(6, 'UTC') COMMENT 'timestamp of the last attempt in the order of the fold',
    last_statement_id UUID COMMENT 'statement id of the last attempt in the order of the fold',
    calibration       UInt32 COMMENT 'version of the calibration it was folded under',
    generation        UInt32 COMMENT 'generation of the statements topic',
    partition         UInt16 COMMENT 'partition of the student',
    watermark         Int64 COMMENT 'offset of the last envelope folded in',
    removed           UInt8 DEFAULT 0 COMMENT '1: nothing of it is left'
)
ENGINE = ReplacingMergeTree(watermark, removed)
ORDER BY student_id
SETTINGS index_granularity = 256, merge_selector_base = 5
COMMENT 'The part of the fold that is shared by all skills of a student. Written after skill_states: a skill row ahead of it tells a torn flush.';

CREATE TABLE IF NOT EXISTS student_days
(
    student_id  UUID COMMENT 'opaque id of the student',
    day         Date COMMENT 'day in the time zone of the district',
    statements  UInt32 COMMENT 'statements credited to the student',
    activity    UInt32 COMMENT 'of these, learning activity of the student''s own',
    attempts    UInt32 COMMENT 'attempts',
    successes   UInt32 COMMENT 'attempts with an outcome of one half or more',
    duration_ms Int64 COMMENT 'sum of the durations that statements told, ms',
    attended    UInt16 COMMENT 'statements of presence',
    absent      UInt16 COMMENT 'statements of absence',
    providers   Array(LowCardinality(String)) COMMENT 'providers with activity that day, sorted',
    first_at    DateTime64(6, 'UTC') COMMENT 'first statement of the day',
    last_at     DateTime64(6, 'UTC') COMMENT 'last statement of the day',
    generation  UInt32 COMMENT 'generation of the statements topic',
    partition   UInt16 COMMENT 'partition of the student',
    watermark   Int64 COMMENT 'offset of the last envelope counted in',
    removed     UInt8 DEFAULT 0 COMMENT '1: nothing of it is left'
)
ENGINE = ReplacingMergeTree(watermark, removed)
ORDER BY (student_id, day)
SETTINGS index_granularity = 256, merge_selector_base = 5
COMMENT 'Engagement: what a student did on a day.';

CREATE TABLE IF NOT EXISTS warnings
(
    student_id   UUID COMMENT 'opaque id of the student',
    rule         LowCardinality(String) COMMENT 'rule that raised it',
    raised_on    Date COMMENT 'school day on which it was raised',
    status       LowCardinality(String) COMMENT 'open, cleared, or withdrawn when later evidence took its ground away',
    cleared_on   Nullable(Date) COMMENT 'school day on which it was cleared',
    reason       String COMMENT 'the reason in words, with the student''s own numbers',
    value        Float64 COMMENT 'the indicator',
    baseline     Float64 COMMENT 'the same indicator in the student''s own past',
    threshold    Float64 COMMENT 'where the rule draws the line',
    evidence_from Date COMMENT 'first day of the evidence',
    evidence_to  Date COMMENT 'last day of the evidence',
    providers    Array(LowCardinality(String)) COMMENT 'providers that back the indicator',
    partition    UInt16 COMMENT 'partition of the student',
    evaluated_at DateTime64(6, 'UTC') COMMENT 'time of the evaluation, by the clock of the rules'
)
ENGINE = ReplacingMergeTree(evaluated_at)
ORDER BY (student_id, rule, raised_on)
COMMENT 'Early warnings: one row an episode of a rule for a student.';
