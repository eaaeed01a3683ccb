-- What did the workers write in each step of time, and how long from acceptance to visibility?
-- scope: operations
SELECT toStartOfInterval(flushed_at, toIntervalSecond({step_s:UInt32})) AS at,
       sum(statements)             AS statements,
       sum(rows)                   AS rows,
       count()                     AS flushes,
       avg(flush_ms)               AS flush_ms,
       sumForEach(latency_buckets) AS latency_buckets
FROM sink_flushes
WHERE flushed_at >= {since:DateTime64(6, 'UTC')}
GROUP BY at
ORDER BY at
