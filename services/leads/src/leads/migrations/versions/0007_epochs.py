"""The log's epoch: it changes when positions are used again, because an older state of the log was restored."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
-- The last row is the current epoch. Ids are random: a database that was restored must not use one a second time.
CREATE TABLE epochs (
    number    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        text NOT NULL UNIQUE DEFAULT replace(gen_random_uuid()::text, '-', ''),
    began_at  timestamptz NOT NULL DEFAULT now(),
    reason    text NOT NULL
);

-- The last position that a company's feed shares with earlier epochs. A company without a row shares its whole feed.
CREATE TABLE epoch_forks (
    number      integer NOT NULL REFERENCES epochs,
    company_id  uuid NOT NULL,
    position    bigint NOT NULL CHECK (position >= 0),
    PRIMARY KEY (number, company_id)
);
CREATE INDEX epoch_forks_company ON epoch_forks (company_id, number);
ALTER TABLE epoch_forks ENABLE ROW LEVEL SECURITY;
ALTER TABLE epoch_forks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON epoch_forks
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);

-- Up to which sequence of the stream CRM the relay knows that every message is in the log. One row.
CREATE TABLE relay_marks (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    sequence  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO relay_marks DEFAULT VALUES;

INSERT INTO epochs (reason) VALUES ('first');

GRANT SELECT ON epochs, epoch_forks TO leads_app;
GRANT SELECT, INSERT ON epochs, epoch_forks TO leads_relay;
GRANT SELECT, UPDATE ON relay_marks TO leads_relay;
"""
# Called by restore.sh, and by whoever restores in another way, before anybody writes: every feed is as it will go on.
BEGIN = """
CREATE FUNCTION begin_epoch(why text) RETURNS text LANGUAGE sql SET search_path = public AS $$
    WITH begun AS (INSERT INTO epochs (reason) VALUES (why) RETURNING number, id),
    forked AS (
        INSERT INTO epoch_forks (number, company_id, position)
        SELECT begun.number, feeds.company_id, feeds.position FROM begun, feeds
    )
    SELECT id FROM begun
$$;
REVOKE EXECUTE ON FUNCTION begin_epoch(text) FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(BEGIN)
