"""The rules about a lead: pure functions from state and command to facts, or a refusal. One file a noun."""

from leads.domain.assignment import assign, assign_by_turn
from leads.domain.changing import change
from leads.domain.company import Company
from leads.domain.conversion import Conversion, convert
from leads.domain.creation import create
from leads.domain.deletion import delete, restore
from leads.domain.details import LeadPatch, NewLead, update
from leads.domain.lead import Lead, evolve, replay, require_version
from leads.domain.merging import merge
from leads.domain.messages import edit, post
from leads.domain.refusals import LeadNotFound, LeadRefusal, NameMissing, StaleVersion
from leads.domain.stage import change_status
from leads.domain.tags import tag

__all__ = [
    "Company",
    "Conversion",
    "Lead",
    "LeadNotFound",
    "LeadPatch",
    "LeadRefusal",
    "NameMissing",
    "NewLead",
    "StaleVersion",
    "assign",
    "assign_by_turn",
    "change",
    "change_status",
    "convert",
    "create",
    "delete",
    "edit",
    "evolve",
    "merge",
    "post",
    "replay",
    "require_version",
    "restore",
    "tag",
    "update",
]
