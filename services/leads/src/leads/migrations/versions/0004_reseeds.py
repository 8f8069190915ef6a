"""Requests to publish facts once more, and how far the relay is with each."""

from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reseeds (
    generation    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    begun_at      timestamptz,  -- when the relay took note of it; from then on its companies' outbox rows wait
    ended_at      timestamptz,
    facts         bigint  -- that it published; NULL: another one took its place
);
CREATE UNIQUE INDEX reseeds_one_at_a_time ON reseeds ((true)) WHERE ended_at IS NULL;

-- As long as it is under way.
CREATE TABLE reseed_companies (
    generation      integer NOT NULL REFERENCES reseeds,
    company_id      uuid NOT NULL,
    begins_after    bigint NOT NULL,
    position        bigint NOT NULL,  -- published up to here
    until_position  bigint,  -- where the feed was when the relay began
    PRIMARY KEY (generation, company_id)
) WITH (fillfactor = 50);

ALTER TABLE reseed_companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE reseed_companies FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON reseed_companies
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);

GRANT SELECT ON companies, feeds TO leads_relay;
GRANT SELECT, INSERT, UPDATE ON reseeds TO leads_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON reseed_companies TO leads_relay;
"""


def upgrade() -> None:
    op.execute(TABLES)
