"""Every way in which the rules say no.

- LeadRefusal
  - LeadNotFound
    - OtherLeadNotFound
  - StaleVersion
  - DuplicateLead
  - AlreadyConverted
  - IllegalTransition
  - NoWonStage
  - LeadWasMerged
  - MergeWithItself
  - BothConverted
  - NobodyToAssign
  - ChatFull
  - MessageNotFound
  - NotTheAuthor
  - InvalidValue
    - NameMissing
    - InvalidEmail
    - InvalidPhone
    - InvalidText
    - InvalidAmount
    - InvalidScore
    - InvalidTag
    - UnknownRegion
    - UnknownCurrency
    - CurrencyMissing
    - CurrencyWithoutValue
    - UnknownSource
    - UnknownStage
    - ReasonMissing
    - ReasonWithoutLoss
    - UnknownUser
    - UnknownMention
    - UnknownCustomField
    - InactiveCustomField
    - InvalidCustomValue
    - CustomValueMissing
    - UnknownMergeField
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class LeadRefusal(Exception):
    """A command that the rules do not allow."""

    code = "lead_refused"


class LeadNotFound(LeadRefusal):
    """There is no such lead, or it was deleted."""

    code = "lead_not_found"

    def __init__(self, merged_into: str | None = None) -> None:
        super().__init__()
        self.merged_into = merged_into
        """The lead that took it in, if one did."""


class OtherLeadNotFound(LeadNotFound):
    """There is no such lead to merge, or it was deleted."""

    code = "other_lead_not_found"


class StaleVersion(LeadRefusal):
    """The lead is no longer at the version the author looked at."""

    code = "stale_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A lead that has the same e-mail address or phone number."""

    id: str
    name: str
    matched: tuple[Literal["email", "phone"], ...]
    assigned_to: str | None = None


class DuplicateLead(LeadRefusal):
    """Other leads have the same e-mail address or phone number."""

    code = "duplicate_lead"

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        super().__init__()
        self.candidates = candidates


class AlreadyConverted(LeadRefusal):
    """The lead was converted before, to another contact or deal."""

    code = "already_converted"


class IllegalTransition(LeadRefusal):
    """The pipeline does not let a lead move from its stage to that one."""

    code = "illegal_transition"


class NoWonStage(LeadRefusal):
    """The pipeline has no stage for leads that are won."""

    code = "no_won_stage"


class LeadWasMerged(LeadRefusal):
    """The lead was not deleted, but merged into another one."""

    code = "lead_was_merged"


class MergeWithItself(LeadRefusal):
    """A lead cannot be merged with itself."""

    code = "merge_with_itself"


class BothConverted(LeadRefusal):
    """Both leads were converted, to different contacts or deals."""

    code = "both_converted"


class NobodyToAssign(LeadRefusal):
    """No active user may be given leads in turn."""

    code = "nobody_to_assign"


class ChatFull(LeadRefusal):
    """The lead has no room for another message."""

    code = "chat_full"


class MessageNotFound(LeadRefusal):
    """The lead has no such message."""

    code = "message_not_found"


class NotTheAuthor(LeadRefusal):
    """Only who wrote a message may change it."""

    code = "not_the_author"


class InvalidValue(LeadRefusal):
    """A value that a field does not take."""

    code = "invalid_value"
    message = "Should be a value that this field takes"

    def __init__(self, pointer: str = "") -> None:
        super().__init__(pointer)
        self.pointer = pointer
        """JSON Pointer to the field in what was asked."""


class NameMissing(InvalidValue):
    """A lead without a name."""

    code = "name_missing"
    message = "Should not be blank"


class InvalidEmail(InvalidValue):
    """Not an e-mail address."""

    code = "invalid_email"
    message = "Should be an e-mail address"


class InvalidPhone(InvalidValue):
    """No phone number can look like this, or its country is unknown."""

    code = "invalid_phone"
    message = "Should be a possible phone number, with a country code such as +55 unless the company has a country"


class InvalidText(InvalidValue):
    """Blank, too long, or with characters that text does not have."""

    code = "invalid_text"
    message = "Should be text that is neither blank nor too long"


class InvalidAmount(InvalidValue):
    """Not an amount of money."""

    code = "invalid_amount"
    message = "Should be an amount from 0 to 9999999999999.99 with at most two decimal places"


class InvalidScore(InvalidValue):
    """Not a score."""

    code = "invalid_score"
    message = "Should be a whole number from 0 to 100"


class InvalidTag(InvalidValue):
    """A blank or too long tag, or too many."""

    code = "invalid_tag"
    message = "Should be at most 50 tags of 1 to 50 characters each"


class UnknownRegion(InvalidValue):
    """Not a country that has phone numbers."""

    code = "unknown_region"
    message = "Should be a country's ISO 3166 code"


class UnknownCurrency(InvalidValue):
    """Not a currency."""

    code = "unknown_currency"
    message = "Should be a currency's ISO 4217 code"


class CurrencyMissing(InvalidValue):
    """A value without a currency, in a company without one."""

    code = "currency_missing"
    message = "Should be there: your company has no currency of its own"


class CurrencyWithoutValue(InvalidValue):
    """A currency of nothing."""

    code = "currency_without_value"
    message = "Should come with a value"


class UnknownSource(InvalidValue):
    """Not one of the company's active sources."""

    code = "unknown_source"
    message = "Should be the key of an active source of your company"


class UnknownStage(InvalidValue):
    """Not a stage of the company's pipeline, or not one for this."""

    code = "unknown_stage"
    message = "Should be the key of a stage of your company's pipeline that fits"


class ReasonMissing(InvalidValue):
    """A lead gets to this stage only with a reason."""

    code = "reason_missing"
    message = "Should say why the lead is lost"


class ReasonWithoutLoss(InvalidValue):
    """A lost reason for a lead that is not lost."""

    code = "reason_without_loss"
    message = "Should be there only for a stage of the kind lost"


class UnknownUser(InvalidValue):
    """Not an active user of the company who may have leads."""

    code = "unknown_user"
    message = "Should be an active user of your company who is not a viewer"


class UnknownMention(InvalidValue):
    """Not an active user of the company, or too many."""

    code = "unknown_mention"
    message = "Should be at most 20 active users of your company"


class UnknownCustomField(InvalidValue):
    """The company has no such field."""

    code = "unknown_custom_field"
    message = "Should be a field of your company"


class InactiveCustomField(InvalidValue):
    """The field takes no new values."""

    code = "inactive_custom_field"
    message = "Should be cleared or left alone: the field is not in use any more"


class InvalidCustomValue(InvalidValue):
    """A value of another kind than the company's field takes."""

    code = "invalid_custom_value"
    message = "Should be a value of the field's kind"


class CustomValueMissing(InvalidValue):
    """A field of the company that each lead needs."""

    code = "custom_value_missing"
    message = "Should be there: your company requires it"


class UnknownMergeField(InvalidValue):
    """A choice for something that leads do not have."""

    code = "unknown_merge_field"
    message = "Should be a field that can be chosen"
