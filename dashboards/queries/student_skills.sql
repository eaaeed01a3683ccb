-- What is a student taken to know?
-- scope: student
SELECT skill_id, attempts, successes, mastery, recent, first_at, last_at
FROM skill_states FINAL
WHERE student_id = {student:UUID}
ORDER BY skill_id
