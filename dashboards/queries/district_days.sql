-- What did the students of the roster do on each of the last days?
-- scope: aggregates
SELECT day,
       uniqExactIf(student_id, d.activity > 0) AS active,
       sum(d.activity)                         AS activity,
       sum(d.attempts)                         AS attempts,
       sum(d.successes)                        AS successes
FROM (SELECT * FROM student_days FINAL) AS d
WHERE day >= {since:Date} AND student_id IN (SELECT student_id FROM roster FINAL)
GROUP BY day
ORDER BY day
