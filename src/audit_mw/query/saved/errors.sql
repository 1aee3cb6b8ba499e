-- Requests that ended in an error, with what was raised or shown, the latest first.
-- set limit = 100: how many
SELECT request.time, request.outcome, request.status, request.client, request."user",
  request.method, request.path,
  coalesce(request.details ->> 'reason', told.reason) AS reason,
  told.raised, request.event
FROM request
LEFT JOIN (
  SELECT event, any_value(details ->> 'reason') AS reason,
    any_value(regexp_extract(
      replace(details ->> 'traceback', '%0A', chr(10)), '([^\n]+)\n*$', 1)) AS raised
  FROM events
  WHERE stream IN ('error', 'fault')
  GROUP BY event
) AS told ON told.event = request.event
WHERE request.outcome IN ('ERROR', 'ABORTED') OR told.event IS NOT NULL
ORDER BY request.time DESC, request.event
LIMIT $limit::UBIGINT
