-- Which verbs of a provider have no meaning to the platform yet?
-- scope: providers
-- good for: 30
SELECT verb_iri, count() AS statements, max(stored) AS last_at
FROM statements
WHERE provider_id = {provider:String}
  AND ({scope_all_providers:Bool} OR has({scope_providers:Array(String)}, toString(provider_id)))
  AND stored >= {since:DateTime64(6, 'UTC')}
  AND verb = 'other'
GROUP BY verb_iri
ORDER BY statements DESC, verb_iri
LIMIT 50
