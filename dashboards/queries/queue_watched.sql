-- How many students does the viewer watch over, and how many of them have too few days with activity to be judged?
-- scope: students
SELECT count()                                 AS watched,
       countIf(d.active < {enough_days:UInt32}) AS too_little
FROM allowed AS a
LEFT JOIN
(
    SELECT student_id, countIf(activity > 0) AS active
    FROM student_days FINAL
    WHERE day >= {since:Date}
    GROUP BY student_id
) AS d ON d.student_id = a.student_id
