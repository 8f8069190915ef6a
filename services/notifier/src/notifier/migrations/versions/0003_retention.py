"""What is not kept for ever: old notifications, finished jobs, positions whose dead letter is gone."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN since timestamptz NOT NULL DEFAULT now()")
    op.execute("ALTER TABLE passed_over ADD COLUMN since timestamptz NOT NULL DEFAULT now()")
    op.execute("GRANT DELETE ON notifications, jobs TO notifier_writer")


def downgrade() -> None:
    raise NotImplementedError("forward only: what was forgotten does not come back")
