"""Why a job does not get on, and since when: an attempt that the database's absence ended does not count at first."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REASONS = """
ALTER TABLE jobs
    ADD COLUMN reason text,                -- what the last attempt failed with, since the job last got on
    ADD COLUMN failing_since timestamptz;  -- when the first attempt of these failed
"""


def upgrade() -> None:
    op.execute(REASONS)
