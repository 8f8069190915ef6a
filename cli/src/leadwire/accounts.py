"""PostgreSQL refuses to run as root; this is whom it runs as instead."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNPRIVILEGED: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account."""

    name: str
    uid: int
    gid: int

    def can_enter(self, directory: Path) -> bool:
        """Whether the account may pass every directory on the way, this one included."""
        return all(self._may_search(step.stat()) for step in (directory, *directory.parents))

    def own(self, directory: Path) -> None:
        """Give a directory to the account, for it alone."""
        directory.chmod(0o700)
        os.chown(directory, self.uid, self.gid)

    def _may_search(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def unprivileged() -> Account | None:
    """Return the account for programs that refuse to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
