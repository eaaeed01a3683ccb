-- What did these students do on each of the last days?
-- scope: students
SELECT toString(student_id) AS student_id, groupArray((day, activity)) AS days
FROM
(
    SELECT student_id, day, activity
    FROM student_days FINAL
    WHERE student_id IN (SELECT toUUID(arrayJoin({students:Array(String)})))
      AND student_id IN (SELECT student_id FROM allowed)
      AND day >= {since:Date}
    ORDER BY student_id, day
)
GROUP BY student_id
