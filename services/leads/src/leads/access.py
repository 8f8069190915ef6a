"""Who may do what: one table of operations, and the one check that every request goes through.

An operation is named like the function of its route, which is also its `operationId` in OpenAPI; a route that is
missing here keeps the application from being built. A few operations are finer than a route, and say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from contracts.events import Role
from leads.domain.company import Company, User

ROLES: Final[tuple[Role, ...]] = ("viewer", "agent", "manager", "admin")
"""Each may do what those before it may."""

PUBLIC: Final = frozenset({"log_in"})
"""Operations that need no access token."""

OPERATIONS: Final[Mapping[str, Role]] = MappingProxyType(
    {
        # one's own account
        "read_me": "viewer",
        "change_password": "viewer",
        "log_out": "viewer",
        "authorize_channel": "viewer",
        # leads
        "list_leads": "viewer",
        "count_leads": "viewer",
        "read_lead": "viewer",
        "read_history": "viewer",
        "read_diff": "viewer",
        "list_messages": "viewer",
        "list_deleted_leads": "viewer",
        "list_changes": "viewer",
        "read_stats": "viewer",
        "create_lead": "agent",
        "change_lead": "agent",
        "delete_lead": "agent",
        "restore_lead": "agent",
        "assign_lead": "agent",
        "change_status": "agent",
        "tag_lead": "agent",
        "convert_lead": "agent",
        "post_message": "agent",
        "edit_message": "agent",
        "merge_leads": "manager",
        # saved views
        "list_views": "viewer",
        "read_view": "viewer",
        "add_view": "agent",
        "change_view": "agent",
        "remove_view": "agent",
        "share_view": "manager",
        # many leads at once
        "list_jobs": "viewer",
        "read_job": "viewer",
        "list_refusals": "viewer",
        "bulk_change_leads": "agent",
        "cancel_job": "agent",
        "undo_job": "agent",
        "manage_jobs": "manager",
        "list_imports": "manager",
        "read_import": "manager",
        "upload_import": "manager",
        "map_import": "manager",
        "start_import": "manager",
        "forget_import": "manager",
        "read_import_errors": "manager",
        "revert_import": "manager",
        "export_leads": "viewer",
        # the company
        "list_roles": "viewer",
        "list_users": "viewer",
        "read_user": "viewer",
        "see_emails": "admin",
        "add_user": "admin",
        "change_user": "admin",
        "deactivate_user": "admin",
        "reactivate_user": "admin",
        "read_company": "viewer",
        "change_company": "admin",
        "read_pipeline": "viewer",
        "replace_pipeline": "admin",
        "list_sources": "viewer",
        "add_source": "admin",
        "change_source": "admin",
        "remove_source": "admin",
        "list_custom_fields": "viewer",
        "add_custom_field": "admin",
        "change_custom_field": "admin",
        "retire_custom_field": "admin",
    }
)
"""Operation → the least role that may do it, within the caller's own company. Another company's things do not exist."""

FINER: Final = frozenset({"share_view", "see_emails", "manage_jobs"})
"""Operations that are a part of what a route does: checked inside it."""


class AccessRefused(Exception):
    """A request that is not served, whatever it asks for.

    - AccessRefused
      - TokenEnded
      - NotAllowed
    """

    code = "access_refused"


class TokenEnded(AccessRefused):
    """The access token is genuine, but does not count any more: its user is gone, or ended it."""

    code = "unauthenticated"


class NotAllowed(AccessRefused):
    """The caller's role is too low."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Permit:
    """What a request claims: this user may do this, by a token of that time. Whether it is true, `check` says."""

    user_id: str
    issued_at: datetime | None
    """None: it was let in before, by a token that need not count any more, as a job's author."""
    operation: str


def may(role: Role, operation: str) -> bool:
    """Whether a role may do an operation."""
    return ROLES.index(role) >= ROLES.index(OPERATIONS[operation])


def _is_ended(issued_at: datetime | None, user: User) -> bool:
    return issued_at is not None and user.tokens_since is not None and issued_at < user.tokens_since


def check(company: Company, permit: Permit) -> User:
    """Return the user who asks, as the company's settings know them.

    Raises:
        TokenEnded: the user does not exist, is not active, or ended the token.
        NotAllowed: the user's role is too low.
    """
    user = company.users.get(permit.user_id)
    if user is None or not user.active or _is_ended(permit.issued_at, user):
        raise TokenEnded
    if not may(user.role, permit.operation):
        raise NotAllowed
    return user
