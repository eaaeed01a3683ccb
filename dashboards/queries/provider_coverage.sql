-- How much of what a provider sent is understood: verbs mapped, outcomes aligned to a skill?
-- scope: providers
-- good for: 30
SELECT count()                                                                    AS statements,
       countIf(verb != 'other')                                                   AS verb_known,
       countIf(verb IN ('answered', 'scored', 'passed', 'failed'))                AS outcomes,
       countIf(verb IN ('answered', 'scored', 'passed', 'failed') AND notEmpty(skills)) AS aligned
FROM statements
WHERE provider_id = {provider:String}
  AND ({scope_all_providers:Bool} OR has({scope_providers:Array(String)}, toString(provider_id)))
  AND stored >= {since:DateTime64(6, 'UTC')}
