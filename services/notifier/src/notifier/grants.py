"""What each role may do in the database of this release: what the migrations granted.

`doctor` compares it with what it finds; after a migration that grants something, a test says which lines to change.
"""

from typing import Final

GRANTS: Final = """
notifier_app alembic_version SELECT
notifier_app ended_tokens SELECT
notifier_app inboxes SELECT
notifier_app inboxes UPDATE(revision unread)
notifier_app muted DELETE, INSERT, SELECT
notifier_app notifications SELECT
notifier_app notifications UPDATE(read_at)
notifier_app outbox INSERT
notifier_writer alembic_version SELECT
notifier_writer cursors DELETE, INSERT, SELECT, UPDATE
notifier_writer ended_tokens DELETE, INSERT, SELECT, UPDATE
notifier_writer inboxes INSERT, SELECT, UPDATE
notifier_writer jobs DELETE, INSERT, SELECT, UPDATE
notifier_writer muted SELECT
notifier_writer notifications DELETE, INSERT, SELECT
notifier_writer outbox DELETE, INSERT, SELECT
notifier_writer passed_over DELETE, INSERT, SELECT
"""
