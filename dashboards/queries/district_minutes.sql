-- How many statements were accepted in each of the last minutes, and since midnight?
-- scope: aggregates
SELECT minute, sum(accepted) AS accepted, sum(rejected) AS rejected
FROM provider_minutes FINAL
WHERE minute >= {since:DateTime('UTC')}
GROUP BY minute
ORDER BY minute
