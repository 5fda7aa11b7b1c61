-- After a copy of the PostgreSQL database was restored, and before a server starts on it:
-- docs/hosting-replicas.md. What the copy knew and had not sent may have been sent and paid since,
-- and a server would send it a second time.
UPDATE geekai_video.task
SET status = 'unknown',
    attempt = attempt + 1,
    submitted_at = extract(epoch FROM now()),
    error_code = 'restored',
    error_message = 'This task comes from a backup, in which it had not been sent. The server may have'
        ' sent it since. It may have been charged. Look for it at GeekAI before it is sent again.'
WHERE status IN ('waiting', 'intended', 'submitting');
