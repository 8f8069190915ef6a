"""The time that facts bear is PostgreSQL's, and never goes back within a company."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# What a company's writers have come to; an update of it stays on its page like that of the position.
COLUMN = "ALTER TABLE feeds ADD COLUMN clock timestamptz NOT NULL DEFAULT '-infinity'"
CLOCK = """
-- The time of whatever is recorded now. A server that takes over may have a clock that is behind: then time stands
-- still until it has caught up.
CREATE FUNCTION feed_clock(last timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN greatest(last, clock_timestamp());
REVOKE EXECUTE ON FUNCTION feed_clock(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_clock(timestamptz) TO leads_app;
GRANT UPDATE (clock) ON feeds TO leads_app;
"""
# Earlier facts may bear the time of a host that was ahead. Row-level security lets the owner write company by company.
BEGIN = """
DO $$
DECLARE
    company uuid;
BEGIN
    FOR company IN SELECT company_id FROM feeds LOOP
        PERFORM set_config('app.company', company::text, true);
        UPDATE feeds AS f SET clock = e.recorded_at FROM events AS e
        WHERE f.company_id = company AND e.company_id = company AND e.feed_position = f.position;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(CLOCK)
    op.execute(BEGIN)
