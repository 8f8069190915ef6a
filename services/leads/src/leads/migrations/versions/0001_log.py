"""The log, its outbox, the accounts and the list of leads."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANT_TABLES = ("companies", "users", "feeds", "events", "outbox", "idempotency", "leads")

TABLES = """
CREATE TABLE companies (
    company_id  uuid PRIMARY KEY,
    name        text NOT NULL
);

CREATE TABLE users (
    company_id     uuid NOT NULL REFERENCES companies,
    id             uuid NOT NULL,
    email          text NOT NULL CONSTRAINT users_email_key UNIQUE,  -- across companies: it is all that login knows
    name           text NOT NULL,
    role           text NOT NULL CHECK (role IN ('viewer', 'agent', 'manager', 'admin')),
    password_hash  text NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- One row a company: the lock of its writers, the source of its dense positions, the ETag of its lists.
-- Half of each page stays free, so that an update stays on its page and touches no index.
CREATE TABLE feeds (
    company_id  uuid PRIMARY KEY REFERENCES companies,
    position    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE events (
    company_id      uuid NOT NULL,
    feed_position   bigint NOT NULL CHECK (feed_position > 0),
    event_id        uuid NOT NULL CONSTRAINT events_event_id_key UNIQUE,
    stream_id       uuid NOT NULL,
    stream_version  integer NOT NULL CHECK (stream_version > 0),
    type            text NOT NULL,
    data            jsonb NOT NULL,
    metadata        jsonb NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (company_id, feed_position),
    CONSTRAINT events_stream_version_key UNIQUE (company_id, stream_id, stream_version)
);

-- A row exists = its event is not yet on the stream. Ids of one company follow its positions: they are drawn under
-- the feed's lock. The default CACHE 1 of the sequence is essential to that.
CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     uuid NOT NULL,
    feed_position  bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE idempotency (
    company_id   uuid NOT NULL,
    user_id      uuid NOT NULL,
    key          text NOT NULL,
    fingerprint  text NOT NULL,
    lead         jsonb NOT NULL,
    position     bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, user_id, key)
);

CREATE TABLE leads (
    company_id    uuid NOT NULL,
    id            uuid NOT NULL,
    name          text NOT NULL,
    email         text,
    phone         text,
    organisation  text,
    source        text,
    status        text NOT NULL,
    assigned_to   uuid,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    version       integer NOT NULL,
    PRIMARY KEY (company_id, id)
);
CREATE INDEX leads_newest ON leads (company_id, created_at DESC, id DESC);
CREATE INDEX leads_newest_by_status ON leads (company_id, status, created_at DESC, id DESC);
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_history();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();
"""

# A transaction without app.company sees nothing: the setting reads '' after a transaction that had set it.
ISOLATE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table}
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);
"""

LOGIN = """
-- The owner, as whom the function below runs, may look across companies; nobody else may.
CREATE POLICY login ON users FOR SELECT TO leads_owner USING (true);

-- The one question asked before the company is known.
CREATE FUNCTION credentials(login_email text)
    RETURNS TABLE (user_id uuid, company_id uuid, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT u.id, u.company_id, u.password_hash FROM public.users AS u WHERE u.email = login_email $$;
REVOKE ALL ON FUNCTION credentials FROM PUBLIC;
"""

GRANTS = """
GRANT SELECT ON companies TO leads_app;
GRANT SELECT (company_id, id, email, name, role) ON users TO leads_app;
GRANT SELECT, UPDATE (position) ON feeds TO leads_app;
GRANT SELECT, INSERT ON events TO leads_app;
GRANT INSERT ON outbox TO leads_app;
GRANT SELECT, INSERT ON idempotency TO leads_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON leads TO leads_app;
GRANT EXECUTE ON FUNCTION credentials TO leads_app;
GRANT SELECT ON events TO leads_relay;
GRANT SELECT, DELETE ON outbox TO leads_relay;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(APPEND_ONLY)
    for table in TENANT_TABLES:
        op.execute(ISOLATE.format(table=table))
    op.execute(LOGIN)
    op.execute(GRANTS)
