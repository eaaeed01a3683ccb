-- How many warnings were raised and cleared on each of the last days?
-- scope: aggregates
SELECT day, sum(was_raised) AS raised, sum(was_cleared) AS cleared
FROM
(
    SELECT raised_on AS day, 1 AS was_raised, 0 AS was_cleared
    FROM warnings FINAL
    WHERE status != 'withdrawn' AND raised_on >= {since:Date}
    UNION ALL
    SELECT assumeNotNull(cleared_on) AS day, 0 AS was_raised, 1 AS was_cleared
    FROM warnings FINAL
    WHERE status = 'cleared' AND cleared_on >= {since:Date}
)
GROUP BY day
ORDER BY day
