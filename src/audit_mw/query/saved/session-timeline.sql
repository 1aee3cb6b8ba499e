-- All that one session did, in all streams, in order of time.
-- set session: for the digest of a session, as column session has it
SELECT time, stream, type, outcome, "user", client, method, path, status,
  details ->> 'reason' AS reason, event
FROM events
WHERE session = $session OR (details ->> 'session_before') = $session
ORDER BY time, stream, seq
