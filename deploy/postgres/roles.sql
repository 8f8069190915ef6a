-- The roles and databases of Leadwire. Run by a superuser with psql, any number of times; passwords are set apart.
-- An owner migrates; an app role answers requests under row-level security; the relay reads every company's
-- outbox, the notifier's writer writes every company's inboxes.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['leads_owner', 'leads_app', 'leads_relay', 'notifier_owner', 'notifier_app', 'notifier_writer']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE leads_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
ALTER ROLE leads_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
ALTER ROLE leads_relay LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS;
ALTER ROLE notifier_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
ALTER ROLE notifier_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
ALTER ROLE notifier_writer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS;

SELECT 'CREATE DATABASE leads OWNER leads_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'leads')
\gexec
SELECT 'CREATE DATABASE notifier OWNER notifier_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'notifier')
\gexec

-- Nobody connects anywhere by default.
REVOKE ALL ON DATABASE postgres, template1, leads, notifier FROM PUBLIC;
GRANT CONNECT ON DATABASE leads TO leads_app, leads_relay;
GRANT CONNECT ON DATABASE notifier TO notifier_app, notifier_writer;

-- What the tables grant is the migrations' business.
\connect leads
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO leads_app, leads_relay;
\connect notifier
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO notifier_app, notifier_writer;
