-- Paths by the time that their requests took: median, 95th and 99th percentile, in ms.
-- set requests = 1: at least how many a path
-- set limit = 20: how many paths
SELECT method, path, count(*) AS requests,
  round(quantile_cont(micros, 0.5) / 1000, 1) AS median,
  round(quantile_cont(micros, 0.95) / 1000, 1) AS p95,
  round(quantile_cont(micros, 0.99) / 1000, 1) AS p99,
  round(max(micros) / 1000, 1) AS slowest,
  arg_max(event, micros) AS event
FROM request
WHERE type = 'request' AND micros IS NOT NULL
GROUP BY method, path
HAVING count(*) >= $requests::UBIGINT
ORDER BY p95 DESC, method, path
LIMIT $limit::UBIGINT
