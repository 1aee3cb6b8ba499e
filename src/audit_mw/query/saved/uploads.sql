-- Uploaded files: who sent what, where, how large; the digest finds the same file again.
-- set limit = 100: how many
SELECT time, "user", client, path, name, filename, type, len, sha256, event
FROM params
WHERE source = 'file'
ORDER BY time DESC, event, place
LIMIT $limit::UBIGINT
