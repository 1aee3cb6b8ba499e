-- Users who came from an address from which they did not come before, within the trail.
-- set days = 7: of how many days, up to the last record
WITH seen AS (
  SELECT "user", client, min(time) AS first, count(*) AS requests
  FROM request
  WHERE "user" IS NOT NULL AND client IS NOT NULL
  GROUP BY "user", client
), known AS (
  SELECT *, count(*) OVER (PARTITION BY "user" ORDER BY first) - 1 AS known_before
  FROM seen
)
SELECT "user", client, first, requests, known_before
FROM known
WHERE known_before > 0
  AND first >= (SELECT max(first) FROM seen) - to_days($days::INTEGER)
ORDER BY first DESC, "user", client
