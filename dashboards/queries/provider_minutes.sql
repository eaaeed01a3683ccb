-- What did each provider send in each step of time, and how fast was it answered?
-- scope: providers
SELECT provider_id,
       toStartOfInterval(minute, toIntervalSecond({step_s:UInt32})) AS at,
       sum(requests)                  AS requests,
       sum(accepted)                  AS accepted,
       sum(rejected)                  AS rejected,
       sumForEach(latency_buckets)    AS latency_buckets
FROM provider_minutes FINAL
WHERE minute >= {since:DateTime('UTC')}
  AND ({scope_all_providers:Bool} OR has({scope_providers:Array(String)}, toString(provider_id)))
  AND ({provider:String} = '' OR provider_id = {provider:String})
GROUP BY provider_id, at
ORDER BY provider_id, at
