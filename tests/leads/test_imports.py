"""Files of leads: read, mapped, entered by the rules of single ones, taken back."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest

from leads.domain.csv_text import Parser
from leads.domain.importing import amount
from leads.store.database import Database

from .conftest import Company, Connect
from .working import Hand


@pytest.fixture
def hand(database: Database) -> Hand:
    return Hand(database)


@pytest.fixture
def manager(connect: Connect) -> httpx.AsyncClient:
    return connect("manager")


def table(*rows: list[str], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


async def uploaded(client: httpx.AsyncClient, content: str | bytes, **parameters: Any) -> dict[str, Any]:
    body = content.encode() if isinstance(content, str) else content
    answer = await client.post("/imports", content=body, params={"name": "leads.csv", **parameters})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    assert answer.headers["Location"] == f"/imports/{data['id']}"
    return data


async def imported(client: httpx.AsyncClient, hand: Hand, content: str, **mapping: Any) -> dict[str, Any]:
    data = await uploaded(client, content)
    if mapping:
        body = {"mapping": data["mapping"], **mapping}
        assert (await client.put(f"/imports/{data['id']}/mapping", json=body)).status_code == 200
    assert (await client.post(f"/imports/{data['id']}/start")).status_code == 202
    await hand.work()
    done: dict[str, Any] = (await client.get(f"/imports/{data['id']}")).json()["data"]
    return done


async def names(client: httpx.AsyncClient) -> list[str]:
    return sorted(lead["name"] for lead in (await client.get("/leads?limit=500")).json()["data"])


async def test_a_file_becomes_leads_and_is_taken_back(
    manager: httpx.AsyncClient, hand: Hand, superuser: psycopg.Connection, acme: Company
) -> None:
    rows = [["Nome", "E-mail", "Telefone", "Valor", "Moeda", "Tags", "Assigned to", "Extra"]]
    rows += [
        [
            f"Ada {n}",
            f"ada{n}@example.com",
            f"+5511987{n:06}",
            "R$ 1.234,50",
            "brl",
            "vip; fair",
            "agent@acme.example",
            "x",
        ]
        for n in range(600)
    ]
    data = await uploaded(manager, table(*rows, delimiter=";"))

    assert (data["delimiter"], data["encoding"], data["rows"], data["state"]) == (";", "utf-8", 600, "uploaded")
    assert data["mapping"] == ["name", "email", "phone", "value", "currency", "tags", "assigned_to", None]
    first = data["preview"][0]["lead"]
    assert first["value"] == "1234.50"
    assert first["assigned_to"] == str(acme.users["agent"])
    started = [await manager.post(f"/imports/{data['id']}/start") for _ in range(2)]
    assert [answer.headers["Location"] for answer in started] == [f"/jobs/{data['id']}"] * 2
    await hand.work()
    done = (await manager.get(f"/imports/{data['id']}")).json()["data"]
    assert (done["state"], done["done"], done["created"], done["failed"]) == ("done", 600, 600, 0)
    stats = (await manager.get("/stats")).json()["data"]
    assert (stats["total"], stats["by_assignee"]) == (600, {str(acme.users["agent"]): 600})
    facts = superuser.execute(
        "SELECT type, metadata ->> 'job_id' FROM events WHERE company_id = %s ORDER BY feed_position", [acme.id]
    ).fetchall()
    assert {job for _, job in facts} == {data["id"]}
    assert [name for name, _ in facts if "lead" not in name][:1] == ["crm.import.started.v1"]
    assert facts[-1][0] == "crm.import.finished.v1"

    touched = (await manager.get("/leads?limit=1")).json()["data"][0]["id"]
    await manager.patch(f"/leads/{touched}", json={"title": "Boss"})
    revert = await manager.post(f"/imports/{data['id']}/revert")
    assert (await manager.get(f"/imports/{data['id']}")).json()["data"]["state"] == "reverting"
    await hand.work()
    undo = (await manager.get(revert.headers["Location"])).json()["data"]

    assert (undo["changed"], undo["refused"]) == (599, {"changed_since": 1})
    assert (await manager.get("/stats")).json()["data"]["total"] == 1
    assert (await manager.get(f"/imports/{data['id']}")).json()["data"]["state"] == "reverted"
    last = superuser.execute(
        "SELECT type FROM events WHERE company_id = %s ORDER BY feed_position DESC LIMIT 1", [acme.id]
    ).fetchone()
    assert last == ("crm.import.reverted.v1",)


async def test_rows_that_are_no_leads_are_told_and_come_back_as_a_file(manager: httpx.AsyncClient, hand: Hand) -> None:
    content = table(
        ["name", "email", "score", "status"],
        ["Ada", "ada@example.com", "70", "New"],
        ["", "nobody", "101", "=cmd|'/c calc'!A0"],
        ["Bob", "bob@example.com", "many", "won"],
    )

    done = await imported(manager, hand, content)
    errors = await manager.get(f"/imports/{done['id']}/errors.csv")
    refusals = (await manager.get(f"/jobs/{done['id']}/refusals")).json()["data"]

    assert (done["created"], done["failed"]) == (1, 2)
    assert [(refusal["item"], refusal["code"]) for refusal in refusals] == [(2, "name_missing"), (3, "invalid_score")]
    assert {error["field"] for error in refusals[0]["errors"]} == {"name", "email", "score", "status"}
    assert errors.headers["Content-Disposition"] == 'attachment; filename="errors.csv"'
    rows = list(csv.reader(io.StringIO(errors.content.decode("utf-8-sig"))))
    assert rows[0] == ["row", "reason", "name", "email", "score", "status"]
    assert rows[1][0] == "2"
    assert rows[1][2:] == ["", "nobody", "101", "'=cmd|'/c calc'!A0"]
    assert rows[2] == ["3", "score: Should be a whole number from 0 to 100", "Bob", "bob@example.com", "many", "won"]


@pytest.mark.parametrize(
    ("policy", "counts", "there"),
    [
        ("skip", (1, 0, 3), ["Ada", "New"]),
        ("update", (1, 2, 1), ["Ada L", "New"]),
        ("create", (4, 0, 0), ["Ada", "Ada L", "Ada L", "New", "Newer"]),
    ],
)
async def test_rows_of_leads_that_are_there(
    manager: httpx.AsyncClient, hand: Hand, policy: str, counts: tuple[int, int, int], there: list[str]
) -> None:
    await manager.post("/leads", json={"name": "Ada", "email": "ada@example.com", "tags": ["old"], "title": "Dr"})
    content = table(
        ["name", "email", "tags", "title"],
        ["Ada L", "ADA@example.com", "fair", ""],
        ["New", "new@example.com", "", ""],
        ["Ada L", "ada@example.com", "", ""],
        ["Newer" if policy == "create" else "New", "new@example.com", "late", ""],
    )

    done = await imported(manager, hand, content, duplicates=policy)
    leads = {lead["name"]: lead for lead in (await manager.get("/leads")).json()["data"]}

    assert (done["created"], done["updated"], done["duplicated"]) == counts
    assert await names(manager) == there
    if policy == "update":
        assert (leads["Ada L"]["tags"], leads["Ada L"]["title"]) == (["fair", "old"], "Dr")
        assert leads["New"]["tags"] == ["late"]
        await manager.post(f"/imports/{done['id']}/revert")
        await hand.work()
        (ada,) = (await manager.get("/leads")).json()["data"]
        assert (ada["name"], ada["tags"]) == ("Ada", ["old"])


SWITCHBOARD = "+551133440101"


@pytest.mark.parametrize("policy", ["skip", "update", "create"])
@pytest.mark.parametrize("batch", [1, 250])
async def test_people_who_share_a_phone_stay_different_people(
    manager: httpx.AsyncClient, hand: Hand, monkeypatch: pytest.MonkeyPatch, policy: str, batch: int
) -> None:
    for module in ("leads.domain.jobs", "leads.store.jobs", "leads.steps"):
        monkeypatch.setattr(f"{module}.BATCH", batch)
    await manager.post("/leads", json={"name": "Desk", "phone": SWITCHBOARD})
    await manager.post(
        "/leads", json={"name": "Old", "email": "old@s.test", "phone": SWITCHBOARD, "allow_duplicate": True}
    )
    content = table(
        ["name", "email", "phone"],
        ["Marta Silva", "marta@s.test", SWITCHBOARD],
        ["Paulo Reis", "paulo@s.test", SWITCHBOARD],
        ["Rita Cunha", "", SWITCHBOARD],
        ["Old", "other.old@s.test", SWITCHBOARD],
    )

    done = await imported(manager, hand, content, duplicates=policy)
    leads = (await manager.get("/leads")).json()["data"]

    assert (done["created"], done["updated"], done["failed"]) == (4, 0, 0)
    assert sorted((lead["name"], lead["email"]) for lead in leads if lead["email"]) == [
        ("Marta Silva", "marta@s.test"),
        ("Old", "old@s.test"),
        ("Old", "other.old@s.test"),
        ("Paulo Reis", "paulo@s.test"),
    ]
    assert {lead["name"] for lead in leads if not lead["email"]} == {"Desk", "Rita Cunha"}


async def test_a_phone_and_the_same_name_are_one_person_whose_name_and_address_stay(
    manager: httpx.AsyncClient, hand: Hand
) -> None:
    await manager.post("/leads", json={"name": "Jo\u00e3o Silva", "email": "j@s.test", "phone": SWITCHBOARD})
    await manager.post("/leads", json={"name": "Ana", "phone": "+551133440102"})
    content = table(
        ["name", "email", "phone", "title"],
        ["JOAO SILVA", "", SWITCHBOARD, "CTO"],
        ["ana", "ana@s.test", "+551133440102", ""],
        ["Ana", "another.ana@s.test", "+551133440102", ""],
        ["Rita", "ana@s.test", SWITCHBOARD, "CFO"],
    )

    done = await imported(manager, hand, content, duplicates="update")
    leads = (await manager.get("/leads?sort=name")).json()["data"]

    assert (done["created"], done["updated"], done["failed"]) == (1, 3, 0)
    assert [(lead["name"], lead["email"], lead["phone"], lead["title"]) for lead in leads] == [
        ("Ana", "another.ana@s.test", "+551133440102", None),
        ("Jo\u00e3o Silva", "j@s.test", SWITCHBOARD, "CTO"),
        ("Rita", "ana@s.test", SWITCHBOARD, "CFO"),
    ]


async def test_defaults_fill_new_leads_and_empty_fields_alone(
    manager: httpx.AsyncClient, hand: Hand, acme: Company
) -> None:
    full = {"name": "Def", "email": "def@s.test", "source": "referral", "tags": ["old"], "status": "new"}
    await manager.post("/sources", json={"key": "referral", "name": "Referral"})
    await manager.post("/sources", json={"key": "linkedin", "name": "LinkedIn"})
    for lead in (full, {"name": "Bare", "email": "bare@s.test"}):
        assert (await manager.post("/leads", json=lead)).is_success
    agent, other = str(acme.users["agent"]), str(acme.users["manager"])
    defaults = {"source": "linkedin", "status": "qualified", "tags": ["fair"], "assigned_to": agent}
    await manager.post(
        f"/leads/{(await manager.get('/leads?name=def')).json()['data'][0]['id']}/assign", json={"assigned_to": other}
    )
    content = table(["name", "email"], ["Def", "def@s.test"], ["Bare", "bare@s.test"], ["New", "new@s.test"])

    done = await imported(manager, hand, content, duplicates="update", defaults=defaults)
    leads = {lead["name"]: lead for lead in (await manager.get("/leads")).json()["data"]}

    shown = ("source", "status", "tags", "assigned_to")
    assert (done["created"], done["updated"], done["duplicated"]) == (1, 1, 1)
    assert [leads["Def"][field] for field in shown] == ["referral", "new", ["old"], other]
    assert [leads["Bare"][field] for field in shown] == ["linkedin", "new", ["fair"], agent]
    assert [leads["New"][field] for field in shown] == ["linkedin", "qualified", ["fair"], agent]


async def test_leads_that_share_a_phone_all_come_back(
    manager: httpx.AsyncClient, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("leads.domain.jobs", "leads.store.jobs", "leads.steps"):
        monkeypatch.setattr(f"{module}.BATCH", 1)
    people = [[name, f"{name}@s.test", SWITCHBOARD] for name in ("marta", "paulo", "rita")]
    await imported(manager, hand, table(["name", "email", "phone"], *people))
    ids = [lead["id"] for lead in (await manager.get("/leads")).json()["data"]]
    order = {"leads": {"ids": ids}, "change": {"action": "delete"}}
    job = (await manager.post("/leads/bulk", json=order)).json()["data"]["id"]
    await hand.work()

    await manager.post(f"/jobs/{job}/undo")
    (undone,) = await hand.work()

    assert (undone.changed, undone.refused) == (3, {})
    assert await names(manager) == ["marta", "paulo", "rita"]


async def test_the_same_file_again_enters_nobody_twice_until_it_is_taken_back(
    manager: httpx.AsyncClient, hand: Hand
) -> None:
    content = table(["name"], ["Ada"], ["Bob"])

    first = await imported(manager, hand, content, duplicates="create")
    again = await imported(manager, hand, content, duplicates="create")
    assert (again["created"], again["duplicated"]) == (0, 2)
    await manager.post(f"/imports/{first['id']}/revert")
    await hand.work()
    assert await names(manager) == []
    third = await imported(manager, hand, content, duplicates="create")

    assert third["created"] == 2
    assert await names(manager) == ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        (b"", "file_empty", None),
        (b"name,email\r\n\r\n", "file_empty", None),
        (b"name\nA\0da\n", "file_not_text", None),
        (b"\xff\xfen\0a\0m\0e\0\n\0\xd8", "file_not_text", None),
        ("name\nJos\u00e9\n".encode() + b"Ren\xe9\n", "file_not_text", None),
        (b'name\n"Ada\n', "file_malformed", 1),
        (b'name\nAda\n"Bob" Smith\n', "file_malformed", 2),
        (b"name\n" + b"x" * 40_000, "row_too_long", 1),
        (b"name,note\nAda," + b'"' + b"x\n" * 40_000 + b'"', "row_too_long", 1),
        (b"," * 1_000_000, "row_too_long", 0),
        (b",".join([b"c"] * 201) + b"\nx\n", "too_many_columns", 0),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_and_leaves_nothing(
    manager: httpx.AsyncClient, superuser: psycopg.Connection, content: bytes, code: str, row: int | None
) -> None:
    answer = await manager.post("/imports?name=x.csv", content=content)

    assert (answer.status_code, answer.json()["code"], answer.json().get("row")) == (422, code, row)
    assert superuser.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("name;email\r\nJos\u00e9;jose@example.com".encode(), "utf-8"),
        ("\ufeffname;email\r\nJos\u00e9;jose@example.com".encode(), "utf-8"),
        ("name;email\r\nJos\u00e9;jose@example.com".encode("windows-1252"), "windows-1252"),
        ("name;email\r\nJos\u00e9;jose@example.com".encode("utf-16"), "utf-16"),
    ],
)
async def test_an_encoding_is_recognised(manager: httpx.AsyncClient, content: bytes, encoding: str) -> None:
    data = await uploaded(manager, content)

    assert (data["encoding"], data["columns"]) == (encoding, ["name", "email"])
    assert data["preview"][0]["lead"] == {"name": "Jos\u00e9", "email": "jose@example.com", "status": "new"}


async def test_a_mapping_by_which_no_row_could_be_read_is_refused(manager: httpx.AsyncClient) -> None:
    data = await uploaded(manager, "a,b\n1,2\n")
    path = f"/imports/{data['id']}"

    unmapped = await manager.post(f"{path}/start")
    wrong = [
        (await manager.put(f"{path}/mapping", json=body)).json()
        for body in (
            {"mapping": ["name"]},
            {"mapping": ["name", "name"]},
            {"mapping": ["name", "custom.nothing"]},
            {"mapping": ["email", None]},
            {"mapping": ["name", None], "defaults": {"status": "nowhere"}},
        )
    ]

    assert unmapped.json()["code"] == "invalid_mapping"
    assert {answer["code"] for answer in wrong} == {"invalid_mapping"}
    assert [answer["errors"][0]["pointer"] for answer in wrong] == [
        *("/mapping", "/mapping/1", "/mapping/1", "/mapping", "/defaults/status")
    ]


async def test_an_import_that_is_not_started_can_be_forgotten(manager: httpx.AsyncClient, hand: Hand) -> None:
    data = await uploaded(manager, "name\nAda\n")
    done = await imported(manager, hand, "name\nBob\n")

    assert (await manager.delete(f"/imports/{data['id']}")).status_code == 204
    assert (await manager.get(f"/imports/{data['id']}")).status_code == 404
    assert (await manager.delete(f"/imports/{done['id']}")).json()["code"] == "import_started"
    assert [entry["id"] for entry in (await manager.get("/imports")).json()["data"]] == [done["id"]]


async def test_what_is_exported_can_be_imported_and_calculates_nothing(
    manager: httpx.AsyncClient, connect: Connect, globex: Company, hand: Hand
) -> None:
    evil = ["=1+1", "+cmd", "-x", "@sum", "'=x", 'say "hi", you']
    for number, name in enumerate(evil):
        await manager.post("/leads", json={"name": name, "phone": f"+551198765432{number}", "tags": ["a", "b"]})
    for number in range(250):
        await manager.post("/leads", json={"name": f"Lead {number}", "title": "x"})

    answer = await manager.get("/leads/export?sort=name&order=asc&bom=true&tags=a")
    everything = (await manager.get("/leads/export")).text
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    theirs = connect("manager", globex)
    done = await imported(theirs, hand, answer.content.decode())

    assert answer.headers["Content-Disposition"] == 'attachment; filename="leads-2026-11-23.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert not [cell for row in rows for cell in row.values() if cell[:1] in {"=", "@"}]
    assert {row["phone"][:3] for row in rows} == {"+55"}
    assert everything.count("\r\n") == 1 + len(evil) + 250
    assert done["created"] == len(evil)
    assert await names(theirs) == sorted(evil)
    assert (await manager.get("/leads/export?nonsense=1")).status_code == 422


async def test_an_export_for_a_locale_is_what_its_spreadsheets_read_and_comes_back(
    manager: httpx.AsyncClient, connect: Connect, globex: Company, hand: Hand
) -> None:
    admin, theirs = connect("admin"), connect("manager", globex)
    fields = [{"key": "size", "label": "Size", "kind": "number"}, {"key": "note", "label": "Note", "kind": "text"}]
    for client in (admin, connect("admin", globex)):
        for field in fields:
            assert (await client.post("/custom-fields", json=field)).status_code == 201
    values = {"value": "1234.50", "currency": "BRL", "phone": "+5511987654321", "tags": ["a", "=b"]}
    for name, size, note in (("Ana", 123.567, "x;=1+1"), ("Bia", -0.5, "\uff1d2"), ("Caio", 1e-7, "plain")):
        custom = {"size": size, "note": note}
        lead = {"name": name, "email": f"{name}@s.test", **values, "custom": custom, "allow_duplicate": True}
        assert (await manager.post("/leads", json=lead)).status_code == 201

    answer = await manager.get("/leads/export?sort=name&locale=pt-BR")
    english = (await manager.get("/leads/export?sort=name&locale=en&bom=false")).text
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    done = await imported(theirs, hand, answer.content.decode(), duplicates="create")
    shown = ("name", "email", "phone", "value", "currency", "tags", "custom")
    ours, copies = [
        [[lead[field] for field in shown] for lead in (await client.get("/leads?sort=name")).json()["data"]]
        for client in (manager, theirs)
    ]

    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert (rows[0]["value"], rows[0]["phone"], rows[1]["custom.size"]) == ("1234,50", "+5511987654321", "-0,5")
    assert rows[0]["created_at"] == "2026-11-23 12:00:00"
    assert rows[0]["custom.note"] == "x;'=1+1"
    assert (english[:3], "1234.50" in english, '"x;\'=1+1"' in english) == ("id,", True, True)
    assert done["created"] == 3
    assert copies == ours


async def test_the_rows_that_failed_come_back_as_they_were_for_a_locale(manager: httpx.AsyncClient, hand: Hand) -> None:
    done = await imported(manager, hand, table(["name", "email"], ["'=x", "nobody"], ["a;=y", "nobody"]))

    errors = (await manager.get(f"/imports/{done['id']}/errors.csv?locale=pt-BR")).content.decode("utf-8-sig")

    rows = list(csv.reader(io.StringIO(errors), delimiter=";"))
    assert [row[2:] for row in rows] == [["name", "email"], ["'=x", "nobody"], ["a;'=y", "nobody"]]


async def test_others_are_served_while_a_file_of_nothing_is_read(
    manager: httpx.AsyncClient, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two turns of the loop an upload reads a few thousand cells at most, whatever it consists of."""
    longest, read = 0, 0

    def counted(self: Parser, cell: str, row: int) -> None:
        nonlocal read
        read += 1
        add(self, cell, row)

    add = Parser._add
    monkeypatch.setattr(Parser, "_add", counted)

    async def watch() -> None:
        nonlocal longest
        seen = 0
        while True:
            longest, seen = max(longest, read - seen), read
            await asyncio.sleep(0)

    async def pieces(content: bytes, served: asyncio.Event) -> AsyncIterator[bytes]:
        yield content
        await served.wait()  # the upload cannot end before somebody else was served
        yield b"Bob,\n"

    watching = asyncio.create_task(watch())
    for content in (b"name,email\nAda,\n" + b"\n" * 3_000_000, b"a,b\n" + b"x,\n" * 20_000, b"a,b\n" + b",\n" * 20_000):
        served = asyncio.Event()
        sending = manager.post("/imports?name=x.csv", content=pieces(content, served))
        uploading = asyncio.create_task(sending)
        assert (await connect("agent").get("/auth/me")).status_code == 200
        served.set()
        assert (await uploading).status_code == 201
    watching.cancel()

    assert longest <= 4096
    assert read < 100_000
    many = await manager.post("/imports?name=x.csv", content=b"name\n" + b"x\n" * 200_001)
    assert (many.status_code, many.json()["code"]) == (413, "file_too_large")


@pytest.mark.parametrize("text", ["1" + " " * 30_000 + "1", "1" * 30_000, "-" * 30_000, "1," * 15_000])
def test_a_long_cell_is_no_amount(text: str) -> None:
    assert amount(text) == text


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    manager: httpx.AsyncClient, superuser: psycopg.Connection
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"name\n"
        while True:
            yield b"Ada\n" * 16_000

    answer = await manager.post("/imports?name=x.csv", content=endless())

    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert superuser.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    assert superuser.execute("SELECT count(*) FROM job_batches").fetchone() == (0,)


async def test_so_many_files_wait_to_be_started(manager: httpx.AsyncClient) -> None:
    for _ in range(10):
        await uploaded(manager, "name\nAda\n")

    answer = await manager.post("/imports?name=x.csv", content="name\nAda\n")

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_jobs")
