"""The rules about a company's users."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypedDict

from contracts.events import (
    Change,
    Role,
    UserAdded,
    UserChanged,
    UserDeactivated,
    UserEvent,
    UserReactivated,
    UserSignedOut,
    UserSummary,
)
from leads.domain.company import Company, SettingsRefusal, TooMany, User

MOST_USERS: Final = 2_000  # also those who are not active any more: every process holds them in memory


class UserNotFound(SettingsRefusal):
    """The company has no such user."""

    code = "user_not_found"


class EmailTaken(SettingsRefusal):
    """A user of the same company has this e-mail address already."""

    code = "email_taken"


class LastAdmin(SettingsRefusal):
    """Without this admin the company would have none."""

    code = "last_admin"


class StaleUser(SettingsRefusal):
    """The user is no longer at the version the author looked at."""

    code = "stale_version"


class UserPatch(TypedDict, total=False):
    """New values of those fields that are to change."""

    name: str
    email: str
    role: Role


def summary(user: User) -> UserSummary:
    """Return a user as facts show them."""
    return UserSummary(
        id=user.id, name=user.name, email=user.email, role=user.role, active=user.active, version=user.version
    )


def find(company: Company, user_id: str, version: int | None = None) -> User:
    """Return a user.

    Args:
        company: whose user.
        user_id: the user's id.
        version: the version the author looked at (If-Match); None for any.

    Raises:
        UserNotFound: the company has none of that id.
        StaleUser: the user is at another version.
    """
    user = company.users.get(user_id)
    if user is None:
        raise UserNotFound
    if version is not None and user.version != version:
        raise StaleUser
    return user


def add(company: Company, user_id: str, values: Mapping[str, Any]) -> UserAdded:
    """Let somebody in; `values` are name, e-mail address and role."""
    if len(company.users) >= MOST_USERS:
        raise TooMany
    return UserAdded(user=UserSummary(**{**values, "email": normalised(values["email"])}, id=user_id, version=1))


def change(company: Company, user: User, patch: UserPatch) -> UserChanged | None:
    """Return what a patch amounts to; None when nothing would change."""
    wanted: dict[str, Any] = {**patch}
    if "email" in patch:
        wanted["email"] = normalised(patch["email"])
    changes = {
        name: Change(old=getattr(user, name), new=value)
        for name, value in wanted.items()
        if value != getattr(user, name)
    }
    if not changes:
        return None
    if "role" in changes:
        _require_another_admin(company, user)
    return UserChanged(user=_next(user, **{name: changed.new for name, changed in changes.items()}), changes=changes)


def deactivate(company: Company, user: User) -> UserDeactivated | None:
    """End somebody's access. Leads stay assigned to them, but none can be newly assigned."""
    if not user.active:
        return None
    _require_another_admin(company, user)
    return UserDeactivated(user=_next(user, active=False))


def reactivate(user: User) -> UserReactivated | None:
    return None if user.active else UserReactivated(user=_next(user, active=True))


def sign_out(user: User) -> UserSignedOut:
    """End all access tokens that somebody has."""
    return UserSignedOut(user=_next(user))


def after(user: User | None, fact: UserEvent, now: datetime) -> User:
    """Return the user after a fact. Who leaves, comes back or signs out has to log in anew."""
    tokens_since = user.tokens_since if user else None
    if isinstance(fact, UserDeactivated | UserReactivated | UserSignedOut):
        tokens_since = now
    shown = fact.user
    return User(
        id=shown.id,
        name=shown.name,
        email=shown.email,
        role=shown.role,
        active=shown.active,
        version=shown.version,
        tokens_since=tokens_since,
    )


def normalised(email: str) -> str:
    """Return an e-mail address as it is kept and compared."""
    return email.strip().lower()


def _require_another_admin(company: Company, user: User) -> None:
    if not any(other.active and other.role == "admin" and other.id != user.id for other in company.users.values()):
        raise LastAdmin


def _next(user: User, **values: Any) -> UserSummary:  # noqa: ANN401 - fields of a summary
    return replace(summary(user), **values, version=user.version + 1)
