-- Where secrets were sent, by class and place; in a query they are in other logs as well.
SELECT class, source, name, path, count(*) AS times,
  count(DISTINCT hmac) AS different, min(time) AS first, max(time) AS last
FROM params
WHERE class IS NOT NULL AND class <> 'opaque'
GROUP BY class, source, name, path
ORDER BY (source = 'query') DESC, times DESC, class, source, name, path
