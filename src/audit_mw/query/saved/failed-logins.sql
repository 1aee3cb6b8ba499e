-- Logins that failed, the latest first: who, from where, why.
-- set limit = 100: how many
SELECT time, "user", client, outcome, type, details ->> 'reason' AS reason,
  details ->> 'method' AS method, event
FROM session
WHERE type LIKE 'authn_login%' AND outcome <> 'SUCCESS'
ORDER BY time DESC, event
LIMIT $limit::UBIGINT
