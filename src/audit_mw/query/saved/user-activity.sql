-- All that one user did, in all streams, in order of time; failed logins as well.
-- set user: for the user's name
SELECT time, stream, type, outcome, client, session, method, path, action, status,
  details ->> 'reason' AS reason, event
FROM events
WHERE "user" = coded($user)
ORDER BY time, stream, seq
