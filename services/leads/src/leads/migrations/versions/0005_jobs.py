"""Jobs: changes of many leads, imports among them, and what they are worked off from."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TENANT_TABLES = ("jobs", "job_batches", "job_refusals", "job_turns")

TABLES = """
CREATE TABLE jobs (
    company_id      uuid NOT NULL REFERENCES companies,
    id              uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('bulk', 'undo', 'import')),
    state           text NOT NULL CHECK (state IN (
                        'uploading', 'uploaded', 'queued', 'running', 'done', 'cancelled', 'failed')),
    author          uuid NOT NULL,
    task            jsonb NOT NULL,     -- what is to be done: leads.domain.jobs
    fingerprint     text,               -- of the request, or of a file with its mapping
    total           integer,            -- leads or rows; NULL until they are counted
    done            integer NOT NULL DEFAULT 0,
    counts          jsonb NOT NULL DEFAULT '{}',  -- outcome → leads or rows
    refused         jsonb NOT NULL DEFAULT '{}',  -- code → leads or rows
    error           text,
    batch           integer NOT NULL DEFAULT 0,   -- the next one
    mark            jsonb,              -- how far the leads of a filter are counted
    version         integer NOT NULL DEFAULT 0,   -- of the job's facts
    undoes          uuid,
    undone_by       uuid,
    correlation_id  text,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    told_at         timestamptz,        -- when the last fact said how far it is
    served_at       timestamptz,
    attempts        integer NOT NULL DEFAULT 0,   -- since it last went on
    lease           uuid,               -- of the worker that has it
    lease_until     timestamptz,
    PRIMARY KEY (company_id, id)
);
CREATE INDEX jobs_newest ON jobs (company_id, created_at DESC, id DESC);
CREATE INDEX jobs_open ON jobs (company_id, author) WHERE state IN ('uploading', 'uploaded', 'queued', 'running');
CREATE INDEX jobs_of_file ON jobs (company_id, fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- What a job works on, in portions of one transaction each, and the positions of the facts that came of it.
CREATE TABLE job_batches (
    company_id      uuid NOT NULL,
    job_id          uuid NOT NULL,
    number          integer NOT NULL,
    first_item      integer NOT NULL,
    items           jsonb,              -- ids of leads, rows of a file, positions to take back; NULL when forgotten
    first_position  bigint,
    last_position   bigint,
    PRIMARY KEY (company_id, job_id, number),
    FOREIGN KEY (company_id, job_id) REFERENCES jobs ON DELETE CASCADE
);

CREATE TABLE job_refusals (
    company_id  uuid NOT NULL,
    job_id      uuid NOT NULL,
    item        integer NOT NULL,       -- the number of a lead in the job, or the row of a file; from 1
    lead_id     uuid,
    code        text NOT NULL,
    errors      jsonb NOT NULL,
    PRIMARY KEY (company_id, job_id, item),
    FOREIGN KEY (company_id, job_id) REFERENCES jobs ON DELETE CASCADE
);

-- Whose turn it is: the company that was served longest ago.
CREATE TABLE job_turns (
    company_id  uuid PRIMARY KEY REFERENCES companies,
    served_at   timestamptz NOT NULL
);
"""

ISOLATE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table}
    USING (company_id = nullif(current_setting('app.company', true), '')::uuid)
    WITH CHECK (company_id = nullif(current_setting('app.company', true), '')::uuid);
"""

# Workers serve all companies, but as nobody who may look across them: what they get is the name of a job.
CLAIM = """
CREATE POLICY overview ON jobs TO leads_owner USING (true) WITH CHECK (true);
CREATE POLICY overview ON job_turns TO leads_owner USING (true) WITH CHECK (true);
CREATE POLICY overview ON job_batches TO leads_owner USING (true) WITH CHECK (true);
CREATE POLICY overview ON job_refusals TO leads_owner USING (true) WITH CHECK (true);

-- A job of the company that was served longest ago, and of its jobs the one that was. A company has one worker at a
-- time: its writers follow each other anyway.
CREATE FUNCTION claim_job(worker uuid, seconds double precision) RETURNS TABLE (claimed_company uuid, claimed_job uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leadwire.leads.claim_job'));  -- whoever claims sees who has claimed before
    SELECT j.company_id, j.id INTO claimed_company, claimed_job
    FROM public.jobs AS j LEFT JOIN public.job_turns AS t USING (company_id)
    WHERE j.state IN ('queued', 'running') AND coalesce(j.lease_until, '-infinity') <= clock_timestamp()
        AND NOT EXISTS (
            SELECT FROM public.jobs AS other
            WHERE other.company_id = j.company_id AND other.state IN ('queued', 'running')
                AND other.lease IS NOT NULL AND other.lease_until > clock_timestamp()
        )
    ORDER BY t.served_at NULLS FIRST, j.served_at NULLS FIRST, j.created_at, j.id
    LIMIT 1 FOR UPDATE OF j SKIP LOCKED;
    IF claimed_job IS NULL THEN
        RETURN;
    END IF;
    UPDATE public.jobs SET
        lease = worker, lease_until = clock_timestamp() + make_interval(secs => seconds),
        served_at = clock_timestamp(), attempts = attempts + 1
    WHERE company_id = claimed_company AND id = claimed_job;
    INSERT INTO public.job_turns AS t (company_id, served_at) VALUES (claimed_company, clock_timestamp())
    ON CONFLICT (company_id) DO UPDATE SET served_at = excluded.served_at;
    RETURN NEXT;
END
$$;

-- What nobody needs any more: uploads that were not finished or not started, the rows of files, and very old jobs.
CREATE FUNCTION forget_jobs(at_most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    forgotten bigint;
    more bigint;
BEGIN
    DELETE FROM public.jobs WHERE (company_id, id) IN (
        SELECT company_id, id FROM public.jobs
        WHERE (state = 'uploading' AND created_at < now() - interval '1 hour')
            OR (state = 'uploaded' AND created_at < now() - interval '1 day')
            OR finished_at < now() - interval '90 days'
        LIMIT greatest(at_most / 100, 1)
    );
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE public.job_batches SET items = NULL WHERE (company_id, job_id, number) IN (
        SELECT b.company_id, b.job_id, b.number FROM public.jobs AS j
        JOIN public.job_batches AS b ON b.company_id = j.company_id AND b.job_id = j.id
        WHERE j.finished_at < now() - interval '7 days' AND b.items IS NOT NULL
        LIMIT at_most
    );
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN forgotten + more;
END
$$;
REVOKE ALL ON FUNCTION claim_job, forget_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_job, forget_jobs TO leads_app;
"""

GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO leads_app;
GRANT SELECT, INSERT, UPDATE ON job_batches TO leads_app;
GRANT SELECT, INSERT ON job_refusals TO leads_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in TENANT_TABLES:
        op.execute(ISOLATE.format(table=table))
    op.execute(CLAIM)
    op.execute(GRANTS)
