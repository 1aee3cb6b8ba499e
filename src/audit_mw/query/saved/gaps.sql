-- Records that are missing by their numbers, and what the trail says of its own gaps.
SELECT instance, stream, after + 1 AS first_missing, seq - 1 AS last_missing,
  seq - after - 1 AS missing, NULL AS told, NULL AS event
FROM (
  SELECT instance, stream, seq,
    coalesce(lag(seq) OVER (PARTITION BY instance, stream ORDER BY seq), 0) AS after
  FROM (SELECT DISTINCT instance, stream, seq FROM events)
)
WHERE seq > after + 1
UNION ALL
SELECT instance, stream, NULL, NULL, (details ->> 'count')::UBIGINT,
  type || coalesce(': ' || (details ->> 'reason'), ''), event
FROM system
WHERE type IN ('log_gap', 'log_refused', 'sys_crash')
ORDER BY instance, stream, first_missing, told
