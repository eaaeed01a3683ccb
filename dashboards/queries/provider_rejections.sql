-- Why were a provider's requests refused, or statements kept aside (status 200): which rule, where, how often, and what is to be done?
-- scope: providers
SELECT rule,
       path,
       count()                AS faults,
       uniqExact(f.request_id) AS requests,
       min(at)                AS first_at,
       max(at)                AS last_at,
       f.status               AS status,
       argMax(section, at)    AS section,
       argMax(message, at)    AS message,
       argMax(fix, at)        AS fix,
       argMax(value, at)      AS value,
       argMax(f.request_id, at) AS request_id
FROM
(
    SELECT rule, replaceRegexpOne(r.path, '^\\$\\[\\d+\\]', '$[*]') AS path, request_id, at, status, section, message,
           fix, value
    FROM rejections AS r FINAL
    WHERE provider_id = {provider:String}
      AND ({scope_all_providers:Bool} OR has({scope_providers:Array(String)}, toString(provider_id)))
      AND at >= {since:DateTime64(6, 'UTC')}
) AS f
GROUP BY rule, path, status
ORDER BY faults DESC, rule, path, status
LIMIT 50
