-- How do the schools compare: students, active today and this week, with an open warning?
-- scope: aggregates
-- suppress: group=school_id size=students counts=active_today,active_week,warned
SELECT r.school_id                                AS school_id,
       count()                                    AS students,
       countIf(d.today > 0)                       AS active_today,
       countIf(d.week > 0)                        AS active_week,
       countIf(w.student_id != toUUIDOrZero(''))  AS warned
FROM (SELECT student_id, school_id FROM roster FINAL) AS r
LEFT JOIN
(
    SELECT student_id,
           sumIf(activity, day = {today:Date}) AS today,
           sum(activity)                       AS week
    FROM student_days FINAL
    WHERE day > {today:Date} - 7 AND day <= {today:Date}
    GROUP BY student_id
) AS d ON d.student_id = r.student_id
LEFT JOIN (SELECT DISTINCT student_id FROM warnings FINAL WHERE status = 'open') AS w ON w.student_id = r.student_id
GROUP BY school_id
ORDER BY school_id
