"""E-mail addresses of users are unique in their company: no answer depends on the users of another one."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ADDRESSES = """
ALTER TABLE users
    DROP CONSTRAINT users_email_key,
    ADD CONSTRAINT users_email_key UNIQUE (company_id, email);
CREATE INDEX users_by_email ON users (email);  -- all that somebody who logs in says
"""


def upgrade() -> None:
    op.execute(ADDRESSES)
