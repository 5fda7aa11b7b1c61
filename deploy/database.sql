-- The user and the database of compose.replicas.yaml, made once, when its volume is empty.
-- The user may connect and owns one schema: no other right is needed.
\set password `cat /run/secrets/database_password`
CREATE ROLE geekai_video LOGIN CONNECTION LIMIT 50 PASSWORD :'password';
CREATE DATABASE geekai_video;
REVOKE ALL ON DATABASE geekai_video FROM PUBLIC;
GRANT CONNECT ON DATABASE geekai_video TO geekai_video;
\connect geekai_video
CREATE SCHEMA geekai_video AUTHORIZATION geekai_video;
