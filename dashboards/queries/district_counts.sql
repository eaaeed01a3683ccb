-- How many students does the district have, how many have an open warning, and how many are not linked to the roster?
-- scope: aggregates
SELECT (SELECT count() FROM roster FINAL) AS enrolled,
       (
           SELECT uniqExact(student_id)
           FROM warnings FINAL
           WHERE status = 'open' AND student_id IN (SELECT student_id FROM roster FINAL)
       ) AS warned,
       (
           SELECT count()
           FROM warnings FINAL
           WHERE status = 'open' AND student_id IN (SELECT student_id FROM roster FINAL)
       ) AS open_warnings,
       (
           SELECT uniqExact(student_id)
           FROM student_days
           WHERE day >= {since:Date} AND student_id NOT IN (SELECT student_id FROM roster FINAL)
       ) AS unlinked
