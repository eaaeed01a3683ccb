-- What did a student do on each day?
-- scope: student
SELECT day, statements, activity, attempts, successes, duration_ms, attended, absent, providers
FROM student_days FINAL
WHERE student_id = {student:UUID} AND day >= {since:Date}
ORDER BY day
