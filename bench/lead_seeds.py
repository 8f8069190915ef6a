"""Very many leads of one company, among others, written by COPY as the projection would have left them."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from contracts.events import LeadSummary
from leads.domain.search import fold, lexemes, scope, words

STATUSES = ("new", "contacted", "qualified", "won", "lost")
WEIGHTS = (30, 25, 20, 10, 15)
SOURCES = ("website", "referral", "phone", "fair", "campaign", None)
TAGS = ("vip", "renewal", "newsletter", "partner", "export")
FIRST = [
    f"{start}{end}"
    for start in (
        "An",
        "Bel",
        "Car",
        "Dan",
        "El",
        "Fer",
        "Gil",
        "Hel",
        "Is",
        "Jo",
        "Kar",
        "Lu",
        "Mar",
        "Nor",
        "Os",
        "Pau",
    )
    for end in ("a", "inda", "los", "iela", "ena", "nando", "berto", "io", "abel", "ana", "ina", "is", "cela", "valdo")
]
LAST = [
    f"{start}{middle}{end}"
    for start in ("Al", "Bar", "Cos", "Dua", "Es", "Fre", "Gon", "Hen", "Ig", "Jar", "Lo", "Mel")
    for middle in ("bo", "ca", "di", "fe", "gu", "ha", "li", "mo", "ne", "ra")
    for end in ("sa", "tes", "ves", "lho", "rin", "nde", "vão", "zes", "ques", "reia")
]
ORGANISATIONS = 50_000
PART = 1_000_000
"""So many leads are written by one process."""
PROCESSES = 3
USERS = 200
FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 1400
COLUMNS = (
    "company_id id name email phone organisation title source status status_since assigned_to value currency score tags"
    " messages created_at updated_at version name_key search"
)


def user_id(company_id: UUID, number: int) -> UUID:
    return UUID(int=(company_id.int & ~0xFFFF) | number)


def fill(url: str, company_id: UUID, numbers: range, total: int) -> None:
    """Write some of a company's leads, oldest first; the connection is a superuser's."""
    started = time.monotonic()
    with (
        psycopg.connect(url, autocommit=True) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY leads ({', '.join(COLUMNS.split())}) FROM STDIN") as copy,
    ):
        for copied, row in enumerate(rows(company_id, numbers, total), 1):
            copy.write(row)
            if copied % 500_000 == 0:
                print(
                    f"{copied:,} leads from {numbers.start:,} on after {time.monotonic() - started:.0f} s", flush=True
                )


def rows(company_id: UUID, numbers: range, total: int) -> Iterator[str]:
    """Return leads as lines of COPY's text format."""
    chance = random.Random(1)
    users = [str(user_id(company_id, number)) for number in range(USERS)] + ["\\N"] * 20
    organisations = [f"{chance.choice(LAST)} {chance.choice(LAST)} {number}" for number in range(ORGANISATIONS)]
    parts = {text: words(text) for text in (*FIRST, *LAST, *organisations, *TAGS, "Head of sales", "example.com")}
    folded = {name: fold(name) for name in (*FIRST, *LAST)}
    chance = random.Random(numbers.start)
    step = timedelta(days=DAYS) / total
    for number in numbers:
        at = FIRST_DAY + step * (number + 1)
        first, last = chance.choice(FIRST), chance.choice(LAST)
        name = f"{first} {last}"
        email = f"{folded[first]}.{folded[last]}.{number}@example.com"
        phone = f"+55119{number:08d}"
        organisation = chance.choice(organisations)
        tags = tuple(sorted(chance.sample(TAGS, 2))) if chance.random() < 0.1 else ()
        status = chance.choices(STATUSES, WEIGHTS)[0]
        source = chance.choice(SOURCES)
        value = f"{chance.randint(100, 100_000)}.00" if chance.random() < 0.5 else None
        found = [
            *(f"#{tag}" for tag in tags),
            *(phone[1:], f"<{phone[:0:-1]}", email, str(number)),
            *parts[first],
            *parts[last],
            *parts["example.com"],
            *parts[organisation],
            *parts["Head of sales"],
            *(word for tag in tags for word in parts[tag]),
        ]
        front = scope(company_id, at)
        if number < numbers.start + 1000:  # put together like this it takes a third of the time; it is the same
            summary = LeadSummary(
                id="",
                name=name,
                email=email,
                phone=phone,
                organisation=organisation,
                title="Head of sales",
                tags=tags,
                status=status,
                version=1,
                created_at=at,
                updated_at=at,
            )
            assert {front + word for word in found} == set(lexemes(company_id, summary)), summary
        vector = " ".join(f"'{front}{word}'" for word in found)
        time_text = at.isoformat()
        yield (
            "\t".join(
                (
                    str(company_id),
                    str(_id(at, chance)),
                    name,
                    email,
                    phone,
                    organisation,
                    "Head of sales",
                    source or "\\N",
                    status,
                    time_text,
                    chance.choice(users),
                    value or "\\N",
                    "BRL" if value else "\\N",
                    str(chance.randint(0, 100)),
                    "{" + ",".join(tags) + "}",
                    "0",
                    time_text,
                    time_text,
                    "1",
                    f"{folded[first]} {folded[last]}",
                    vector,
                )
            )
            + "\n"
        )


def _id(at: datetime, chance: random.Random) -> UUID:
    milliseconds = int(at.timestamp() * 1000)
    return UUID(
        int=(milliseconds << 80) | (0x7 << 76) | (chance.getrandbits(12) << 64) | (0b10 << 62) | chance.getrandbits(62)
    )


def load(url: str, companies: dict[UUID, int]) -> None:
    """Replace all leads by those of these companies; indexes are made at the end, which takes a tenth of the time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE leads")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'leads' AND indexname <> 'leads_pkey'"
        ).fetchall()
        for name, _definition in indexes:
            connection.execute(f"DROP INDEX {name}")
        with ProcessPoolExecutor(PROCESSES) as processes:
            parts = [
                processes.submit(fill, url, company_id, range(first, min(first + PART, count)), count)
                for company_id, count in companies.items()
                for first in range(0, count, PART)
            ]
            for part in parts:
                part.result()
        connection.execute("SET maintenance_work_mem = '1GB'")
        for name, definition in indexes:
            started = time.monotonic()
            connection.execute(definition)
            print(f"{name} after {time.monotonic() - started:.0f} s", flush=True)
        connection.execute("VACUUM (ANALYZE, FREEZE) leads")
