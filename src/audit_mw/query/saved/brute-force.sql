-- Clients with many failed logins within some minutes, and whether one succeeded after.
-- set failures = 5: how many
-- set minutes = 10: within how long
WITH counted AS (
  SELECT client, time, "user",
    count(*) OVER (
      PARTITION BY client ORDER BY time
      RANGE BETWEEN to_minutes($minutes::INTEGER) PRECEDING AND CURRENT ROW
    ) AS failures
  FROM session
  WHERE type LIKE 'authn_login%' AND outcome <> 'SUCCESS'
), suspects AS (
  SELECT client, max(failures) AS failures, count(DISTINCT "user") AS users,
    min(time) AS first, max(time) AS last
  FROM counted
  GROUP BY client
  HAVING max(failures) >= $failures::UBIGINT
)
SELECT suspects.*, (
  SELECT string_agg(DISTINCT "user", ', ' ORDER BY "user") FROM session
  WHERE session.client = suspects.client AND session.time >= suspects.first
    AND type LIKE 'authn_login%' AND outcome = 'SUCCESS'
) AS succeeded
FROM suspects
ORDER BY failures DESC, client
