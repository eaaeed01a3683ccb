-- Which warnings did a student have, and on what evidence?
-- scope: student
SELECT rule, raised_on, status, cleared_on, reason, value, baseline, threshold, evidence_from, evidence_to, providers,
       evaluated_at
FROM warnings FINAL
WHERE student_id = {student:UUID} AND status != 'withdrawn'
ORDER BY raised_on DESC, rule
