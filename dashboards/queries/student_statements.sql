-- What do the newest statements of a student between two times say?
-- scope: student
SELECT toString(statement_id) AS statement_id,
       timestamp,
       stored,
       provider_id,
       verb,
       activity,
       JSONExtractString(statement, 'object', 'definition', 'name', 'en-US') AS name,
       JSONExtract(statement, 'result', 'success', 'Nullable(Bool)')           AS success,
       JSONExtract(statement, 'result', 'score', 'scaled', 'Nullable(Float64)') AS score,
       skills
FROM statements FINAL
WHERE student_id = {student:UUID}
  AND timestamp >= {since:DateTime64(6, 'UTC')}
  AND timestamp < {until:DateTime64(6, 'UTC')}
ORDER BY timestamp DESC, statement_id
LIMIT {most:UInt32}
