-- Which activities of a provider tell an outcome and have no skill?
-- scope: providers
-- good for: 30
SELECT activity,
       any(JSONExtractString(json, 'object', 'definition', 'name', 'en-US')) AS name,
       count()                AS statements,
       uniq(student_id)       AS students,
       max(stored)            AS last_at
FROM statements
WHERE provider_id = {provider:String}
  AND ({scope_all_providers:Bool} OR has({scope_providers:Array(String)}, toString(provider_id)))
  AND stored >= {since:DateTime64(6, 'UTC')}
  AND verb IN ('answered', 'scored', 'passed', 'failed')
  AND empty(skills)
GROUP BY activity
ORDER BY statements DESC, activity
LIMIT 20
