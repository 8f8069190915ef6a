"""`GET /changes`: what is not about leads is there, too, and tells no more than colleagues may know."""

import json

from .conftest import Company, Connect


async def test_facts_about_users_and_pipelines_carry_their_data(connect: Connect, acme: Company) -> None:
    admin = connect("admin")
    new = {"name": "Grace", "email": "grace@acme.example", "role": "agent", "password": "some secret words"}
    user = (await admin.post("/users", json=new)).json()["data"]
    stages = [{"key": "new", "name": "New"}, {"key": "won", "name": "Won", "kind": "won"}]
    replaced = await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": "*"})
    assert replaced.is_success, replaced.text
    await admin.patch(f"/users/{user['id']}", json={"email": "hopper@acme.example", "role": "manager"})

    page = (await connect("viewer").get("/changes")).json()

    added, pipeline, changed = page["data"]
    assert (added["type"], added["subject"], added["lead"]) == ("user.added", user["id"], None)
    assert (added["data"]["user"]["name"], added["data"]["user"]["role"]) == ("Grace", "agent")
    assert (pipeline["type"], pipeline["subject"]) == ("pipeline.changed", str(acme.id))
    assert [stage["key"] for stage in pipeline["data"]["pipeline"]["stages"]] == ["new", "won"]
    assert changed["changes"] == {"role": {"old": "agent", "new": "manager"}}
    assert "@acme.example" not in json.dumps(page)


async def test_facts_about_leads_tell_what_they_hold_besides(connect: Connect) -> None:
    agent = connect()
    lead = (await agent.post("/leads", json={"name": "Ada"})).json()["data"]
    await agent.post(f"/leads/{lead['id']}/messages", json={"body": "Call her"})

    _created, posted = (await agent.get("/changes")).json()["data"]

    assert (posted["subject"], posted["data"]["message"]["body"]) == (lead["id"], "Call her")
    assert "lead" not in posted["data"]
