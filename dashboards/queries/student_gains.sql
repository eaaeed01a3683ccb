-- In which skills did a student's results rise, before a day and since?
-- scope: student
SELECT skill_id,
       countIf(timestamp < {since:DateTime64(6, 'UTC')})         AS before_n,
       avgIf(outcome, timestamp < {since:DateTime64(6, 'UTC')})  AS before_mean,
       countIf(timestamp >= {since:DateTime64(6, 'UTC')})        AS after_n,
       avgIf(outcome, timestamp >= {since:DateTime64(6, 'UTC')}) AS after_mean
FROM attempts FINAL
ARRAY JOIN skills AS skill_id
WHERE student_id = {student:UUID}
GROUP BY skill_id
ORDER BY skill_id
