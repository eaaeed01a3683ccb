-- What could not be processed, by reason and provider?
-- scope: operations
SELECT reason,
       provider_id,
       sum(statements)      AS statements,
       count()              AS records,
       min(at)              AS first_at,
       max(at)              AS last_at,
       argMax(message, at)  AS message,
       argMax(partition, at) AS partition,
       argMax(offset, at)   AS offset
FROM outcomes FINAL
WHERE outcome = 'dead'
GROUP BY reason, provider_id
ORDER BY last_at DESC
LIMIT 50
