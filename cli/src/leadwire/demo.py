"""Two demo companies, and leads for one of them that go in through the REST API like any other."""

import random
from collections.abc import Iterator
from typing import Any, Final

import httpx

LEADS: Final = 200
_SEED: Final = 20_260_101
"""The same leads on every machine."""

User = tuple[str, str, str]
"""Name, e-mail address, role."""

COMPANY: Final = "Demo"
USERS: Final[tuple[User, ...]] = (
    ("Ana Souza", "ana@demo.example", "admin"),
    ("Miguel Oliveira", "miguel@demo.example", "manager"),
    ("Júlia Santos", "julia@demo.example", "agent"),
    ("James Carter", "james@demo.example", "agent"),
    ("Beatriz Lima", "beatriz@demo.example", "viewer"),
)
OTHER_COMPANY: Final = "Fjord"
OTHER_USERS: Final[tuple[User, ...]] = (("Olivia Berg", "olivia@fjord.example", "admin"),)

_FIRST: Final = (
    "Adriana", "Amanda", "Antônio", "Bruno", "Camila", "Carlos", "Charlotte", "Daniel", "Débora", "Eduardo", "Emily",
    "Fernanda", "Gabriel", "George", "Gustavo", "Helena", "Henrique", "Inês", "Isabela", "Jack", "João", "Larissa",
    "Lucas", "Luísa", "Marcelo", "Mariana", "Matthew", "Natália", "Olivia", "Otávio", "Paula", "Rafael", "Renata",
    "Rodrigo", "Sarah", "Sofia", "Thiago", "Valéria", "Vitória", "William",
)  # fmt: skip
_LAST: Final = (
    "Almeida", "Anderson", "Araújo", "Barbosa", "Bennett", "Cardoso", "Carvalho", "Clarke", "Costa", "Dias", "Ferreira",
    "Foster", "Gomes", "Gonçalves", "Hughes", "Lopes", "Martins", "Mendes", "Moreira", "Nascimento", "Nogueira",
    "Parker", "Pereira", "Ramos", "Ribeiro", "Rocha", "Silva", "Teixeira", "Walker", "Wright",
)  # fmt: skip
_ORGANISATIONS: Final = (
    "Aurora Energia", "Bela Vista Imóveis", "Blue Harbor Logistics", "Café Serra Azul", "Clínica Vida Plena",
    "Construtora Horizonte", "Delta Sementes", "Evergreen Software", "Farmácia Boa Saúde", "Grupo Maré Alta",
    "Hotel Pedra Branca", "Ipê Consultoria", "Lumen Education", "Metalúrgica São Jorge", "Nexo Contabilidade",
    "Northgate Insurance", "Oficina do Pão", "Paraná Têxtil", "Quinta do Vale", "Redwood Analytics",
    "Sabor & Cia", "Transportes Ligeiro", "Unimar Pescados", "Verde Campo Agro", "Westbrook Dental",
)  # fmt: skip
_TITLES: Final = ("Owner", "Director", "Head of purchasing", "Sales manager", "Engineer", "Assistant", None)
_TAGS: Final = ("vip", "follow-up", "trade fair", "price list", "partner", "export")
_REASONS: Final = ("Bought elsewhere", "No budget this year", "Never answered")
_MESSAGES: Final = (
    "Called: wants an offer by Friday.",
    "Please send the price list again.",
    "Met at the fair, very interested.",
    "Asked for a demonstration next week.",
    "Can you take this one over?",
)
_AREAS: Final = (11, 21, 31, 41, 51)
_SOURCES: Final = {"website": 34, "referral": 22, "whatsapp": 18, "linkedin": 12, "event": 8, "google-ads": 6}
_STATUSES: Final = {"new": 40, "contacted": 25, "qualified": 15, "won": 12, "lost": 8}


SETTINGS: Final[dict[str, dict[str, Any]]] = {
    COMPANY: {
        "region": "BR",
        "currency": "BRL",
        "sources": [
            {"key": "website", "name": "Website"},
            {"key": "referral", "name": "Referral"},
            {"key": "whatsapp", "name": "WhatsApp"},
            {"key": "linkedin", "name": "LinkedIn"},
            {"key": "event", "name": "Event"},
            {"key": "google-ads", "name": "Google Ads"},
        ],
        "custom_fields": [
            {"key": "employees", "label": "Employees", "kind": "number", "position": 1},
            {
                "key": "interest",
                "label": "Interest",
                "kind": "choice",
                "choices": ["low", "medium", "high"],
                "position": 2,
            },
        ],
    },
    OTHER_COMPANY: {"region": "NO", "currency": "NOK"},
}
"""What the companies start with."""


def specification(company: str, company_id: str, users: tuple[User, ...], password: str) -> object:
    """Return what `leads provision` reads."""
    return {
        "company": {"id": company_id, "name": company, **SETTINGS[company]},
        "users": [{"name": name, "email": email, "role": role, "password": password} for name, email, role in users],
    }


async def seed(leads_url: str, email: str, password: str) -> None:
    """Create the demo leads.

    May be repeated after an interruption: every lead has an Idempotency-Key of its own.

    Raises:
        httpx.HTTPError: the API refused.
    """
    async with httpx.AsyncClient(base_url=leads_url, timeout=30) as api:
        answer = await api.post("/auth/login", json={"email": email, "password": password})
        api.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        users = (await api.get("/users")).raise_for_status().json()["data"]
        sellers = sorted(user["id"] for user in users if user["role"] in {"agent", "manager"})
        for number, (lead, message) in enumerate(zip(leads(sellers), messages(sellers), strict=True)):
            created = await api.post("/leads", json=lead, headers={"Idempotency-Key": f"demo-lead-{number}"})
            lead_id = created.raise_for_status().json()["data"]["id"]
            if message is not None:
                key = {"Idempotency-Key": f"demo-message-{number}"}
                (await api.post(f"/leads/{lead_id}/messages", json=message, headers=key)).raise_for_status()


def leads(sellers: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the demo leads, the same every time; `sellers` are the ids of users who may have one."""
    chance = random.Random(_SEED)  # noqa: S311 - the point is that it is predictable
    for number in range(LEADS):
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        status = _weighted(chance, _STATUSES)
        yield {
            "name": f"{first} {last}",
            "email": f"{_plain(first)}.{_plain(last)}{number}@mail.example",
            "phone": _phone(chance),
            "organisation": chance.choice(_ORGANISATIONS) if chance.random() < 0.8 else None,  # noqa: PLR2004 - a share
            "title": chance.choice(_TITLES),
            "source": _weighted(chance, _SOURCES),
            "status": status,
            "lost_reason": chance.choice(_REASONS) if status == "lost" else None,
            "assigned_to": None if status == "new" else chance.choice(sellers),
            "value": f"{chance.randrange(5, 400) * 100}.00" if status != "new" else None,
            "score": chance.randrange(101),
            "tags": chance.sample(_TAGS, chance.randrange(3)),
            "custom": {"employees": chance.randrange(1, 500), "interest": chance.choice(("low", "medium", "high"))},
        }


def messages(people: list[str]) -> Iterator[dict[str, Any] | None]:
    """Yield the message on each demo lead, or None: most have none. `people` are the ids of whom it may mention."""
    chance = random.Random(_SEED)  # noqa: S311 - the same
    for _ in range(LEADS):
        mentions = [chance.choice(people)] if chance.random() < 0.5 else []  # noqa: PLR2004 - a share
        message = {"body": chance.choice(_MESSAGES), "mentions": mentions}
        yield message if chance.random() < 0.15 else None  # noqa: PLR2004 - a share


def _phone(chance: random.Random) -> str:
    return f"+55 {chance.choice(_AREAS)} 9{chance.randrange(10**4):04}-{chance.randrange(10**4):04}"


def _weighted(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("áâãçéêíóôõú", "aaaceeiooou"))
