-- What is the evidence of a student's skills, in the order in which it is folded?
-- scope: student
SELECT toString(statement_id)              AS statement_id,
       timestamp,
       toUnixTimestamp64Micro(timestamp)   AS at,
       item,
       skills,
       outcome,
       duration_ms,
       verb,
       provider_id
FROM attempts FINAL
WHERE student_id = {student:UUID}
ORDER BY timestamp, toString(statement_id)
LIMIT {most:UInt32}
