-- How far are the sinks, per partition?
-- scope: everyone
SELECT partition,
       max(offset)       AS offset,
       max(end_offset)   AS end_offset,
       max(stored_until) AS stored_until,
       max(checked_at)   AS checked_at
FROM sink_progress
WHERE generation = {generation:UInt32}
GROUP BY partition
ORDER BY partition
