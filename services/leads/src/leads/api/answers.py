"""What commands on leads came to, as HTTP tells it."""

from typing import Final

from fastapi import Response

from leads.api.conditional import version_etag
from leads.api.schemas import LeadAnswer, Meta
from leads.command import Answer
from runtime.problems import problems

READING: Final = problems(409, 410, 422, 429)
"""What a read may be refused with: it waits for `min_position` if asked to, only so many do, and epochs end."""
CHANGING: Final = problems(400, 403, 404, 409, 412, 413, 422)
"""What a change of an existing lead may be refused with."""


def lead_answer(answer: Answer, response: Response) -> LeadAnswer:
    """Return a lead with its ETag."""
    tag(answer, response)
    return LeadAnswer(data=answer.lead, meta=Meta.of(answer))


def tag(answer: Answer, response: Response) -> None:
    """Let the answer bear the lead's ETag."""
    response.headers["ETag"] = version_etag(answer.lead.version, answer.epoch)
