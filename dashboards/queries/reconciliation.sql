-- Is everything that was accepted accounted for, per provider and hour?
-- scope: operations
-- good for: 15
SELECT provider_id,
       hour,
       sum(accepted_count)  AS accepted,
       sum(answered_count)  AS answered,
       sum(stored_count)    AS stored,
       sum(duplicate_count) AS duplicates,
       sum(dead_count)      AS dead
FROM
(
    SELECT toString(provider_id) AS provider_id, toStartOfHour(minute) AS hour,
           sum(statements) AS accepted_count, 0 AS answered_count, 0 AS stored_count, 0 AS duplicate_count,
           0 AS dead_count
    FROM ledger FINAL
    WHERE minute >= {since:DateTime('UTC')}
    GROUP BY provider_id, hour
    UNION ALL
    SELECT toString(provider_id) AS provider_id, toStartOfHour(minute) AS hour,
           0, sum(accepted), 0, 0, 0
    FROM provider_minutes FINAL
    WHERE minute >= {since:DateTime('UTC')}
    GROUP BY provider_id, hour
    UNION ALL
    SELECT toString(provider_id) AS provider_id, toStartOfHour(toDateTime(stored, 'UTC')) AS hour,
           0, 0, uniqExact(student_id, timestamp, statement_id), 0, 0
    FROM statements
    WHERE stored >= {since:DateTime('UTC')}
    GROUP BY provider_id, hour
    UNION ALL
    SELECT toString(provider_id) AS provider_id, toStartOfHour(toDateTime(stored, 'UTC')) AS hour,
           0, 0, 0, sumIf(statements, outcome = 'duplicate'), sumIf(statements, outcome = 'dead')
    FROM outcomes FINAL
    WHERE stored >= {since:DateTime('UTC')}
    GROUP BY provider_id, hour
)
GROUP BY provider_id, hour
ORDER BY hour DESC, provider_id
