CREATE TABLE IF NOT EXISTS scores
(
    student_id    UUID COMMENT 'opaque id of the student',
    day           Date COMMENT 'last day that the score knows of; one score a day',
    version       UInt32 COMMENT 'version of the ranking, see rankings of the registry',
    chance        Float64 COMMENT 'chance of the outcome that the version names, within the time that it names: for order only',
    names         Array(LowCardinality(String)) COMMENT 'what was weighed, what raises the chance most first',
    reasons       Array(String) COMMENT 'the same in words with the student''s own numbers',
    contributions Array(Float64) COMMENT 'what each gave to the logit of the chance; they add up to it',
    partition     UInt16 COMMENT 'partition of the student',
    scored_at     DateTime64(6, 'UTC') COMMENT 'when it was computed'
)
ENGINE = ReplacingMergeTree(scored_at)
ORDER BY (student_id, day, version)
TTL day + INTERVAL 400 DAY
SETTINGS index_granularity = 256, merge_selector_base = 5
COMMENT 'What orders lists of warnings, with its reasons. Never shown as a number of risk.';
