-- What is a student taken to know?
-- scope: student
SELECT k.skill_id                         AS skill_id,
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
FROM (SELECT * FROM skill_states FINAL WHERE student_id = {student:UUID}) AS k
LEFT JOIN (SELECT * FROM student_states FINAL WHERE student_id = {student:UUID}) AS s ON s.student_id = k.student_id
ORDER BY skill_id
