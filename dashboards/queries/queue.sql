-- Which students of the viewer have an open warning, and why?
-- scope: students
SELECT toString(w.student_id) AS student_id,
       a.school_id   AS school_id,
       a.grade       AS grade,
       w.rule        AS rule,
       w.raised_on   AS raised_on,
       w.reason      AS reason,
       w.value       AS value,
       w.baseline    AS baseline,
       w.threshold   AS threshold,
       w.providers   AS providers
FROM (SELECT * FROM warnings FINAL WHERE status = 'open') AS w
INNER JOIN allowed AS a ON a.student_id = w.student_id
ORDER BY raised_on DESC, student_id, rule
LIMIT 20000
