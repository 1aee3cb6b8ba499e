-- Requests in which one name came with different values: parameter pollution.
-- set limit = 100: how many
SELECT time, client, "user", path, name,
  string_agg(source, ', ' ORDER BY place) AS sources,
  to_json(list(value ORDER BY place)) AS sent, event
FROM params
WHERE source IN ('query', 'form', 'json', 'file', 'cookie') AND name IS NOT NULL
  AND name NOT LIKE '%[]'
GROUP BY ALL
HAVING count(DISTINCT value) > 1 AND count(DISTINCT source) > 1
  OR count(DISTINCT value) > 1 AND bool_and(source = 'query')
ORDER BY time DESC, event, name
LIMIT $limit::UBIGINT
