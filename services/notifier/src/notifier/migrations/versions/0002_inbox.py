"""Inboxes, what waits to be pushed to their users, and what the feeds left behind."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
-- One row a user who was ever notified. Every change locks it first: it puts all changes of an inbox, and their pushes,
-- into one order.
CREATE TABLE inboxes (
    company_id uuid,
    user_id    uuid,
    number     bigint NOT NULL,  -- of the newest notification
    unread     bigint NOT NULL CHECK (unread >= 0),
    revision   bigint NOT NULL,  -- how many changes, and so how many pushes, there were
    PRIMARY KEY (company_id, user_id)
) WITH (fillfactor = 50);

CREATE TABLE notifications (
    id         uuid PRIMARY KEY,  -- derived from fact, recipient and kind: made again, it is the same one
    company_id uuid NOT NULL,
    user_id    uuid NOT NULL,
    number     bigint NOT NULL,   -- dense from 1 in the inbox
    body       jsonb NOT NULL,
    read_at    timestamptz,
    UNIQUE (company_id, user_id, number)
) WITH (fillfactor = 90);
CREATE INDEX notifications_unread ON notifications (company_id, user_id, number) WHERE read_at IS NULL;

-- The kinds of notifications that a user does not want.
CREATE TABLE muted (
    company_id uuid,
    user_id    uuid,
    kind       text,
    PRIMARY KEY (company_id, user_id, kind)
);

-- A row exists = its push is not known to be stored. Read in the order of ids, which within one inbox is the order of
-- its changes: its row is locked when the id is taken.
CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     uuid NOT NULL,
    user_id        uuid NOT NULL,
    key            text NOT NULL,
    event          text NOT NULL,
    data           jsonb NOT NULL,
    except_socket  text,
    correlation_id text
);

-- Positions below the cursor that had no effect: they are dead letters. Whoever applies one takes its row away.
CREATE TABLE passed_over (
    company_id uuid,
    position   bigint,
    PRIMARY KEY (company_id, position)
);

-- Whose access tokens are void that were issued before a moment: users who were deactivated.
CREATE TABLE ended_tokens (
    company_id uuid,
    user_id    uuid,
    since      timestamptz NOT NULL,
    PRIMARY KEY (company_id, user_id)
);

CREATE TABLE jobs (
    company_id uuid,
    job_id     text,
    count      bigint NOT NULL,             -- its facts so far
    position   bigint NOT NULL,             -- of the last of them
    signalled  bigint NOT NULL DEFAULT 0,   -- the position that the last signal told
    PRIMARY KEY (company_id, job_id)
) WITH (fillfactor = 50);
CREATE INDEX jobs_owed ON jobs (company_id) WHERE signalled < position;
"""

# The active process writes for every company: its role is not under row-level security. Requests are, by user.
GRANTS = """
REVOKE ALL ON cursors FROM notifier_app;
GRANT SELECT, INSERT, UPDATE ON cursors, inboxes, jobs, ended_tokens TO notifier_writer;
GRANT SELECT, INSERT ON notifications TO notifier_writer;
GRANT SELECT ON muted TO notifier_writer;
GRANT SELECT, INSERT, DELETE ON outbox, passed_over TO notifier_writer;

GRANT SELECT, UPDATE (unread, revision) ON inboxes TO notifier_app;
GRANT SELECT, UPDATE (read_at) ON notifications TO notifier_app;
GRANT SELECT, INSERT, DELETE ON muted TO notifier_app;
GRANT INSERT ON outbox TO notifier_app;
GRANT SELECT ON ended_tokens TO notifier_app;
"""

PRIVATE = ("cursors", "jobs", "passed_over")
PERSONAL = ("inboxes", "notifications", "muted", "outbox", "ended_tokens")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GRANTS)
    for table in (*PRIVATE, *PERSONAL):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table in PERSONAL:
        op.execute(f"""
            CREATE POLICY own ON {table} TO notifier_app
            USING (company_id = nullif(current_setting('app.company', true), '')::uuid
                   AND user_id = nullif(current_setting('app.user', true), '')::uuid)
        """)


def downgrade() -> None:
    raise NotImplementedError("forward only: it would throw notifications away")
