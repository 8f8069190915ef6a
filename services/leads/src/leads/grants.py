"""What each role may do in the database of this release: what the migrations granted.

`doctor` compares it with what it finds; after a migration that grants something, a test says which lines to change.
"""

from typing import Final

GRANTS: Final = """
leads_app alembic_version SELECT
leads_app companies SELECT
leads_app companies UPDATE(currency name region)
leads_app claim_job() EXECUTE
leads_app counters DELETE, INSERT, SELECT, UPDATE
leads_app credentials() EXECUTE
leads_app custom_fields INSERT, SELECT, UPDATE
leads_app deleted_leads DELETE, INSERT, SELECT, UPDATE
leads_app epoch_forks SELECT
leads_app epochs SELECT
leads_app events INSERT, SELECT
leads_app feed_clock() EXECUTE
leads_app feeds SELECT
leads_app feeds UPDATE(clock position settings_version)
leads_app forget_jobs() EXECUTE
leads_app idempotency INSERT, SELECT
leads_app job_batches INSERT, SELECT, UPDATE
leads_app job_refusals INSERT, SELECT
leads_app jobs DELETE, INSERT, SELECT, UPDATE
leads_app lead_messages INSERT, SELECT, UPDATE
leads_app leads DELETE, INSERT, SELECT, UPDATE
leads_app matching_leads() EXECUTE
leads_app merged_leads INSERT, SELECT
leads_app outbox INSERT
leads_app pipelines SELECT
leads_app pipelines UPDATE(stages version)
leads_app rotations INSERT, SELECT, UPDATE
leads_app saved_views DELETE, INSERT, SELECT, UPDATE
leads_app sources DELETE, INSERT, SELECT, UPDATE
leads_app users INSERT(active company_id email id name password_hash role tokens_since version)
leads_app users SELECT(active company_id email id name role tokens_since version)
leads_app users UPDATE(active email name password_hash role tokens_since version)
leads_relay alembic_version SELECT
leads_relay companies SELECT
leads_relay epoch_forks INSERT, SELECT
leads_relay epochs INSERT, SELECT
leads_relay events SELECT
leads_relay feeds SELECT
leads_relay outbox DELETE, SELECT
leads_relay relay_marks SELECT, UPDATE
leads_relay reseed_companies DELETE, INSERT, SELECT, UPDATE
leads_relay reseeds INSERT, SELECT, UPDATE
"""
