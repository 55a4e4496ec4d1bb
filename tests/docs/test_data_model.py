"""`docs/data-model.md` against the code: what a broad scenario writes and asks is in it, and nothing else."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema
import pytest

import app as product
from chalicelib.auth import flush
from chalicelib.billing import plans as billing_plans
from chalicelib.conversations import store as conversations_store
from chalicelib.core import aws, clock, table
from chalicelib.core.config import settings
from chalicelib.core.table import rows_of, run, transact
from chalicelib.events.models import SYSTEM, EventOut, event_from_item
from chalicelib.events.sweeper import MAX_PASSES
from chalicelib.files.cascades import delete_files
from chalicelib.jobs import service as jobs
from chalicelib.mail import feedback
from chalicelib.mail import store as mail_store
from chalicelib.messages import store as messages_store
from chalicelib.notifications import links
from chalicelib.tenants.erasing import start_erasing
from chalicelib.tenants.standing import OPERATOR, resume_tenant, suspend_tenant
from chalicelib.webhooks import workers
from chalicelib.webhooks.catalogue import EVENT_TYPES, schema_of
from local import demo
from tests.budgets.account import known_pool_user
from tests.support import tables
from tests.support.chats import HOST, ORIGIN, Chat, new_chat, reply, unique
from tests.support.clocks import later
from tests.support.contacts import CONTACTS, add_note, link_conversation, merged, new_company, new_contact
from tests.support.csv_files import exported, imported
from tests.support.files import FILES, OWN_FILES, png, posted, uploaded
from tests.support.identity import new_secret, proven, signed
from tests.support.mails import Post, identified, link_of
from tests.support.people import PASSWORD, link_token, logged_in, new_email, registered, signed_in
from tests.support.queues import drain
from tests.support.receivers import Receiver
from tests.support.schedules import tick
from tests.support.settings import changed
from tests.support.stripe import Till
from tests.support.tables import Watch
from tests.support.tags import new_tag, new_team
from tests.support.tenants import invite, new_key, new_member, new_tenant
from tests.support.totp import with_totp
from tests.support.webhooks import WEBHOOKS, deliveries_of, delivery, new_webhook

pytestmark = pytest.mark.xdist_group("data-model")  # one run of the scenario serves all

DAY_MS = 86_400_000
PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-model.md"


def section(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    text = PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def code(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


_seen: list[Watch] = []


@pytest.fixture
def seen(services, client, tmp_path, monkeypatch):
    """What was written and asked while everybody did everything once; done by the first test for all of them."""
    if not _seen:
        watch = Watch()
        aws.interceptors.append(watch)
        monkeypatch.setattr(table, "pending_keys", only(watch.pks, table.pending_keys))
        everything(services, client, tmp_path, monkeypatch)
        watch.erasing = True
        watch.left = erased(services)
        _seen.append(watch)
    return _seen[0]


def only(pks: set[str], pending_keys: Any) -> Any:
    """The table is shared with other tests, whose leftovers are not ours to sweep."""
    return lambda *args: [key for key in pending_keys(*args) if key.pk in pks]


def everything(services: Any, client: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cache = dataclasses.replace(settings(), rest_api_id="abc")
    monkeypatch.setattr(flush, "settings", lambda: with_cache)
    demo.seed(folder, "http://127.0.0.1:8000")
    people(client, services)
    tenants(client, services)
    chats(services)
    contacts(services)
    files(services)
    with changed(ALLOW_LOOPBACK_WEBHOOKS="1"):
        webhooks(services, monkeypatch)
    billing(services)
    with changed(**{f"{kind}_REQUESTS": "1000" for kind in ("USER", "KEY", "VISITOR", "TENANT", "TENANT_VISITOR")}):
        limits()
    mails(services)
    lost, parked = lose_nudges(services)
    with later(DAY_MS):  # the snoozed are due, one lost change is found, and one that never gets through is put aside
        tick(product.wake_conversations)
        tick(product.sweep_files)
        run(rows_of(parked).updating(parked.partition("#")[2], "meta", set_={"pr": MAX_PASSES}))
        tick(product.sweep_pending)
        assert lost in services.queues["events"]
        assert parked not in services.queues["events"]
        drain(services)


def erased(services: Any) -> list[Any]:
    """Suspend a tenant and let it go on, then erase all that there are; returns what is left of them."""
    tenant = new_tenant()
    suspend_tenant(tenant.id)
    resume_tenant(tenant.id)
    slugs = {row["pk"].partition("#")[0]: row["slug"] for row in tables.everything() if "slug" in row}
    assert len(slugs) > 10
    for tenant_id, slug in slugs.items():
        start_erasing(tenant_id, OPERATOR, slug)
    drain(services)
    rows = [row for row in tables.everything() if not row["pk"].startswith(("R#", "U#idem#"))]
    return [row for row in rows if any(tenant_id in json.dumps(row, default=str) for tenant_id in slugs)]


def test_of_a_tenant_that_is_erased_nothing_is_left_whatever_there_was(seen):
    """But for counters of rates, and a person's own kept answer of having made it: both are gone within a day."""
    assert [(row["pk"], row["sk"]) for row in seen.left] == []


def lose_nudges(services: Any) -> tuple[str, str]:
    """Begin two conversations whose nudges to the dispatcher get lost; returns their partition keys."""
    chat = new_chat(new_tenant(domain=HOST))
    drain(services)
    found = [chat.begin(), chat.begin()]
    nudges = services.queues["events"]
    keys = [key for each in found for key in nudges if key.endswith(each)]
    nudges.clear()
    return keys[0], keys[1]


def people(client: Any, services: Any) -> None:
    person = signed_in(client, services)
    client.post("/v1/auth/login", {"email": person.email, "password": "a wrong password"})
    client.post("/v1/auth/refresh", {"refresh_token": person.tokens["refresh_token"]})
    client.using(User_Agent="Firefox").post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    assert person.client.get("/v1/auth/sessions").status == 200
    client.post("/v1/auth/logout", {"refresh_token": logged_in(client, person.email)["refresh_token"]})
    client.post("/v1/auth/forgot-password", {"email": person.email})
    drain(services)
    client.post("/v1/auth/reset-password", {"token": link_token(services, person.email), "password": PASSWORD + "2"})
    registered(client, services, new_email())
    for _ in range(12):
        client.post("/v1/auth/login", {"email": "nobody@example.com", "password": "guess me once"})
    person = signed_in(client, services)
    person.client.post("/v1/tenants", {"name": "Once"}, Idempotency_Key=unique())
    person.client.patch("/v1/auth/me", {"name": "Ada King"})
    for email in (new_email(), new_email()):
        person.client.post("/v1/auth/change-email", {"email": email, "password": PASSWORD})
        drain(services)
    client.post("/v1/auth/confirm-email", {"token": link_token(services, email)})
    with_totp(client, services)
    known_pool_user()
    drain(services)


def tenants(client: Any, services: Any) -> None:
    tenant = new_tenant(domain=HOST)
    owner = tenant.owner.client
    owner.patch(tenant.url, {"slug": f"s-{unique().lower()}"})
    member = new_member(tenant, "agent")
    owner.patch(f"{tenant.url}/members/{member.user_id}", {"role": "admin"})
    owner.delete(f"{tenant.url}/members/{member.user_id}")
    owner.post(f"{tenant.url}/invitations/{invite(tenant, new_email())}/resend")
    owner.delete(f"{tenant.url}/members/{invite(tenant, new_email())}")
    drain(services)
    key = owner.post("/v1/api-keys", {"name": "k", "mode": "test", "expires_at": "2099-01-01T00:00:00Z"}).json
    rotated = owner.post(f"/v1/api-keys/{key['id']}/rotate", {"expire_previous_in": 60}).json
    tester = client.using(rotated["secret"])
    assert tester.post("/v1/widgets", {"name": "in test data"}).status == 201
    owner.patch(f"/v1/api-keys/{key['id']}", {"name": "other"})
    texts = {"title": "t", "greeting": "g", "offline_message": "o", "logo_url": "https://example.com/l.png"}
    widget = owner.post("/v1/widgets", {"name": "w", **texts}, Idempotency_Key=unique()).json
    owner.patch(f"/v1/widgets/{widget['id']}", {"color": "#123456"})
    owner.delete(f"/v1/widgets/{widget['id']}")
    domain = owner.post("/v1/domains", {"domain": "www.example.org"}).json
    owner.delete(f"/v1/domains/{domain['id']}")
    canned = owner.post("/v1/canned-responses", {"shortcut": "/a", "content": "x", "title": "t", "language": "en"}).json
    owner.patch(f"/v1/canned-responses/{canned['id']}", {"shortcut": "/b", "tags": ["t"]})
    owner.post(f"/v1/canned-responses/{canned['id']}/render")
    owner.delete(f"/v1/canned-responses/{canned['id']}")
    for path in (
        "canned-responses",
        "widgets",
        "domains",
        "api-keys",
        "tenants",
        "visitors",
        "events",
        "conversations",
    ):
        assert owner.get(f"/v1/{path}").status == 200
    for path in ("members", "invitations", "audit-log"):
        assert owner.get(f"{tenant.url}/{path}").status == 200
    owner.delete(f"/v1/api-keys/{key['id']}")
    assert owner.post(f"{tenant.url}/export").status == 202
    drain(services)


def chats(services: Any) -> None:
    tenant = new_tenant(domain=HOST)
    owner = tenant.owner.client
    chat = new_chat(tenant, page_url=ORIGIN, referrer_url=ORIGIN, locale="de")
    chat.client.post("/widget/v1/identify", {"name": "Kim", "email": "kim@example.com"})
    chat.client.put("/widget/v1/context", {"context": {"plan": "pro"}})
    view = {"url": ORIGIN, "title": "Prices", "referrer_url": ORIGIN}
    assert chat.client.post("/widget/v1/page-views", view).status == 201
    assert owner.get(f"/v1/visitors/{chat.visitor_id}/page-views").status == 200
    conversation = chat.begin(client_msg_id=unique())
    chat.say(conversation, client_msg_id=unique())
    drain(services)
    url = f"/v1/conversations/{conversation}"
    note = {"content": "hm", "private": True, "client_msg_id": unique()}
    assert owner.post(f"{url}/messages", note, Idempotency_Key=unique()).status == 201
    said = owner.post(f"{url}/messages", {"content": "Hello"}).json["id"]
    for _ in range(2):
        assert owner.patch(f"{url}/messages/{said}", {"content": unique()}).status == 200
    assert owner.delete(f"{url}/messages/{said}").status == 204
    assert owner.delete(f"/v1/conversations/{chat.begin()}").status == 204
    assert owner.post(f"/v1/conversations/{other_with_edits(owner, chat)}/merge", {"into": conversation}).status == 202
    drain(services)
    drain(services)
    changed = {"subject": "s", "summary": "s", "priority": "high", "tags": ["a"], "custom_attributes": {"a": 1}}
    assert owner.patch(url, {**changed, "assigned_to": tenant.owner.user_id}).status == 200
    owner.patch(url, {"tags": ["b"]})
    owner.post(f"{url}/snooze", {"until": "2099-01-01T00:00:00Z"})
    owner.post(f"{url}/reopen")
    owner.post(f"{url}/snooze", {"until": clock.rfc3339(clock.now_ms() + 3_600_000)})
    chat.client.post(f"/widget/v1/conversations/{conversation}/rate", {"score": 5})
    owner.post(f"{url}/close")
    owner.post("/v1/conversations", {"visitor_id": chat.visitor_id, "message": {"content": "x", "client_msg_id": "1"}})
    other = owner.post("/v1/conversations", {"visitor_id": chat.visitor_id}).json["id"]
    owner.post(f"/v1/conversations/{other}/snooze", {"until": clock.rfc3339(clock.now_ms() + 3_600_000)})
    for filters in (
        "status=open",
        "assigned_to=me",
        "tag=b",
        f"visitor_id={chat.visitor_id}",
        "assigned_to=unassigned",
    ):
        assert owner.get(f"/v1/conversations?{filters}&limit=1").status == 200
    widget = tenant.created["default_widget"]["id"]
    for path in (f"?widget_id={widget}", f"/{conversation}", f"/{conversation}/thread", f"/{conversation}/messages"):
        assert owner.get(f"/v1/conversations{path}").status == 200
    assert chat.client.get(f"/widget/v1/conversations/{conversation}/messages").status == 200
    drain(services)
    for q in ("%23" + "1", "hello"):
        assert owner.get(f"/v1/conversations?q={q}&tag=b").status == 200
    assert owner.post("/v1/conversations/bulk", {"filter": {"tag": "b"}, "set": {"priority": "low"}}).status == 202
    drain(services)
    assert owner.patch(tenant.url, {"retention_days": 1}).status == 200


def other_with_edits(owner: Any, chat: Chat) -> str:
    """Begin a conversation with a message that has been changed and one that has been deleted."""
    found = chat.begin()
    url = f"/v1/conversations/{found}/messages"
    one, two = (owner.post(url, {"content": unique()}).json["id"] for _ in range(2))
    assert owner.patch(f"{url}/{one}", {"content": unique()}).status == 200
    assert owner.delete(f"{url}/{two}").status == 204
    return found


def contacts(services: Any) -> None:
    tenant = new_tenant(domain=HOST)
    owner, chat = tenant.owner.client, new_chat(tenant)
    attribute = owner.post("/v1/custom-attributes", {"key": "plan", "label": "Plan", "type": "text"}).json["id"]
    assert owner.patch(f"/v1/custom-attributes/{attribute}", {"required": True}).status == 200
    texts = {"website": ORIGIN, "industry": "i", "logo_url": ORIGIN, "notes": "n"}
    company = new_company(owner, is_customer=True, **texts)["id"]
    more = {"phone": "+49301234567", "title": "t", "role": "r", "is_primary": True, "notes": "n"}
    every = {**more, "company_id": company, "custom_attributes": {"plan": "pro"}}
    ana, kim = (new_contact(owner, name, email=new_email(), external_id=unique(), **every) for name in ("Ana", "Kim"))
    url = f"{CONTACTS}/{ana['id']}"
    assert owner.send("PUT", CONTACTS, {"external_id": ana["external_id"], "name": "Ann"}).status == 200
    assert owner.post(f"{url}/block").status == owner.post(f"{url}/unblock").status == 200
    assert owner.delete(f"{url}/notes/{add_note(owner, ana['id'])}").status == 204
    add_note(owner, ana["id"])
    proven(chat, signed(new_secret(tenant), ana["external_id"]))
    new_secret(tenant)
    known = f"/v1/visitors/{chat.visitor_id}"
    opened = chat.begin()
    drain(services)
    assert owner.post(f"{known}/block").status == 200
    drain(services)
    assert chat.say(opened).status == 403
    assert owner.post(f"{known}/unblock").status == 200
    for contact in (kim, ana):
        assert owner.post(f"{known}/identify", {"contact_id": contact["id"]}).status == 200
        drain(services)
    link_conversation(tenant.id, chat.visitor_id, ana["id"])
    for contact in (ana, new_contact(owner, custom_attributes={"plan": "pro"})):
        first = {"content": "Hello", "client_msg_id": unique()}
        assert owner.post("/v1/conversations", {"contact_id": contact["id"], "message": first}).status == 201
    merged(owner, services, ana["id"], kim["id"])
    assert len(exported(owner, services)) == 2
    rows = "name,email,custom_attributes.plan\nAna,a@example.com,pro\n,no,\n"
    assert imported(owner, services, rows)["result"] == {"created": 1, "refused": 1}
    for filters in ("", "?search=kim", f"?email={kim['email']}", f"?company_id={company}&limit=1"):
        assert owner.get(CONTACTS + filters).status == 200
    team = new_team(owner, description="d", members=[tenant.owner.user_id])["id"]
    tag = new_tag(owner, "to go", color="#000000", description="d")["id"]
    assert owner.patch(f"/v1/conversations/{opened}", {"team_id": team, "add_tags": ["to go"]}).status == 200
    assert owner.patch(f"/v1/teams/{team}", {"name": "New"}).status == 200
    for filters in (f"company_id={company}", f"team_id={team}"):
        assert owner.get(f"/v1/conversations?{filters}").status == 200
    assert [owner.get(f"/v1/{each}").status for each in ("tags", "teams")] == [200, 200]
    assert owner.patch(f"/v1/tags/{tag}", {"name": "gone", "translations": {"de": "weg"}}).status == 200
    assert [owner.delete(f"/v1/{each}").status for each in (f"tags/{tag}", f"teams/{team}")] == [204, 204]
    for path in (f"contacts/{kim['id']}/notes", f"conversations?contact_id={kim['id']}", "companies"):
        assert owner.get(f"/v1/{path}").status == 200
    assert owner.get("/v1/custom-attributes").status == 200
    owner.patch(f"/v1/companies/{company}", {"name": "Other"})
    drain(services)
    for path in (f"companies/{company}", f"contacts/{kim['id']}", f"custom-attributes/{attribute}"):
        assert owner.delete(f"/v1/{path}").status == 204
    drain(services)


def webhooks(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BREAKS_AFTER", 1)
    tenant, receiver = new_tenant(domain=HOST), Receiver()
    owner, began = new_key(tenant), clock.now_ms()
    more = {"description": "CRM"}
    gone, webhook = (new_webhook(owner, receiver.url, ["company.created"], **more) for _ in range(2))
    url = f"{WEBHOOKS}/{webhook['id']}"
    assert owner.post(f"{url}/rotate-secret").status == owner.patch(url, {"events": ["*"]}).status == 200
    new_company(owner)
    drain(services)
    receiver.answers = [(410, {}, b"gone")]
    test = owner.post(f"{WEBHOOKS}/{gone['id']}/test").json["id"]
    drain(services)
    assert owner.patch(f"{WEBHOOKS}/{gone['id']}", {"status": "enabled"}).status == 200
    assert owner.post(f"{WEBHOOKS}/{gone['id']}/deliveries/{test}/replay").status == 200
    receiver.always = (500, {}, b"no")
    new_company(owner)
    drain(services)
    assert deliveries_of(owner, webhook, "&status=pending")
    assert delivery(owner, webhook, deliveries_of(owner, webhook)[-1]["id"])["log"]
    body = {"since": clock.rfc3339(began), "until": clock.rfc3339(clock.now_ms())}
    with later(2 * DAY_MS):
        tick(product.sweep_deliveries)
        drain(services)
        assert owner.post(f"{url}/replay", body).status == 202
        drain(services)
    assert owner.get(WEBHOOKS).status == 200
    assert owner.delete(url).status == 204
    receiver.close()


def billing(services: Any) -> None:
    till = Till(services)
    plans = billing_plans.PLANS
    small = dataclasses.replace(plans["free"], limits=dataclasses.replace(plans["free"].limits, conversations=5))
    metered = dataclasses.replace(plans["starter"], conversations=0)
    with till.open(), mock.patch.dict(plans, free=small, starter=metered):
        paying, free = new_tenant(domain=HOST), new_tenant(domain=HOST)
        till.complete_twice(paying, "starter", "pro")
        till.deliver_hooks()
        assert paying.owner.client.post("/v1/billing/subscription/cancel").status == 200
        new_chat(paying).begin()
        drain(services)
        till.pass_time(11 * 86_400 + 3600)
        till.reconcile()  # a conversation is reported, and both trials end soon
        till.pass_time(4 * 86_400)
        till.reconcile()
        chat = new_chat(free)
        for _ in range(6):
            chat.begin()
            till.work()


def limits() -> None:
    tenant = new_tenant(domain=HOST)
    for caller in (tenant.owner.client, new_key(tenant)):
        assert caller.get("/v1/companies").status == 200
    assert new_chat(tenant).client.get("/widget/v1/conversations").status == 200


def mails(services: Any) -> None:
    tenant = new_tenant(domain=HOST)
    mine = f"{tenant.url}/members/me/notifications"
    assert tenant.owner.client.put(mine, {"assigned": True, "new": True, "message": True}).status == 200
    choice = links.MemberChoice(tenant.id, tenant.owner.user_id, "new")
    client_of = tenant.owner.client
    client_of.post(links.to_unsubscribe(choice).removeprefix("https://api.test"))
    chat, email = identified(tenant)
    client_of.post(f"/v1/conversations/{chat.begin()}/messages", {"content": "Hello"})
    assert chat.client.post(f"/widget/v1/conversations/{chat.begin()}/transcript").status == 202
    post = Post(services)
    post.remind(*post.reminders())
    assert client_of.post(link_of(post.to(email)[0], "/mail/unsubscribe")).status == 200
    address = new_email()
    mail_store.stop(address, mail_store.Stop("bounce", clock.now_ms()))
    assert feedback.find_stop(address) is not None
    feedback.allow(address)


def files(services: Any) -> None:
    tenant = new_tenant(domain=HOST)
    owner, chat = tenant.owner.client, new_chat(tenant)
    conversation = chat.begin()
    sent = uploaded(owner, png(), "a.png")["id"]
    own = uploaded(chat.client, url=OWN_FILES)["id"]
    assert owner.post(f"{FILES}/{posted(services, owner, b'MZ ')}/complete").code == "executable"
    assert reply(owner, conversation, attachments=[sent]).status == 201
    assert chat.say(conversation, attachments=[own]).status == 201
    drain(services)
    assert owner.get(FILES).status == owner.get(f"{FILES}/usage").status == 200
    assert owner.delete(f"{FILES}/{sent}").status == 204
    jobs.run_in_stages("test.delete-files", delete_files)
    job, writes = jobs.starting(tenant.id, "test.delete-files", {"conversation_id": conversation}, SYSTEM)
    transact(writes)
    jobs.started(job)
    drain(services)


def test_every_event_of_the_log_fits_the_schema_of_its_type(seen):
    found = [
        messages_store.event_from_item(row) if row["sk"][:2] == "m#" else event_from_item(row) for row in seen.logged
    ]
    types = {event.type for event in found}
    for event in found:
        check(EventOut.of(event).model_dump(mode="json"))
    assert set(EVENT_TYPES) - types == {"webhook.test"}, "the scenario lacks some"


def check(event: dict[str, Any]) -> None:
    schema = schema_of(event["type"])
    jsonschema.validate(event, schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_every_row_written_is_documented_with_its_attributes_and_no_other(seen):
    documented = {(code(pk)[0], code(sk)[0]): set(code(names)) for pk, sk, _, names in section("Rows")}
    assert documented == dict(seen.rows)


def test_every_key_read_is_that_of_a_documented_row(seen):
    assert seen.read
    assert seen.read <= set(seen.rows)


def test_every_index_entry_is_documented_and_no_other(seen):
    documented = {(code(index)[0][0], code(pk)[0], code(sk)[0]) for index, pk, sk, _ in section("Index entries")}
    assert documented == seen.indexed


def test_every_query_is_documented_and_no_other(seen):
    documented = {(code(of)[0], code(pk)[0], code(sort)[0]) for of, pk, sort, _ in section("Queries")}
    assert documented == seen.queries


def test_the_short_names_are_those_of_the_stores(seen):
    documented = {code(row)[0]: dict(re.findall(r"`(\w+)` (\w+)", names)) for row, names in section("Short names")}
    hot = {short: name for name, short in conversations_store._HOT.items()}
    cold = {short: name for name, short in conversations_store._COLD.items()}
    assert documented["meta"] == hot
    assert documented["meta~info"] == cold | {"tags": "tags"}
    rows = {"m#<n>": ("T#conv_…", "m#<n>"), "vis_…": ("T#vis_…", "meta"), "e#<n>": ("T#conv_…", "e#<n>")}
    plumbing = {"pos", "dpos", "pr"} | {f"{index}_{part}" for index in "aolp" for part in ("pk", "sk")}
    for name, key in rows.items():
        wanted = seen.rows[key] - plumbing | ({"pr"} & documented[name].keys())
        assert documented[name].keys() - {"pos"} == wanted, name
