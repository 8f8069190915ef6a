"""What rebuild and verify need: the owner looks across companies, and knows which it has looked at."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Only to look: what it writes, it writes company by company.
OVERVIEW = """
CREATE POLICY overview ON feeds FOR SELECT TO leads_owner USING (true);
CREATE POLICY overview ON events FOR SELECT TO leads_owner USING (true);
CREATE POLICY overview ON outbox FOR SELECT TO leads_owner USING (true);
"""

VERIFIED = """
-- The companies that `leads verify` is done with, until it is through.
CREATE TABLE verified_companies (
    company_id  uuid PRIMARY KEY,
    verified_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE verified_companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE verified_companies FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON verified_companies
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);
CREATE POLICY overview ON verified_companies TO leads_owner USING (true) WITH CHECK (true);
"""


def upgrade() -> None:
    op.execute(OVERVIEW)
    op.execute(VERIFIED)
