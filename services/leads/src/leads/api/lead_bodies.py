"""Bodies that enter and change leads. Their form is checked here; whether a value fits the company, by the rules."""

from decimal import Decimal
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, StringConstraints

from leads.api import examples
from leads.api.schemas import Body, example, text
from leads.domain import LeadPatch, NewLead
from leads.domain.tags import LONGEST, MOST
from leads.domain.text import EMAIL, EMAIL_LENGTH

Name = Annotated[str, text(200), Field(min_length=1)]
Email = Annotated[str, text(EMAIL_LENGTH, f"^({EMAIL})?$")]
Phone = Annotated[str, text(50)]
Line = Annotated[str, text(200)]
Source = Annotated[str, text(100)]
StageKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
LostReason = Annotated[str, text(500)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=2, allow_inf_nan=False)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]
Score = Annotated[StrictInt, Field(ge=0, le=100)]
Tag = Annotated[str, text(LONGEST), Field(min_length=1)]
Tags = Annotated[list[Tag], Field(max_length=MOST)]
CustomText = Annotated[StrictStr, StringConstraints(max_length=2000)]
CustomNumber = Annotated[StrictFloat, Field(allow_inf_nan=False)]
CustomValue: TypeAlias = (
    StrictBool | StrictInt | CustomNumber | CustomText | Annotated[list[CustomText], Field(max_length=100)]
)
CustomKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Custom = Annotated[dict[CustomKey, CustomValue | None], Field(max_length=100)]


class LeadBody(Body):
    """What a lead can be told to be."""

    email: Email | None = None
    phone: Phone | None = None
    """E.164, or as it is written in the company's country."""
    organisation: Line | None = None
    title: Line | None = None
    source: Source | None = None
    value: Amount | None = None
    currency: Currency | None = None
    """ISO 4217; the company's when there is only a value."""
    score: Score | None = None
    tags: Tags = Field(default_factory=list)
    custom: Custom = Field(default_factory=dict)
    """The company's own fields; null clears one."""
    lost_reason: LostReason | None = None
    assigned_to: UUID | None = None
    allow_duplicate: bool = False
    """Whether another lead may have the same e-mail address or phone number."""

    def given(self) -> dict[str, Any]:
        """Return the fields that were given, as the rules take them."""
        given = self.model_dump(exclude_unset=True, exclude={"allow_duplicate"})
        for field in ("value", "assigned_to"):
            if given.get(field) is not None:
                given[field] = str(given[field])
        return given


class NewLeadBody(LeadBody):
    """A lead to create; only its name is needed."""

    model_config = example(examples.NEW_LEAD)

    name: Name
    status: StageKey = Field(default_factory=str)
    """A stage of the company's pipeline; the first one unless given."""

    def values(self) -> NewLead:
        given: NewLead = self.given()  # type: ignore[assignment]
        return given


class LeadPatchBody(LeadBody):
    """New values of the fields that are to change; null clears one."""

    model_config = example({"status": "contacted", "phone": None})

    # An absent field keeps its value: nobody looks at the defaults.
    name: Name = Field(default_factory=str)
    status: StageKey = Field(default_factory=str)

    def patch(self) -> LeadPatch:
        given: LeadPatch = self.given()  # type: ignore[assignment]
        return given


class Restoration(Body):
    """How to take a deletion back."""

    model_config = example({"allow_duplicate": True})

    allow_duplicate: bool = False
    """Whether another lead may have the same e-mail address or phone number by now."""
