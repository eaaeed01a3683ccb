-- What are these students taken to know?
-- scope: students
SELECT toString(k.student_id)             AS student_id,
       k.skill_id                         AS skill_id,
       k.attempts                         AS attempts,
       k.successes                        AS successes,
       k.rating                           AS rating,
       k.mastery                          AS mastery,
       k.low                              AS low,
       k.high                             AS high,
       k.recent                           AS recent,
       k.first_at                         AS first_at,
       k.last_at                          AS last_at,
       k.memory                           AS memory,
       k.calibration                      AS calibration,
       s.rating                           AS student_rating,
       s.attempts                         AS student_attempts,
       s.memory                           AS student_memory
FROM
(
    SELECT *
    FROM skill_states FINAL
    WHERE student_id IN (SELECT toUUID(arrayJoin({students:Array(String)})))
      AND student_id IN (SELECT student_id FROM allowed)
) AS k
LEFT JOIN
(
    SELECT *
    FROM student_states FINAL
    WHERE student_id IN (SELECT toUUID(arrayJoin({students:Array(String)})))
) AS s ON s.student_id = k.student_id
ORDER BY student_id, skill_id
