"""How far each company's feed is read."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Updated with every batch: half of each page stays free, so that an update stays on its page.
CURSORS = """
CREATE TABLE cursors (
    company_id     uuid PRIMARY KEY,
    position       bigint NOT NULL CHECK (position > 0),  -- the last fact whose effects are done
    push_sequence  bigint NOT NULL,            -- the last sequence in PUSH when its batch was committed
    stats_due      bigint NOT NULL DEFAULT 0,  -- the last fact that may have changed the figures
    stats_pushed   bigint NOT NULL DEFAULT 0   -- the position that the figures pushed last reflect
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE ON cursors TO notifier_app;
"""


def upgrade() -> None:
    op.execute(CURSORS)


def downgrade() -> None:
    op.execute("DROP TABLE cursors")
