"""What rows of a file become: a mapping from columns to fields, and the rules that every new lead is under."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias, cast
from uuid import UUID, uuid5

from contracts.events import LeadCreated, LeadEvent
from leads.domain.changing import change
from leads.domain.company import Company, CustomField
from leads.domain.creation import create
from leads.domain.csv_text import unsafe
from leads.domain.details import NewLead
from leads.domain.lead import CUSTOM, Lead, existing
from leads.domain.refusals import InvalidScore, InvalidValue
from leads.domain.search import fold

Duplicates: TypeAlias = Literal["skip", "update", "create"]

PREVIEWED: Final = 20  # rows
LONGEST_AMOUNT: Final = 100  # characters
FIELDS: Final[Mapping[str, str]] = {
    "name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "organisation": "Organisation",
    "title": "Title",
    "source": "Source",
    "status": "Status",
    "lost_reason": "Lost reason",
    "assigned_to": "Assigned to",
    "value": "Value",
    "currency": "Currency",
    "score": "Score",
    "tags": "Tags",
}
"""What a column may be mapped to, beside the company's own fields → how it is called."""
_ALSO_CALLED: Final[Mapping[str, str]] = {
    word: field
    for field, words in {
        "name": "nome,full name,nome completo,lead,contact,contato,cliente",
        "email": "e mail,mail,email address,endereco de e mail",
        "phone": "telefone,telephone,tel,mobile,celular,whatsapp,fone,phone number",
        "organisation": "organization,company,empresa,organizacao,account,razao social",
        "title": "job title,cargo,position,role",
        "source": "origem,lead source,fonte,canal,channel",
        "status": "stage,etapa,fase,estagio,situacao",
        "lost_reason": "motivo da perda,motivo de perda,loss reason,lost reason",
        "assigned_to": "owner,responsavel,vendedor,assignee,assigned to,agent",
        "value": "valor,amount,deal value",
        "currency": "moeda",
        "score": "pontuacao,pontos,rating",
        "tags": "tag,etiquetas,etiqueta,labels,marcadores",
    }.items()
    for word in words.split(",")
}
_YES: Final = frozenset({"yes", "true", "1", "sim", "y", "s", "x"})
_NO: Final = frozenset({"no", "false", "0", "nao", "n"})
_LIST: Final = re.compile(r"[,;|]")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:([.,\s])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]{1,2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A file, and what its columns are."""

    name: str
    encoding: str = "utf-8"
    delimiter: str = ","
    header: bool = True
    bytes: int = 0
    digest: str = ""
    columns: tuple[str, ...] = ()
    mapping: tuple[str | None, ...] = ()
    """A field for each column, or None."""
    duplicates: Duplicates = "skip"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    generation: int = 0
    """How often the same import was taken back before."""
    is_repeated: bool = False
    """Whether the same import was started before, and not taken back."""
    kind: Literal["import"] = "import"

    @property
    def fingerprint(self) -> str:
        """What is the same for the same rows with the same meaning."""
        told = [self.digest, self.encoding, self.delimiter, self.header, self.mapping, sorted(self.defaults.items())]
        return sha256(repr([*told, self.duplicates]).encode()).hexdigest()

    def ids(self, company_id: UUID) -> Callable[[int], UUID]:
        """Return what makes the id of the lead of a row: the same whenever the same file is imported."""
        space = uuid5(company_id, f"{self.fingerprint}:{self.generation}")
        return lambda row: uuid5(space, str(row))


class InvalidMapping(Exception):
    """A mapping that no row could be read by; `errors` holds (JSON Pointer, what is wrong)."""

    code = "invalid_mapping"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.code)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row."""

    field: str | None
    code: str
    message: str
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of a file would be: values for a lead, and the fact if there were no other leads; or errors."""

    number: int
    values: Mapping[str, Any]
    """What a new lead would get: the row's own values, and defaults where it has none."""
    fact: LeadCreated | None
    errors: tuple[RowError, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict)
    """What the row itself says."""


def fields_of(company: Company) -> dict[str, str]:
    """Return what columns may be mapped to → how it is called."""
    own = {CUSTOM + key: field.label for key, field in company.custom_fields.items() if field.active}
    return {**FIELDS, **own}


def required_fields(company: Company) -> frozenset[str]:
    """Return what each new lead needs."""
    own = (CUSTOM + key for key, field in company.custom_fields.items() if field.active and field.required)
    return frozenset({"name", *own})


def propose(columns: Sequence[str], company: Company) -> tuple[str | None, ...]:
    """Return the mapping that the columns' names suggest; no field twice."""
    known = {**_ALSO_CALLED}
    for name, label in fields_of(company).items():
        known |= {_plain(name.removeprefix(CUSTOM)): name, _plain(label): name, _plain(name): name}
    taken: set[str] = set()
    mapping: list[str | None] = []
    for column in columns:
        found = known.get(_plain(column))
        mapping.append(None if found in taken else found)
        taken |= {found} if found else set()
    return tuple(mapping)


def require_mapping(wanted: Import, company: Company, now: datetime) -> None:
    """Refuse a mapping that no row could be read by.

    Raises:
        InvalidMapping: see there.
    """
    errors: list[tuple[str, str]] = []
    known = fields_of(company)
    if len(wanted.mapping) != len(wanted.columns):
        errors.append(("/mapping", f"Should have {len(wanted.columns)} entries, one for each column"))
    seen: set[str] = set()
    for index, name in enumerate(wanted.mapping):
        if name is not None and name not in known:
            errors.append((f"/mapping/{index}", "Should be a field, or null"))
        elif name is not None and name in seen:
            errors.append((f"/mapping/{index}", "Should not be a field that another column has"))
        seen |= {name} if name else set()
    if "name" not in seen:
        errors.append(("/mapping", "Should have a column for name"))
    if not errors:
        shown = {"name": "A", **wanted.defaults}
        try:
            create("", cast("NewLead", shown), replace(company, custom_fields={}), now)
        except InvalidValue as error:
            errors.append((f"/defaults{error.pointer}", error.message))
    if errors:
        raise InvalidMapping(errors)


class Reader:
    """Reads the rows of one file by one version of a company's settings."""

    def __init__(self, wanted: Import, company: Company) -> None:
        self._company = company
        self._wanted = wanted
        self._columns = [
            (index, name, _converter(name, company)) for index, name in enumerate(wanted.mapping) if name is not None
        ]

    def row(self, number: int, cells: Sequence[str], lead_id: str, now: datetime) -> Row:
        """Return what a row would be, by the rules of `POST /leads`."""
        if len(cells) > len(self._wanted.columns):
            return Row(number, {}, None, (RowError(None, "too_many_cells", "The row has more cells than columns"),))
        own, errors = self._values(cells)
        values = self._with_defaults(own)
        fact = None
        try:
            fact = self._created(lead_id, values, now)
        except InvalidValue as error:
            errors += self._errors(error, values, now)
        if errors:
            return Row(number, values, None, tuple(sorted(errors, key=_place)))
        return Row(number, values, fact, own=own)

    def _values(self, cells: Sequence[str]) -> tuple[dict[str, Any], list[RowError]]:
        values: dict[str, Any] = {}
        own: dict[str, Any] = {}
        errors: list[RowError] = []
        for index, name, convert in self._columns:
            text = unsafe(cells[index].strip()) if index < len(cells) else ""
            if not text:
                continue
            try:
                value = convert(text)
            except InvalidValue as error:
                errors.append(self._error(error))
                continue
            if name.startswith(CUSTOM):
                own[name.removeprefix(CUSTOM)] = value
            else:
                values[name] = value
        if own:
            values["custom"] = own
        return values, errors

    def _with_defaults(self, own: Mapping[str, Any]) -> dict[str, Any]:
        values = {**self._wanted.defaults, **own}
        if "tags" in own:
            values["tags"] = [*self._wanted.defaults.get("tags", ()), *own["tags"]]
        return values

    def _created(self, lead_id: str, values: Mapping[str, Any], now: datetime) -> LeadCreated:
        (fact,) = create(lead_id, cast("NewLead", values), self._company, now)
        assert isinstance(fact, LeadCreated)
        return fact

    def _errors(self, error: InvalidValue, values: dict[str, Any], now: datetime) -> list[RowError]:
        """Return all that is wrong with a row: what was found is left out, then looked at again."""
        left = {**values, "custom": dict(values.get("custom", {}))}
        found: dict[str, RowError] = {}
        while error.pointer not in found:
            found[error.pointer] = self._error(error)
            name = _field_of(error.pointer)
            if name.startswith(CUSTOM):
                left["custom"].pop(name.removeprefix(CUSTOM), None)
            elif name == "name":
                left["name"] = "-"
            else:
                left.pop(name, None)
            try:
                self._created("", left, now)
            except InvalidValue as another:
                error = another
        return list(found.values())

    def _error(self, error: InvalidValue) -> RowError:
        name = _field_of(error.pointer)
        column = next((index for index, mapped, _ in self._columns if mapped == name), None)
        return RowError(name, error.code, error.message, column)


def dated_row(row: Row, at: datetime) -> Row:
    """Return a row whose lead, if it makes one, is created at a time."""
    if row.fact is None:
        return row
    lead = replace(row.fact.lead, status_since=at, created_at=at, updated_at=at)
    return replace(row, fact=replace(row.fact, lead=lead))


def merge_row(
    lead: Lead | None, row: Row, defaults: Mapping[str, Any], company: Company, now: datetime
) -> Sequence[LeadEvent]:
    """Return what a row changes of a lead that is the same person, by `leads.domain.duplicates.is_same_person`.

    The lead gets what the row itself says, tags beside those that it has, and defaults where it has nothing. Found by
    its phone number, it keeps its name as it is spelled.
    """
    current = existing(lead)
    patch = dict(row.own)
    for name, value in defaults.items():
        if name not in patch and getattr(current, name) in (None, ()):
            patch[name] = value
    if "tags" in patch:
        patch["tags"] = [*current.tags, *patch["tags"]]
    assert row.fact is not None
    if row.fact.lead.email is None or row.fact.lead.email != current.email:
        patch.pop("name", None)
    if "status" not in patch:
        patch.pop("lost_reason", None)
    return change(lead, cast("NewLead", patch), company, now)


def _place(error: RowError) -> tuple[bool, int]:
    return error.column is None, error.column or 0


def _plain(name: str) -> str:
    return " ".join(re.findall(r"\w+", fold(name).replace("_", " ")))


def _field_of(pointer: str) -> str:
    name = pointer.removeprefix("/").replace("/", ".", 1)
    return name.replace("~1", "/").replace("~0", "~")


def _converter(name: str, company: Company) -> Callable[[str], Any]:
    if name.startswith(CUSTOM):
        own = company.custom_fields.get(name.removeprefix(CUSTOM))
        return str if own is None else _own(own)
    ids = {user.email.lower(): user.id for user in company.users.values() if user.email}
    converters: dict[str, Callable[[str], Any]] = {
        "source": _by_key_or_name({source.key: source.name for source in company.sources.values()}),
        "status": _by_key_or_name({stage.key: stage.name for stage in company.pipeline.stages}),
        "assigned_to": lambda text: ids.get(text.lower(), text.lower()),
        "value": amount,
        "score": _score,
        "tags": _parts,
    }
    return converters.get(name, str)


def _by_key_or_name(names: Mapping[str, str]) -> Callable[[str], str]:
    known = {**{fold(name): key for key, name in names.items()}, **{fold(key): key for key in names}}
    return lambda text: text if text in names else known.get(fold(text), text)


def _score(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise InvalidScore("/score")
    return int(text)


def amount(text: str) -> str:
    """Return an amount with a decimal point: `1.234,50`, `1,234.50`, `R$ 1234,5` → `1234.50`."""
    if len(text) > LONGEST_AMOUNT:
        return text  # no amount; and the pattern below would look at it again and again
    digits = re.sub(r"^[^\d\-.,]{1,5}|\s*[^\d\s.,]{1,5}$", "", text).strip()
    if _GROUPED.fullmatch(digits):
        separator = re.search(r"[.,\s]", digits)
        assert separator is not None
        digits = digits.replace(separator[0], "")
    return digits.replace(",", ".") if digits.count(",") == 1 and "." not in digits else digits or text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _LIST.split(text) if part.strip()]


def _own(field: CustomField) -> Callable[[str], Any]:
    choices = {fold(choice): choice for choice in field.choices}
    match field.kind:
        case "number":
            return _number
        case "boolean":
            return lambda text: True if fold(text) in _YES else False if fold(text) in _NO else text
        case "choice":
            return lambda text: choices.get(fold(text), text)
        case "choices":
            return lambda text: [choices.get(fold(part), part) for part in _parts(text)]
        case _:
            return str


def _number(text: str) -> int | float | str:
    for digits in (text, amount(text)):
        if re.fullmatch(r"[+-]?[0-9]{1,16}", digits):
            return int(digits)
        if re.fullmatch(r"[+-]?[0-9]{1,16}\.[0-9]{1,16}", digits):
            return float(digits)
    return text
