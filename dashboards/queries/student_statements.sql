-- What do the newest statements of a student between two times say?
-- scope: student
SELECT toString(statement_id) AS statement_id,
       timestamp,
       stored,
       provider_id,
       verb,
       activity,
       JSONExtractString(json, 'object', 'definition', 'name', 'en-US') AS name,
       JSONExtract(json, 'result', 'success', 'Nullable(Bool)')           AS success,
       JSONExtract(json, 'result', 'score', 'scaled', 'Nullable(Float64)') AS score,
       skills
FROM statements FINAL
WHERE student_id = {student:UUID}
  AND timestamp >= {since:DateTime64(6, 'UTC')}
  AND timestamp < {until:DateTime64(6, 'UTC')}
ORDER BY timestamp DESC, statement_id
LIMIT {most:UInt32}
