-- Clients whose user agent says that it is a program, or that sent none.
-- set limit = 50: how many
SELECT agents.agent, request.client, count(*) AS requests,
  count(DISTINCT request.path) AS paths,
  count(*) FILTER (request.status = 404) AS not_found, max(request.time) AS last
FROM request
LEFT JOIN (
  SELECT event, any_value(value) AS agent FROM params
  WHERE stream = 'request' AND source = 'header' AND lower(name) = 'user-agent'
  GROUP BY event
) AS agents ON agents.event = request.event
WHERE request.type = 'request' AND (
  agents.agent IS NULL OR agents.agent = '' OR regexp_matches(lower(agents.agent),
    'bot|crawl|spider|scan|curl|wget|python|go-http|java/|libwww|headless|sqlmap|nikto|nmap')
)
GROUP BY agents.agent, request.client
ORDER BY requests DESC, agents.agent, request.client
LIMIT $limit::UBIGINT
