-- What are the activities of some statements of a student called?
-- scope: student
SELECT toString(statement_id) AS statement_id,
       JSONExtractString(json, 'object', 'definition', 'name', 'en-US') AS name
FROM statements FINAL
WHERE student_id = {student:UUID}
  AND timestamp >= {since:DateTime64(6, 'UTC')}
  AND timestamp <= {until:DateTime64(6, 'UTC')}
  AND statement_id IN (SELECT toUUID(arrayJoin({statements:Array(String)})))
