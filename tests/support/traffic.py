"""Commands of every kind, as many people at once would give them."""

import random
from typing import Any


def command(
    chance: random.Random, known: list[str], users: list[str], unique: str
) -> tuple[str, str, dict[str, Any] | None]:
    """Return the method, path and body of a command, on a lead that is known or one that is new."""
    if not known or chance.random() < 0.25:
        return "POST", "/leads", {"name": f"Lead {unique}", "email": f"{unique}@example.com", "source": "web"}
    lead = f"/leads/{chance.choice(known)}"
    several = {"name": unique, "tags": [unique], "assigned_to": chance.choice(users), "status": "qualified"}
    commands: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PATCH", lead, {"score": chance.randrange(101)}),
        ("PATCH", lead, several),
        ("POST", f"{lead}/assign", {"assigned_to": "round_robin"}),
        ("POST", f"{lead}/status", {"status": chance.choice(["new", "contacted", "lost"])}),
        ("POST", f"{lead}/tags", {"add": [unique], "remove": []}),
        ("POST", f"{lead}/messages", {"body": unique, "mentions": [chance.choice(users)]}),
        ("POST", f"{lead}/convert", None),
        ("POST", f"{lead}/merge", {"other": chance.choice(known)}),
        ("DELETE", lead, None),
        ("POST", f"{lead}/restore", None),
    ]
    return chance.choice(commands)
