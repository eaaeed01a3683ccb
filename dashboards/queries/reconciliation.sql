-- Is everything that was accepted accounted for, per provider and hour?
-- scope: operations
-- good for: 15
SELECT *
FROM reconciliation(since = {since:DateTime('UTC')}, through = {through:DateTime('UTC')})
ORDER BY hour DESC, provider_id
