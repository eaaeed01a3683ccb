-- Which workers write, on which partitions, and how fast?
-- scope: operations
SELECT worker,
       arraySort(groupUniqArray(partition)) AS partitions,
       max(flushed_at)              AS last_at,
       count()                      AS flushes,
       sum(statements)              AS statements,
       sum(rows)                    AS rows,
       quantile(0.5)(flush_ms)      AS flush_p50_ms,
       quantile(0.95)(flush_ms)     AS flush_p95_ms
FROM sink_flushes
WHERE flushed_at >= {since:DateTime64(6, 'UTC')}
GROUP BY worker
ORDER BY last_at DESC
LIMIT 20
