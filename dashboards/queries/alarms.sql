-- What stands and has to be looked at, and what was over within the last day?
-- scope: operations
SELECT alarm, subject, since, until, message
FROM alarms FINAL
WHERE until IS NULL OR until >= {since:DateTime64(6, 'UTC')}
ORDER BY until IS NULL DESC, since DESC
LIMIT 30
