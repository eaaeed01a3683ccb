CREATE VIEW IF NOT EXISTS reconciliation AS
SELECT provider_id,
       toStartOfHour(minute)                                            AS hour,
       sum(accepted_count)                                              AS accepted,
       sum(answered_count)                                              AS answered,
       sum(stored_count)                                                AS stored,
       sum(duplicate_count)                                             AS duplicates,
       sum(dead_count)                                                  AS dead,
       sumIf(accepted_count, settled)                                   AS settled_accepted,
       sumIf(answered_count, settled)                                   AS settled_answered,
       sumIf(stored_count + duplicate_count + dead_count, settled)      AS settled_accounted
FROM
(
    SELECT *, minute + INTERVAL 1 MINUTE <= {through:DateTime('UTC')} AS settled
    FROM
    (
        SELECT toString(provider_id) AS provider_id, minute,
               toInt64(sum(statements)) AS accepted_count, toInt64(0) AS answered_count, toInt64(0) AS stored_count,
               toInt64(0) AS duplicate_count, toInt64(0) AS dead_count
        FROM ledger FINAL
        WHERE minute >= {since:DateTime('UTC')}
        GROUP BY provider_id, minute
        UNION ALL
        SELECT toString(provider_id) AS provider_id, minute, toInt64(0), toInt64(sum(accepted)), toInt64(0), toInt64(0),
               toInt64(0)
        FROM provider_minutes FINAL
        WHERE minute >= {since:DateTime('UTC')}
        GROUP BY provider_id, minute
        UNION ALL
        SELECT toString(provider_id) AS provider_id, toStartOfMinute(toDateTime(stored, 'UTC')) AS minute,
               toInt64(0), toInt64(0),
               toInt64(uniqExact(student_id, timestamp, statement_id))
                   - toInt64(uniqExactIf((student_id, timestamp, statement_id), removed = 1)),
               toInt64(0), toInt64(0)
        FROM statements
        WHERE stored >= {since:DateTime('UTC')}
        GROUP BY provider_id, minute
        UNION ALL
        SELECT toString(provider_id) AS provider_id, toStartOfMinute(toDateTime(stored, 'UTC')) AS minute,
               toInt64(0), toInt64(0), toInt64(0), toInt64(sumIf(statements, outcome = 'duplicate')),
               toInt64(sumIf(statements, outcome = 'dead'))
        FROM outcomes FINAL
        WHERE stored >= {since:DateTime('UTC')}
        GROUP BY provider_id, minute
        UNION ALL
        SELECT toString(provider_id) AS provider_id, toStartOfMinute(toDateTime(stored, 'UTC')) AS minute,
               toInt64(0), toInt64(0), toInt64(0), toInt64(0), -toInt64(sum(statements))
        FROM dead_letter_decisions FINAL
        WHERE stored >= {since:DateTime('UTC')} AND decision = 'replayed'
        GROUP BY provider_id, minute
    )
)
GROUP BY provider_id, hour
COMMENT 'Accepted (counted at the door, carried by the log) beside what became of it, per provider and hour of storing. settled_*: minutes that the sinks have passed. Parameters: since, through.';
