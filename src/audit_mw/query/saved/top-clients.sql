-- Clients by number of requests: how many failed, how much was sent, how long it took.
-- set limit = 20: how many clients
SELECT client, count(*) AS requests,
  count(*) FILTER (outcome <> 'SUCCESS') AS failed,
  count(DISTINCT "user") AS users,
  sum(sent)::UBIGINT AS sent,
  round(sum(micros) / 1e6, 3) AS seconds,
  min(time) AS first, max(time) AS last
FROM request
GROUP BY client
ORDER BY requests DESC, client
LIMIT $limit::UBIGINT
