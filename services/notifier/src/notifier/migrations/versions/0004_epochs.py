"""What a cursor remembers of the facts it has passed, so that others in their place are noticed."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE cursors
    ADD COLUMN epoch   text,                      -- the log's, when the last fact was applied; NULL before it had any
    ADD COLUMN digests bytea NOT NULL DEFAULT ''; -- eight bytes for each of the last facts, the newest one last
ALTER TABLE ended_tokens
    ADD COLUMN position bigint NOT NULL DEFAULT 0, -- of the fact that says so
    ADD COLUMN before   timestamptz;               -- what `since` was before it
GRANT DELETE ON cursors, ended_tokens TO notifier_writer;
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    raise NotImplementedError("forward only: older releases ignore the columns")
