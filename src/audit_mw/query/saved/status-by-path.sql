-- How requests were answered, by path: a count for each class of status.
-- set limit = 50: how many paths
SELECT path, count(*) AS requests,
  count(*) FILTER (status < 300) AS "2xx",
  count(*) FILTER (status BETWEEN 300 AND 399) AS "3xx",
  count(*) FILTER (status BETWEEN 400 AND 499) AS "4xx",
  count(*) FILTER (status >= 500) AS "5xx",
  count(*) FILTER (status IS NULL) AS "none"
FROM request
WHERE type = 'request'
GROUP BY path
ORDER BY requests DESC, path
LIMIT $limit::UBIGINT
