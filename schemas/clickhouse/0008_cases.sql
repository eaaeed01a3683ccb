CREATE TABLE IF NOT EXISTS case_events
(
    event_id   UUID COMMENT 'id of the event, random; one that was published twice is one row',
    case_id    UUID COMMENT 'case',
    sequence   UInt32 COMMENT '1, 2, … within the case',
    student_id UUID COMMENT 'student',
    at         DateTime64(6, 'UTC') COMMENT 'when',
    who        String COMMENT 'staff id; cli: and a user, for a command; empty: the rules',
    action     LowCardinality(String) COMMENT 'raised, warned, eased, woken, cleared, claimed, assigned, released, snoozed, follow_up, intervention, ended or dismissed',
    before     LowCardinality(String) COMMENT 'state before; empty: there was no case',
    after      LowCardinality(String) COMMENT 'state after',
    why        String COMMENT 'reason in words',
    details    String COMMENT 'JSON: what belongs to the action; rules: the rules of the case',
    offset     Int64 COMMENT 'offset of the event in the topic case-events; the highest one stands'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (student_id, at, event_id)
COMMENT 'Every transition of a case, copied from the topic case-events; the registry is the truth.';
