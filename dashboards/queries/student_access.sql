-- Who opened a student's record, when and why?
-- scope: student
SELECT at, viewer_id, role, page, action, reason
FROM audit
WHERE student_id = {student:UUID}
ORDER BY at DESC
LIMIT 200
