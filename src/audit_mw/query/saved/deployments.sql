-- Starts, ends, crashes and deployments of the service, in order of time.
SELECT time, type, outcome, instance, details ->> 'version' AS version,
  coalesce(details ->> 'responsible', details -> 'app' ->> 'by') AS who,
  details ->> 'reason' AS reason, event
FROM system
WHERE type IN ('sys_startup', 'sys_shutdown', 'sys_crash', 'sys_deploy', 'sys_restart',
  'sys_reload', 'sys_timeout')
ORDER BY time, instance, seq
