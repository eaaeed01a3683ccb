DROP TABLE IF EXISTS skill_states_before SYNC;

CREATE TABLE skill_states_before
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
    low         Float64 COMMENT 'lower end of the interval of mastery, 90 %',
    high        Float64 DEFAULT 1 COMMENT 'upper end of the interval of mastery, 90 %',
    memory      Array(Float64) COMMENT 'what the model remembers beside, see streams/learner/state.py; empty: written before there was one' CODEC(ZSTD(1)),
    calibration UInt32 COMMENT 'version of the calibration it was folded under',
    activation  UInt32 COMMENT 'number of the switch to that calibration',
    generation  UInt32 COMMENT 'generation of the statements topic',
    partition   UInt16 COMMENT 'partition of the student',
    watermark   Int64 COMMENT 'offset of the last envelope folded in',
    removed     UInt8 DEFAULT 0 COMMENT '1: nothing of it is left',
    precedence  UInt64 MATERIALIZED bitOr(bitShiftLeft(toUInt64(activation), 44), toUInt64(watermark + 2)) COMMENT 'of equal keys the row of the last switch stays, of one switch the furthest'
)
ENGINE = ReplacingMergeTree(precedence, removed)
ORDER BY (student_id, skill_id)
SETTINGS index_granularity = 128, merge_selector_base = 5, min_compress_block_size = 4096
COMMENT 'What a student is taken to know: the fold of the attempts, per skill.';

INSERT INTO skill_states_before
(student_id, skill_id, attempts, successes, rating, mastery, recent, first_at, last_at, low, high, memory, calibration, activation, generation, partition, watermark)
SELECT student_id, skill_id, attempts, successes, rating, mastery, recent, first_at, last_at, low, high, memory, calibration, activation, generation, partition, watermark
FROM skill_states FINAL
SETTINGS max_threads = 1;

EXCHANGE TABLES skill_states AND skill_states_before;

DROP TABLE skill_states_before SYNC;

DROP TABLE IF EXISTS student_states_before SYNC;

CREATE TABLE student_states_before
(
    student_id        UUID COMMENT 'opaque id of the student',
    rating            Float64 COMMENT 'Elo rating of the student over all skills, logits',
    attempts          UInt32 COMMENT 'attempts folded in',
    last_at           DateTime64(6, 'UTC') COMMENT 'timestamp of the last attempt in the order of the fold',
    last_statement_id UUID COMMENT 'statement id of the last attempt in the order of the fold',
    memory            Array(Float64) COMMENT 'what the model remembers beside, see streams/learner/state.py; empty: written before there was one' CODEC(ZSTD(1)),
    calibration       UInt32 COMMENT 'version of the calibration it was folded under',
    activation        UInt32 COMMENT 'number of the switch to that calibration',
    generation        UInt32 COMMENT 'generation of the statements topic',
    partition         UInt16 COMMENT 'partition of the student',
    watermark         Int64 COMMENT 'offset of the last envelope folded in',
    removed           UInt8 DEFAULT 0 COMMENT '1: nothing of it is left',
    precedence        UInt64 MATERIALIZED bitOr(bitShiftLeft(toUInt64(activation), 44), toUInt64(watermark + 2)) COMMENT 'of equal keys the row of the last switch stays, of one switch the furthest'
)
ENGINE = ReplacingMergeTree(precedence, removed)
ORDER BY student_id
SETTINGS index_granularity = 64, merge_selector_base = 5, min_compress_block_size = 4096
COMMENT 'The part of the fold that is shared by all skills of a student. Written after skill_states: a skill row ahead of it tells a torn flush.';

INSERT INTO student_states_before
(student_id, rating, attempts, last_at, last_statement_id, memory, calibration, activation, generation, partition, watermark)
SELECT student_id, rating, attempts, last_at, last_statement_id, memory, calibration, activation, generation, partition, watermark
FROM student_states FINAL
SETTINGS max_threads = 1;

EXCHANGE TABLES student_states AND student_states_before;

DROP TABLE student_states_before SYNC;
