-- In what order do the open cases of the viewer's students stand, and why?
-- scope: students
-- good for: 30
SELECT toString(s.student_id) AS student_id,
       argMax(chance, (day, scored_at))  AS chance,
       argMax(reasons, (day, scored_at)) AS reasons
FROM scores AS s
INNER JOIN allowed AS a ON a.student_id = s.student_id
WHERE day >= {since:Date}
GROUP BY s.student_id
