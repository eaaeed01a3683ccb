-- When was each provider last accepted, and how long is it usually between two minutes in which it is?
-- scope: everyone
WITH active AS
(
    SELECT provider_id,
           minute,
           toInt64(minute) - lagInFrame(toInt64(minute), 1, toInt64(minute))
               OVER (PARTITION BY provider_id ORDER BY minute ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap
    FROM provider_minutes
    WHERE minute >= {since:DateTime('UTC')} AND accepted > 0
    GROUP BY provider_id, minute
)
SELECT provider_id,
       max(minute)                          AS last_minute,
       count()                              AS minutes,
       quantileExactIf(0.9)(gap, gap > 0)   AS usual_gap_s
FROM active
GROUP BY provider_id
ORDER BY provider_id
