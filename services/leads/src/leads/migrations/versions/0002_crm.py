"""A whole CRM: settings of companies, more about a lead, its chat, what was deleted or merged, and counters."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "pipelines",
    "sources",
    "custom_fields",
    "saved_views",
    "lead_messages",
    "deleted_leads",
    "merged_leads",
    "counters",
    "rotations",
)

# Every change of a company's settings (users, pipeline, sources, fields) raises `settings_version` under the feed's
# lock. A process keeps them in memory, and each transaction that reads the feed's row sees whether it still may.
COMPANIES = """
ALTER TABLE companies
    ADD COLUMN region text CHECK (region ~ '^[A-Z]{2}$'),      -- of phone numbers without a country code (ISO 3166)
    ADD COLUMN currency text CHECK (currency ~ '^[A-Z]{3}$');  -- of values without one (ISO 4217)

ALTER TABLE feeds ADD COLUMN settings_version bigint NOT NULL DEFAULT 0;

ALTER TABLE users
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN version integer NOT NULL DEFAULT 0,  -- of the user's facts; 0 for one who was provisioned
    ADD COLUMN tokens_since timestamptz;  -- access tokens from before are void; NULL: none is

CREATE TABLE pipelines (
    company_id  uuid PRIMARY KEY REFERENCES companies,
    stages      jsonb NOT NULL,  -- of contracts.events.Stage, in order
    version     integer NOT NULL  -- of its facts; 0 for the one that came with the company
);
ALTER TABLE companies NO FORCE ROW LEVEL SECURITY;  -- else the owner would see none of them
INSERT INTO pipelines (company_id, stages, version)
SELECT company_id, '[
    {"key": "new", "name": "New", "kind": "open"},
    {"key": "contacted", "name": "Contacted", "kind": "open"},
    {"key": "qualified", "name": "Qualified", "kind": "open"},
    {"key": "won", "name": "Won", "kind": "won"},
    {"key": "lost", "name": "Lost", "kind": "lost"}
]', 0 FROM companies;
ALTER TABLE companies FORCE ROW LEVEL SECURITY;

CREATE TABLE sources (
    company_id  uuid NOT NULL REFERENCES companies,
    key         text NOT NULL,  -- what leads name
    name        text NOT NULL,
    active      boolean NOT NULL DEFAULT true,
    PRIMARY KEY (company_id, key)
);

CREATE TABLE custom_fields (
    company_id  uuid NOT NULL REFERENCES companies,
    key         text NOT NULL,
    label       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'date', 'choice', 'choices', 'url')),
    choices     text[] NOT NULL DEFAULT '{}',
    required    boolean NOT NULL DEFAULT false,
    active      boolean NOT NULL DEFAULT true,
    position    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, key)
);

CREATE TABLE saved_views (
    company_id  uuid NOT NULL REFERENCES companies,
    id          uuid NOT NULL,
    owner       uuid NOT NULL,
    name        text NOT NULL,
    query       jsonb NOT NULL,  -- parameters of GET /leads
    shared      boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- Whose turn it is to get the next lead.
CREATE TABLE rotations (
    company_id  uuid PRIMARY KEY REFERENCES companies,
    last_user   uuid NOT NULL
);
"""

LEADS = """
-- The whole answer, whatever it was about.
ALTER TABLE idempotency NO FORCE ROW LEVEL SECURITY;  -- else the owner would see none of them
ALTER TABLE idempotency RENAME COLUMN lead TO answer;
UPDATE idempotency SET answer = jsonb_build_object('lead', answer, 'position', position);
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency DROP COLUMN position;

ALTER TABLE leads
    ADD COLUMN title text,
    ADD COLUMN status_since timestamptz,
    ADD COLUMN lost_reason text,
    ADD COLUMN value numeric(15, 2),
    ADD COLUMN currency text,
    ADD COLUMN score smallint,
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN custom jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN messages integer NOT NULL DEFAULT 0,
    ADD COLUMN contact_id uuid,
    ADD COLUMN deal_id uuid,
    ADD COLUMN converted_at timestamptz,
    ADD COLUMN name_key text COLLATE "C",  -- the folded name, by which a list is sorted
    ADD COLUMN search tsvector;  -- of `leads.domain.search.lexemes`; none until `leads migrate` has filled it
CREATE INDEX leads_unfilled ON leads (company_id, id) WHERE search IS NULL;
CREATE INDEX leads_by_name ON leads (company_id, name_key, id);
-- Without a list of what is yet to be indexed: each month that is searched would read all of it.
CREATE INDEX leads_search ON leads USING gin (search) WITH (fastupdate = off);
CREATE INDEX leads_newest_by_assignee ON leads (company_id, assigned_to, created_at DESC, id DESC);
CREATE INDEX leads_by_email ON leads (company_id, email) WHERE email IS NOT NULL;
CREATE INDEX leads_by_phone ON leads (company_id, phone) WHERE phone IS NOT NULL;

CREATE TABLE lead_messages (
    company_id     uuid NOT NULL,
    lead_id        uuid NOT NULL,
    id             uuid NOT NULL,
    author         uuid NOT NULL,
    body           text NOT NULL,
    mentions       uuid[] NOT NULL DEFAULT '{}',
    posted_at      timestamptz NOT NULL,
    edited_at      timestamptz,
    feed_position  bigint NOT NULL,  -- of the fact that posted it: the order of a chat
    PRIMARY KEY (company_id, id)
);
CREATE INDEX lead_messages_in_order ON lead_messages (company_id, lead_id, feed_position);

CREATE TABLE deleted_leads (
    company_id   uuid NOT NULL,
    id           uuid NOT NULL,
    lead         jsonb NOT NULL,  -- its last summary
    deleted_at   timestamptz NOT NULL,
    deleted_by   uuid,
    merged_into  uuid,
    PRIMARY KEY (company_id, id)
);
CREATE INDEX deleted_leads_newest ON deleted_leads (company_id, deleted_at DESC, id DESC);

-- Whose history is readable from whom.
CREATE TABLE merged_leads (
    company_id   uuid NOT NULL,
    survivor_id  uuid NOT NULL,
    merged_id    uuid NOT NULL,
    PRIMARY KEY (company_id, survivor_id, merged_id)
);

-- What GET /stats adds up; changed in the transaction of the fact, under the feed's lock.
CREATE TABLE counters (
    company_id  uuid NOT NULL,
    dimension   text NOT NULL,
    key         text NOT NULL,
    count       bigint NOT NULL,
    PRIMARY KEY (company_id, dimension, key)
) WITH (fillfactor = 50);
"""

# A transaction without app.company sees nothing: the setting reads '' after a transaction that had set it.
ISOLATE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table}
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);
"""

LOGIN = """
CREATE OR REPLACE FUNCTION credentials(login_email text)
    RETURNS TABLE (user_id uuid, company_id uuid, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT u.id, u.company_id, u.password_hash FROM public.users AS u WHERE u.email = login_email AND u.active $$;
"""

SEARCH = r"""
-- The owner, as whom the function below runs, may look across companies; nobody else may.
CREATE POLICY search ON leads FOR SELECT TO leads_owner USING (true);

-- The company's leads that match, newest first. Below a policy `@@` could not use its index: it is not leakproof.
-- Whoever asks gets ids of their own company only, and reads the rows under row-level security.
--
-- Each lexeme begins with its company and the month of its lead (`leads.domain.search.scope`): in what is wanted,
-- U&'\0001' stands for both. So the months are searched one by one, from the newest until there are enough
-- leads. The planner cannot tell how many leads a word has, so that it is tried; what IS TRUE shall not use an index:
-- 1. The newest ten thousand leads are looked at one by one: words of many leads are met soon.
-- 2. If the whole words have few leads in the month, those are looked at: what begins like the last word may be much.
-- 3. Else the index finds what has all of them, also in earlier months: words that are many once are many often.
CREATE FUNCTION matching_leads(whole text, beginning text, before_at timestamptz, before_id uuid, at_most bigint)
    RETURNS TABLE (lead_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET work_mem = '32MB'
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off  -- nothing is planned anew for each month
    AS $$
DECLARE
    few CONSTANT integer := 200;
    company CONSTANT uuid := nullif(current_setting('app.company', true), '')::uuid;
    scope CONSTANT text := translate(encode(substring(uuid_send(company) FROM 14), 'base64'), '+/', '-_');
    mark_at timestamptz := coalesce(before_at, 'infinity');
    mark_id uuid := coalesce(before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    missing bigint := at_most;
    to_walk integer := CASE WHEN at_most IS NULL THEN 0 ELSE 10000 END;
    month timestamptz;
    words tsquery;
    starts tsquery;
    wanted tsquery;
    looked_up tsquery;
    lead record;
    are_few boolean := true;
    counted bigint;
BEGIN
    LOOP
        SELECT date_trunc('month', l.created_at, 'UTC') INTO month FROM public.leads AS l
        WHERE l.company_id = company AND (l.created_at, l.id) < (mark_at, mark_id)
        ORDER BY l.created_at DESC, l.id DESC LIMIT 1;
        EXIT WHEN month IS NULL;
        words := replace(whole, U&'\0001', scope || to_char(month AT TIME ZONE 'UTC', 'YYMM'))::tsquery;
        starts := replace(beginning, U&'\0001', scope || to_char(month AT TIME ZONE 'UTC', 'YYMM'))::tsquery;
        wanted := coalesce(words && starts, words, starts);

        IF to_walk > 0 THEN
            FOR lead IN
                SELECT l.id, l.created_at, l.search @@ wanted AS fits FROM public.leads AS l
                WHERE l.company_id = company AND (l.created_at, l.id) < (mark_at, mark_id) AND l.created_at >= month
                ORDER BY l.created_at DESC, l.id DESC LIMIT 10000
            LOOP
                mark_at := lead.created_at;
                mark_id := lead.id;
                to_walk := to_walk - 1;
                IF lead.fits THEN
                    lead_id := lead.id;
                    RETURN NEXT;
                    missing := missing - 1;
                END IF;
                EXIT WHEN to_walk = 0 OR missing = 0;
            END LOOP;
            EXIT WHEN missing = 0;
            CONTINUE;
        END IF;

        IF are_few AND words && starts IS NOT NULL THEN
            SELECT count(*) INTO counted FROM (
                SELECT FROM public.leads AS l
                WHERE l.search @@ words AND (l.company_id = company) IS TRUE LIMIT few + 1
            ) AS first_few;
            are_few := counted <= few;
        END IF;
        looked_up := CASE WHEN are_few THEN coalesce(words, starts) ELSE wanted END;
        RETURN QUERY
        WITH matched AS MATERIALIZED (
            SELECT l.id, l.created_at FROM public.leads AS l
            WHERE l.search @@ looked_up AND (
                l.company_id = company AND l.search @@ wanted
                AND l.created_at >= month AND (l.created_at, l.id) < (mark_at, mark_id)
            ) IS TRUE
        )
        SELECT m.id FROM matched AS m ORDER BY m.created_at DESC, m.id DESC LIMIT missing;
        GET DIAGNOSTICS counted = ROW_COUNT;
        missing := missing - counted;
        EXIT WHEN missing = 0;
        mark_at := month;
        mark_id := '00000000-0000-0000-0000-000000000000';
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION matching_leads FROM PUBLIC;
GRANT EXECUTE ON FUNCTION matching_leads TO leads_app;
"""

COUNTED = """
-- What `leads migrate` derives from the log, it derives company by company.
CREATE POLICY overview ON companies FOR SELECT TO leads_owner USING (true);
"""

GRANTS = """
GRANT UPDATE (name, region, currency) ON companies TO leads_app;
GRANT UPDATE (settings_version) ON feeds TO leads_app;
GRANT SELECT (active, version, tokens_since) ON users TO leads_app;
GRANT INSERT (company_id, id, email, name, role, password_hash, active, version, tokens_since) ON users TO leads_app;
GRANT UPDATE (email, name, role, password_hash, active, version, tokens_since) ON users TO leads_app;
GRANT SELECT, UPDATE (stages, version) ON pipelines TO leads_app;
GRANT SELECT, INSERT, UPDATE ON custom_fields, rotations, lead_messages TO leads_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sources, saved_views, deleted_leads, counters TO leads_app;
GRANT SELECT, INSERT ON merged_leads TO leads_app;
"""


def upgrade() -> None:
    op.execute(COMPANIES)
    op.execute(LEADS)
    for table in TENANT_TABLES:
        op.execute(ISOLATE.format(table=table))
    op.execute(LOGIN)
    op.execute(SEARCH)
    op.execute(COUNTED)
    op.execute(GRANTS)
