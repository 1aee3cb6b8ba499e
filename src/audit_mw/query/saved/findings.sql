-- What was odd by itself, and what the application told of: the stream security, by type.
SELECT type, client, count(*) AS times, count(DISTINCT "user") AS users,
  string_agg(DISTINCT details ->> 'reason', '; ' ORDER BY details ->> 'reason') AS reasons,
  min(time) AS first, max(time) AS last
FROM security
GROUP BY type, client
ORDER BY times DESC, type, client
