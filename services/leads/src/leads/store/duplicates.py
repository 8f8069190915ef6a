"""Other leads with the same e-mail address or phone number.

Asked after the feed's lock is taken: who looks sees all that was committed before, and nobody adds a lead meanwhile.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from psycopg import AsyncCursor

from leads.command import Origin
from leads.domain.duplicates import Contact
from leads.domain.refusals import Candidate
from leads.store.database import RawConnection

MOST: Final = 20
"""How many duplicates of a lead are told."""

# Two look-ups of one index each; an OR would read the wider half of either.
FIND: Final = """
WITH contacts AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(emails)s::text[], %(phones)s::text[]) AS c (id, email, phone)
)
SELECT c.id::text, l.id::text, l.name, l.assigned_to::text, 'email'
FROM contacts AS c CROSS JOIN LATERAL (
    SELECT id, name, assigned_to FROM leads
    WHERE company_id = %(company_id)s AND email = c.email AND id <> c.id ORDER BY id LIMIT %(most)s
) AS l
UNION ALL
SELECT c.id::text, l.id::text, l.name, l.assigned_to::text, 'phone'
FROM contacts AS c CROSS JOIN LATERAL (
    SELECT id, name, assigned_to FROM leads
    WHERE company_id = %(company_id)s AND phone = c.phone AND id <> c.id ORDER BY id LIMIT %(most)s
) AS l
"""


async def ask(connection: RawConnection, origin: Origin, contacts: Sequence[Contact]) -> AsyncCursor[Any] | None:
    """Ask for leads that can be reached in the same ways; `found` tells. Any number of contacts is one statement."""
    if not contacts:
        return None
    row = {
        "company_id": origin.company_id,
        "ids": [contact.lead_id for contact in contacts],
        "emails": [contact.email for contact in contacts],
        "phones": [contact.phone for contact in contacts],
        "most": MOST,
    }
    return await connection.execute(FIND, row)


async def found(cursor: AsyncCursor[Any] | None, contacts: Sequence[Contact]) -> Mapping[str, Sequence[Candidate]]:
    """Return the duplicates of each contact's lead that has any, by its id."""
    if cursor is None:
        return {}
    others = {contact.lead_id: contact.others for contact in contacts}
    matched: dict[tuple[str, str, str, str | None], list[Literal["email", "phone"]]] = defaultdict(list)
    for lead_id, other_id, name, assigned_to, field in await cursor.fetchall():
        if other_id not in others[lead_id]:
            matched[lead_id, other_id, name, assigned_to].append(field)
    candidates: dict[str, list[Candidate]] = defaultdict(list)
    for (lead_id, other_id, name, assigned_to), fields in matched.items():
        candidate = Candidate(id=other_id, name=name, matched=tuple(fields), assigned_to=assigned_to)
        candidates[lead_id].append(candidate)
    return candidates
