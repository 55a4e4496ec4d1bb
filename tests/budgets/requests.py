"""One good request to every route, and what it takes to be able to send it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.core import ids
from chalicelib.notifications import links
from chalicelib.notifications import store as notifications_store
from tests.budgets.account import ACCOUNT, MORE_OF_ACCOUNT
from tests.support import people
from tests.support.aws import Services
from tests.support.canned_responses import new_shortcut
from tests.support.chats import ORIGIN, Chat, new_chat, reply, unique
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.contacts import CONTACTS, add_note, merge, merged, new_company, new_contact
from tests.support.csv_files import EXPORT, IMPORT, uploaded_csv
from tests.support.files import FILES, OWN_FILES, posted, started, uploaded
from tests.support.identity import new_secret, prove, proven, signed
from tests.support.queues import drain
from tests.support.stripe import URLS, till_with_account
from tests.support.tags import TAGS, TEAMS, new_tag, new_team
from tests.support.tenants import Organisation, anonymous, invitation_token, invite, new_member, new_tenant, new_user
from tests.support.webhooks import PUBLIC_URL, WEBHOOKS

Send = Callable[[], Answer]


@dataclass(frozen=True)
class World:
    """A tenant, a visitor on its site, and the stand-ins."""

    tenant: Organisation
    chat: Chat
    services: Services


Prepare = Callable[[World], Send]


def _as_owner(method: str, url: str, body: object = None) -> Prepare:
    return lambda world: lambda: world.tenant.owner.client.send(method, world.tenant.url + url, body)


def _v1(method: str, url: str, body: object = None) -> Prepare:
    return lambda world: lambda: world.tenant.owner.client.send(method, url, body)


def _on_conversation(method: str, end: str = "", body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        found = world.chat.begin()
        reply(world.tenant.owner.client, found, "seen")
        return lambda: world.tenant.owner.client.send(method, f"/v1/conversations/{found}{end}", body)

    return prepare


def _as_visitor(method: str, end: str = "", body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        found = world.chat.begin()
        reply(world.tenant.owner.client, found, "seen")
        return lambda: world.chat.client.send(method, f"/widget/v1/conversations/{found}{end}", body)

    return prepare


def _mail_own_transcript(world: World) -> Send:
    found = world.chat.begin()
    world.chat.client.post("/widget/v1/identify", {"email": people.new_email()})
    return lambda: world.chat.client.post(f"/widget/v1/conversations/{found}/transcript")


Make = Mapping[str, object] | Callable[[], Mapping[str, object]]  # what may be there once only is made anew each time


def _on_made(collection: str, make: Make, method: str, end: str = "", body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        made = world.tenant.owner.client.post(collection, make() if callable(make) else make)
        assert made.status == 201, made.text
        return lambda: world.tenant.owner.client.send(method, f"{collection}/{made.json['id']}{end}", body)

    return prepare


def _close(world: World) -> Send:
    found = world.chat.begin()
    return lambda: world.tenant.owner.client.post(f"/v1/conversations/{found}/close")


def _reopen(world: World) -> Send:
    found = world.chat.begin()
    world.tenant.owner.client.post(f"/v1/conversations/{found}/close")
    return lambda: world.tenant.owner.client.post(f"/v1/conversations/{found}/reopen")


def _read(world: World) -> Send:
    found = world.chat.begin()
    return lambda: world.tenant.owner.client.post(f"/v1/conversations/{found}/read")


def _assign(world: World) -> Send:
    found, body = world.chat.begin(), {"assigned_to": world.tenant.owner.user_id}
    return lambda: world.tenant.owner.client.post(f"/v1/conversations/{found}/assign", body)


def _open(world: World) -> Send:
    body = {"visitor_id": world.chat.visitor_id, "message": {"content": "Hello", "client_msg_id": unique()}}
    return lambda: world.tenant.owner.client.post("/v1/conversations", body)


def _open_for(world: World, *, has_visitor: bool) -> Send:
    owner = world.tenant.owner.client
    contact = owner.post("/v1/contacts", {"name": "Ana"}).json["id"]
    if has_visitor:
        url = f"/v1/visitors/{new_chat(world.tenant).visitor_id}/identify"
        assert owner.post(url, {"contact_id": contact}).status == 200
    body = {"contact_id": contact, "message": {"content": "Hello", "client_msg_id": unique()}}
    return lambda: owner.post("/v1/conversations", body)


def _begin(world: World) -> Send:
    body = {"message": {"content": "Hello", "client_msg_id": unique()}}
    return lambda: world.chat.client.post("/widget/v1/conversations", body)


def _session(world: World) -> Send:
    body = {"client_token": world.tenant.created["default_widget"]["client_token"]}
    return lambda: anonymous().post("/widget/v1/sessions", body, Origin=ORIGIN)


def _configuration(world: World) -> Send:
    token = world.tenant.created["default_widget"]["client_token"]
    return lambda: anonymous().get(f"/widget/v1/configuration/{token}", Origin=ORIGIN)


def _context(world: World) -> Send:
    return lambda: world.chat.client.put("/widget/v1/context", {"context": {"a": unique()}})


def _identify(world: World) -> Send:
    return lambda: world.chat.client.post("/widget/v1/identify", {"name": unique()})


def _prove(world: World) -> Send:
    """A visitor not seen before, and a contact that has to be made."""
    chat, token = new_chat(world.tenant), signed(new_secret(world.tenant), unique(), email=people.new_email())
    return lambda: prove(chat, token)


def _prove_again(world: World) -> Send:
    chat, token = new_chat(world.tenant), signed(new_secret(world.tenant), unique(), name="Kim")
    known = proven(chat, token)
    return lambda: prove(known, token)


def _proven(prepare: Callable[[Chat], Send]) -> Prepare:
    return lambda world: prepare(proven(new_chat(world.tenant), signed(new_secret(world.tenant), unique())))


def _own_of_proven(chat: Chat) -> Send:
    chat.begin()
    return lambda: chat.client.get("/widget/v1/conversations")


def _begin_as_proven(chat: Chat) -> Send:
    return lambda: chat.client.post("/widget/v1/conversations", {"message": {"content": "Hello"}})


def _say_as_proven(chat: Chat) -> Send:
    found = chat.begin()
    return lambda: chat.say(found)


def _on_visitor(end: str) -> Prepare:
    def prepare(world: World) -> Send:
        url = f"/v1/visitors/{new_chat(world.tenant).visitor_id}"
        if end == "unblock":
            assert world.tenant.owner.client.post(f"{url}/block").status == 200
        return lambda: world.tenant.owner.client.post(f"{url}/{end}")

    return prepare


def _link_visitor(world: World) -> Send:
    owner, url = world.tenant.owner.client, f"/v1/visitors/{new_chat(world.tenant).visitor_id}/identify"
    body = {"contact_id": new_contact(owner)["id"]}
    return lambda: owner.post(url, body)


def _register(_world: World) -> Send:
    body = {"email": people.new_email(), "password": people.PASSWORD}
    return lambda: anonymous().post("/v1/auth/register", body)


def _verify(world: World) -> Send:
    token = people.registered(anonymous(), world.services, people.new_email())
    return lambda: anonymous().post("/v1/auth/verify-email", {"token": token})


def _log_in(world: World) -> Send:
    email = people.new_email()
    people.verified(anonymous(), world.services, email)
    return lambda: anonymous().post("/v1/auth/login", {"email": email, "password": people.PASSWORD})


def _with_refresh_token(end: str) -> Prepare:
    def prepare(world: World) -> Send:
        token = people.signed_in(anonymous(), world.services).tokens["refresh_token"]
        return lambda: anonymous().post(f"/v1/auth/{end}", {"refresh_token": token})

    return prepare


def _forgot(world: World) -> Send:
    email = people.new_email()
    people.verified(anonymous(), world.services, email)
    return lambda: anonymous().post("/v1/auth/forgot-password", {"email": email})


def _reset(world: World) -> Send:
    email = people.new_email()
    people.verified(anonymous(), world.services, email)
    anonymous().post("/v1/auth/forgot-password", {"email": email})
    drain(world.services)
    token = people.link_token(world.services, email)
    return lambda: anonymous().post("/v1/auth/reset-password", {"token": token, "password": "another long password"})


def _accept(world: World) -> Send:
    someone = new_user()
    token = invitation_token(world.tenant, invite(world.tenant, someone.email))
    return lambda: anonymous().post("/v1/auth/accept-invite", {"token": token})


def _create_tenant(_world: World) -> Send:
    someone = new_user()
    return lambda: someone.client.post("/v1/tenants", {"name": "Acme", "domain": "www.example.com"})


def _erase(_world: World) -> Send:
    tenant = new_tenant()
    body = {"confirm": tenant.created["slug"]}
    return lambda: tenant.owner.client.send("DELETE", tenant.url, body)


def _invite(world: World) -> Send:
    body = {"email": people.new_email(), "role": "agent"}
    return lambda: world.tenant.owner.client.post(f"{world.tenant.url}/members", body)


def _on_member(method: str, body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        member = new_member(world.tenant, "agent")
        return lambda: world.tenant.owner.client.send(method, f"{world.tenant.url}/members/{member.user_id}", body)

    return prepare


def _resend(world: World) -> Send:
    url = f"{world.tenant.url}/invitations/{invite(world.tenant, people.new_email())}/resend"
    return lambda: world.tenant.owner.client.post(url)


def _retrieve_visitor(world: World) -> Send:
    return lambda: world.tenant.owner.client.get(f"/v1/visitors/{world.chat.visitor_id}")


def _new_domain(_world: World) -> dict[str, object]:
    return {"domain": f"{ids.new_ulid().lower()}.example.com"}


def _add_domain(world: World) -> Send:
    return lambda: world.tenant.owner.client.post("/v1/domains", _new_domain(world))


def _remove_domain(world: World) -> Send:
    return _on_made("/v1/domains", _new_domain(world), "DELETE")(world)


def _resume(world: World) -> Send:
    chat, body = new_chat(world.tenant), {"client_token": world.tenant.created["default_widget"]["client_token"]}
    return lambda: anonymous().post("/widget/v1/sessions", body | {"visitor_token": chat.client.token}, Origin=ORIGIN)


def _link_out(world: World) -> str:
    url = links.to_unsubscribe(links.MemberChoice(world.tenant.id, world.tenant.owner.user_id, "assigned"))
    return url.removeprefix("https://api.test")


def _unsubscribe(method: str) -> Prepare:
    return lambda world: lambda: anonymous().send(method, _link_out(world))


def _link_back(world: World) -> str:
    chat = new_chat(world.tenant, page_url=f"{ORIGIN}/prices")
    email = people.new_email()
    assert chat.client.post("/widget/v1/identify", {"email": email}).status == 200
    hashed = notifications_store.address_hash(world.tenant.id, email)
    return links.to_chat(links.ChatLink(world.tenant.id, chat.visitor_id, chat.begin(), hashed))


def _back_to_chat(world: World) -> Send:
    url = _link_back(world).removeprefix("https://api.test")
    return lambda: anonymous().get(url)


def _resume_from_mail(world: World) -> Send:
    token = _link_back(world).partition("token=")[2]
    body = {"client_token": world.tenant.created["default_widget"]["client_token"], "visitor_token": token}
    return lambda: anonymous().post("/widget/v1/sessions", body, Origin=ORIGIN)


def _settled_events(world: World) -> Send:
    def send() -> Answer:
        with later(20_000):
            return world.tenant.owner.client.get("/v1/events")

    return send


def _one_type_of_event(world: World) -> Send:
    def send() -> Answer:
        with later(20_000):
            return world.tenant.owner.client.get("/v1/events?type=conversation.rated")

    return send


def _say_again(world: World) -> Send:
    found, key = world.chat.begin(), unique()
    assert world.chat.say(found, "Hello", client_msg_id=key).status == 201
    return lambda: world.chat.say(found, "Hello", client_msg_id=key)


def _send_with_key(world: World) -> Send:
    url, key = f"/v1/conversations/{world.chat.begin()}/messages", unique()
    return lambda: world.tenant.owner.client.post(url, {"content": "Hello"}, Idempotency_Key=key)


def _send_with_key_again(world: World) -> Send:
    send = _send_with_key(world)
    assert send().status == 201
    return send


def _new_canned_response() -> dict[str, object]:
    return {"shortcut": new_shortcut(), "content": "{{visitor.name}} {{tenant.name}}"}


def _create_canned_response(world: World) -> Send:
    return lambda: world.tenant.owner.client.post("/v1/canned-responses", _new_canned_response())


def _on_canned_response(method: str, end: str = "", body: object = None) -> Prepare:
    return _on_made("/v1/canned-responses", _new_canned_response, method, end, body)


def _render_for_conversation(world: World) -> Send:
    found = world.chat.begin()
    made = world.tenant.owner.client.post("/v1/canned-responses", _new_canned_response()).json["id"]
    return lambda: world.tenant.owner.client.post(f"/v1/conversations/{found}/canned-responses/{made}/render")


def _new_contact() -> dict[str, object]:
    return {"name": "Ana Ferreira", "email": people.new_email(), "external_id": unique()}


def _create_contact(world: World) -> Send:
    owner, company = world.tenant.owner.client, new_company(world.tenant.owner.client)
    return lambda: owner.post(CONTACTS, _new_contact() | {"company_id": company["id"]})


def _on_contact(method: str, end: str = "", body: object = None) -> Prepare:
    return _on_made(CONTACTS, _new_contact, method, end, body)


def _put_contact(world: World) -> Send:
    return lambda: world.tenant.owner.client.send("PUT", CONTACTS, _new_contact())


def _put_contact_again(world: World) -> Send:
    owner, body = world.tenant.owner.client, _new_contact()
    assert owner.post(CONTACTS, body).status == 201
    return lambda: owner.send("PUT", CONTACTS, body | {"name": "Bea"})


def _find_contact(filters: str) -> Prepare:
    def prepare(world: World) -> Send:
        new_contact(world.tenant.owner.client)
        return lambda: world.tenant.owner.client.get(f"{CONTACTS}?{filters}")

    return prepare


def _contact_by(name: str) -> Prepare:
    def prepare(world: World) -> Send:
        owner, body = world.tenant.owner.client, _new_contact()
        assert owner.post(CONTACTS, body).status == 201
        return lambda: owner.get(f"{CONTACTS}?{name}={body[name]}")

    return prepare


def _import_contacts(world: World) -> Send:
    owner = world.tenant.owner.client
    body = {"file_id": uploaded_csv(owner, world.services, "name\nKim\n")}
    return lambda: owner.post(IMPORT, body)


def _contacts_of_company(world: World) -> Send:
    owner, company = world.tenant.owner.client, new_company(world.tenant.owner.client)["id"]
    new_contact(owner, company_id=company)
    return lambda: owner.get(f"{CONTACTS}?company_id={company}")


def _unblock(world: World) -> Send:
    owner, found = world.tenant.owner.client, new_contact(world.tenant.owner.client)["id"]
    assert owner.post(f"{CONTACTS}/{found}/block").status == 200
    return lambda: owner.post(f"{CONTACTS}/{found}/unblock")


def _merge(world: World) -> Send:
    owner = world.tenant.owner.client
    source, target = new_contact(owner)["id"], new_contact(owner)["id"]
    return lambda: merge(owner, source, target)


def _merged_contact(world: World) -> Send:
    owner = world.tenant.owner.client
    source, target = new_contact(owner)["id"], new_contact(owner)["id"]
    merged(owner, world.services, source, target)
    return lambda: owner.get(f"{CONTACTS}/{source}")


def _job(world: World) -> Send:
    answer = _merge(world)()
    return lambda: world.tenant.owner.client.get(f"/v1/jobs/{answer.json['id']}")


def _contact_notes(world: World) -> Send:
    owner, found = world.tenant.owner.client, new_contact(world.tenant.owner.client)["id"]
    add_note(owner, found)
    return lambda: owner.get(f"{CONTACTS}/{found}/notes")


def _delete_contact_note(world: World) -> Send:
    owner, found = world.tenant.owner.client, new_contact(world.tenant.owner.client)["id"]
    note = add_note(owner, found)
    return lambda: owner.delete(f"{CONTACTS}/{found}/notes/{note}")


def _new_attribute() -> dict[str, object]:
    return {"key": f"a{unique().lower()}", "label": "Plan", "type": "text"}


def _create_attribute(world: World) -> Send:
    return lambda: world.tenant.owner.client.post(ATTRIBUTES, _new_attribute())


def _on_attribute(method: str, body: object = None) -> Prepare:
    return _on_made(ATTRIBUTES, _new_attribute, method, "", body)


def _upload(world: World) -> Send:
    return lambda: world.tenant.owner.client.upload(FILES, b"hello")


def _on_file(method: str, end: str = "") -> Prepare:
    def prepare(world: World) -> Send:
        found = uploaded(world.tenant.owner.client)["id"]
        return lambda: world.tenant.owner.client.send(method, f"{FILES}/{found}{end}")

    return prepare


def _on_webhook(method: str, end: str = "", body: object = None) -> Prepare:
    return _on_made(WEBHOOKS, WEBHOOK, method, end, body)


def _on_delivery(method: str, end: str = "") -> Prepare:
    """One that is over: its endpoint was disabled before it could be sent."""

    def prepare(world: World) -> Send:
        owner = world.tenant.owner.client
        url = f"{WEBHOOKS}/{owner.post(WEBHOOKS, WEBHOOK).json['id']}"
        delivery = owner.post(f"{url}/test").json["id"]
        owner.patch(url, {"status": "disabled"})
        drain(world.services)
        owner.patch(url, {"status": "enabled"})
        return lambda: owner.send(method, f"{url}/deliveries/{delivery}{end}")

    return prepare


def _complete(world: World) -> Send:
    found = posted(world.services, world.tenant.owner.client, b"hello")
    return lambda: world.tenant.owner.client.post(f"{FILES}/{found}/complete")


def _upload_own(world: World) -> Send:
    return lambda: world.chat.client.upload(OWN_FILES, b"hello")


def _complete_own(world: World) -> Send:
    begun = started(world.chat.client, b"hello", url=OWN_FILES)
    world.services.objects.post(begun["fields"]["key"], b"hello")
    return lambda: world.chat.client.post(f"{OWN_FILES}/{begun['id']}/complete")


def _own_file(world: World) -> Send:
    found = uploaded(world.chat.client, url=OWN_FILES)["id"]
    return lambda: world.chat.client.get(f"{OWN_FILES}/{found}")


def _send_files(world: World) -> Send:
    url = f"/v1/conversations/{world.chat.begin()}/messages"
    file_ids = [uploaded(world.tenant.owner.client)["id"] for _ in range(10)]
    return lambda: world.tenant.owner.client.post(url, {"attachments": file_ids})


def _public(url: str) -> Prepare:
    return lambda _world: lambda: anonymous().get(url)


KEY, WIDGET, COMPANY = {"name": "key"}, {"name": "widget"}, {"name": "company"}
START = {"name": "a.txt", "content_type": "text/plain", "size": 5}
ATTRIBUTES, COMPANIES = "/v1/custom-attributes", "/v1/companies"


# It wants what no request here causes, so that it adds nothing to what others cost.
def _billing(method: str, url: str, body: object = None, plan: str = "") -> Prepare:
    def prepare(world: World) -> Send:
        till = till_with_account(world.services, world.tenant, plan)

        def send() -> Answer:
            with till.open():
                return world.tenant.owner.client.send(method, f"/v1/billing/{url}", body)

        return send

    return prepare


def _stripe_hook(world: World) -> Send:
    till = till_with_account(world.services, world.tenant)
    hook = till.double.hooks.take()[-1]

    def send() -> Answer:
        with till.open():
            return till.post(hook)

    return send


WEBHOOK = {"url": PUBLIC_URL, "events": ["webhook.failing"]}
RANGE = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}


def _on_message(method: str, body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        found, owner = world.chat.begin(), world.tenant.owner.client
        said = reply(owner, found, "Hello").json["id"]
        return lambda: owner.send(method, f"/v1/conversations/{found}/messages/{said}", body)

    return prepare


def _on_own_message(method: str, body: object = None) -> Prepare:
    def prepare(world: World) -> Send:
        found = world.chat.begin()
        said = world.chat.say(found).json["id"]
        return lambda: world.chat.client.send(method, f"/widget/v1/conversations/{found}/messages/{said}", body)

    return prepare


def _merge_conversation(world: World) -> Send:
    body = {"into": world.chat.begin()}
    url = f"/v1/conversations/{world.chat.begin()}/merge"
    return lambda: world.tenant.owner.client.post(url, body)


def _bulk(world: World) -> Send:
    body = {"ids": [world.chat.begin()], "set": {"assigned_to": world.tenant.owner.user_id}}
    return lambda: world.tenant.owner.client.post("/v1/conversations/bulk", body)


def _new_tag() -> dict[str, object]:
    return {"name": unique().lower(), "color": "#2563eb"}


def _create_tag(world: World) -> Send:
    return lambda: world.tenant.owner.client.post(TAGS, _new_tag())


def _rename_tag(world: World) -> Send:
    return _on_made(TAGS, _new_tag, "PATCH", "", {"name": unique().lower()})(world)


def _on_team(method: str, change: Callable[[World], object] = lambda _world: None) -> Prepare:
    """Of a tenant with few teams: there may be only so many."""

    def prepare(world: World) -> Send:
        owner = world.tenant.owner.client
        for row in owner.get(f"{TEAMS}?limit=100").json["data"][50:]:
            owner.delete(f"{TEAMS}/{row['id']}")
        made, body = new_team(owner)["id"], change(world)
        return lambda: owner.send(method, f"{TEAMS}/{made}", body)

    return prepare


def _with_owner(world: World) -> object:
    return {"add_members": [world.tenant.owner.user_id]}


def _update_conversation(world: World) -> Send:
    found, owner = world.chat.begin(), world.tenant.owner.client
    tag = new_tag(owner, unique().lower())["name"]
    return lambda: owner.patch(f"/v1/conversations/{found}", {"priority": "high", "tags": [tag]})


def _bring_new_tags(world: World) -> Send:
    found, body = world.chat.begin(), {"add_tags": [unique().lower() for _ in range(3)]}
    return lambda: world.tenant.owner.client.patch(f"/v1/conversations/{found}", body)


def _of_team(world: World) -> Send:
    owner, team = world.tenant.owner.client, new_team(world.tenant.owner.client)["id"]
    owner.patch(f"/v1/conversations/{world.chat.begin()}", {"team_id": team})
    return lambda: owner.get(f"/v1/conversations?team_id={team}")


REQUESTS: dict[str, Prepare] = {
    "POST /v1/auth/register": _register,
    "POST /v1/auth/verify-email": _verify,
    "POST /v1/auth/login": _log_in,
    "POST /v1/auth/refresh": _with_refresh_token("refresh"),
    "POST /v1/auth/logout": _with_refresh_token("logout"),
    "GET /v1/auth/me": _v1("GET", "/v1/auth/me"),
    **ACCOUNT,
    "POST /v1/auth/forgot-password": _forgot,
    "POST /v1/auth/reset-password": _reset,
    "POST /v1/auth/accept-invite": _accept,
    "GET /.well-known/jwks.json": _public("/.well-known/jwks.json"),
    "GET /auth/verify-email": _public("/auth/verify-email?token=x"),
    "GET /auth/reset-password": _public("/auth/reset-password?token=x"),
    "GET /auth/accept-invite": _public("/auth/accept-invite?token=x"),
    "POST /v1/tenants": _create_tenant,
    "GET /v1/tenants": _v1("GET", "/v1/tenants"),
    "GET /v1/tenants/{tenant_id}": _as_owner("GET", ""),
    "PATCH /v1/tenants/{tenant_id}": _as_owner("PATCH", "", {"name": "New"}),
    # Without the right word: others need the tenant. With it: in MORE.
    "DELETE /v1/tenants/{tenant_id}": _as_owner("DELETE", "", {"confirm": "another-slug"}),
    "POST /v1/tenants/{tenant_id}/export": _as_owner("POST", "/export"),
    "GET /v1/tenants/{tenant_id}/members": _as_owner("GET", "/members"),
    "POST /v1/tenants/{tenant_id}/members": _invite,
    "PATCH /v1/tenants/{tenant_id}/members/{member_id}": _on_member("PATCH", {"role": "admin"}),
    "DELETE /v1/tenants/{tenant_id}/members/{member_id}": _on_member("DELETE"),
    "GET /v1/tenants/{tenant_id}/invitations": _as_owner("GET", "/invitations"),
    "POST /v1/tenants/{tenant_id}/invitations/{invitation_id}/resend": _resend,
    "GET /v1/tenants/{tenant_id}/audit-log": _as_owner("GET", "/audit-log"),
    "GET /v1/api-keys": _v1("GET", "/v1/api-keys"),
    "POST /v1/api-keys": _v1("POST", "/v1/api-keys", KEY),
    "GET /v1/api-keys/{key_id}": _on_made("/v1/api-keys", KEY, "GET"),
    "PATCH /v1/api-keys/{key_id}": _on_made("/v1/api-keys", KEY, "PATCH", "", {"name": "New"}),
    "DELETE /v1/api-keys/{key_id}": _on_made("/v1/api-keys", KEY, "DELETE"),
    "POST /v1/api-keys/{key_id}/rotate": _on_made("/v1/api-keys", KEY, "POST", "/rotate"),
    "GET /v1/widgets": _v1("GET", "/v1/widgets"),
    "POST /v1/widgets": _v1("POST", "/v1/widgets", WIDGET),
    "GET /v1/widgets/{widget_id}": _on_made("/v1/widgets", WIDGET, "GET"),
    "PATCH /v1/widgets/{widget_id}": _on_made("/v1/widgets", WIDGET, "PATCH", "", {"name": "New"}),
    "DELETE /v1/widgets/{widget_id}": _on_made("/v1/widgets", WIDGET, "DELETE"),
    "GET /v1/widgets/{widget_id}/identity-secret": _on_made("/v1/widgets", WIDGET, "GET", "/identity-secret"),
    "POST /v1/widgets/{widget_id}/identity-secret": _on_made("/v1/widgets", WIDGET, "POST", "/identity-secret"),
    "GET /v1/domains": _v1("GET", "/v1/domains"),
    "POST /v1/domains": _add_domain,
    "DELETE /v1/domains/{domain_id}": _remove_domain,
    "GET /widget/v1/configuration/{client_token}": _configuration,
    "GET /v1/canned-responses": _v1("GET", "/v1/canned-responses?search=hello"),
    "POST /v1/canned-responses": _create_canned_response,
    "GET /v1/canned-responses/{canned_response_id}": _on_canned_response("GET"),
    "PATCH /v1/canned-responses/{canned_response_id}": _on_canned_response("PATCH", "", {"content": "New"}),
    "DELETE /v1/canned-responses/{canned_response_id}": _on_canned_response("DELETE"),
    "POST /v1/canned-responses/{canned_response_id}/render": _on_canned_response("POST", "/render"),
    "POST /v1/conversations/{conversation_id}/canned-responses/{canned_response_id}/render": _render_for_conversation,
    "GET /v1/tags": _v1("GET", TAGS),
    "POST /v1/tags": _create_tag,
    "GET /v1/tags/{tag_id}": _on_made(TAGS, _new_tag, "GET"),
    "PATCH /v1/tags/{tag_id}": _on_made(TAGS, _new_tag, "PATCH", "", {"color": "#d93025"}),
    "DELETE /v1/tags/{tag_id}": _on_made(TAGS, _new_tag, "DELETE"),
    "GET /v1/teams": _v1("GET", TEAMS),
    "POST /v1/teams": _v1("POST", TEAMS, {"name": "Sales"}),
    "GET /v1/teams/{team_id}": _on_team("GET"),
    "PATCH /v1/teams/{team_id}": _on_team("PATCH", _with_owner),
    "DELETE /v1/teams/{team_id}": _on_team("DELETE"),
    "GET /v1/companies": _v1("GET", COMPANIES),
    "POST /v1/companies": _v1("POST", COMPANIES, COMPANY),
    "GET /v1/companies/{company_id}": _on_made(COMPANIES, COMPANY, "GET"),
    "PATCH /v1/companies/{company_id}": _on_made(COMPANIES, COMPANY, "PATCH", "", {"name": "New"}),
    "DELETE /v1/companies/{company_id}": _on_made(COMPANIES, COMPANY, "DELETE"),
    "GET /v1/contacts": _find_contact("limit=10"),
    "POST /v1/contacts": _create_contact,
    "PUT /v1/contacts": _put_contact,
    "POST /v1/contacts/import": _import_contacts,
    "POST /v1/contacts/export": _v1("POST", EXPORT, {}),
    "GET /v1/contacts/{contact_id}": _on_contact("GET"),
    "PATCH /v1/contacts/{contact_id}": _on_contact("PATCH", "", {"name": "Bea"}),
    "DELETE /v1/contacts/{contact_id}": _on_contact("DELETE"),
    "POST /v1/contacts/{contact_id}/block": _on_contact("POST", "/block"),
    "POST /v1/contacts/{contact_id}/unblock": _unblock,
    "POST /v1/contacts/{contact_id}/merge": _merge,
    "GET /v1/contacts/{contact_id}/notes": _contact_notes,
    "POST /v1/contacts/{contact_id}/notes": _on_contact("POST", "/notes", {"content": "Called back."}),
    "DELETE /v1/contacts/{contact_id}/notes/{note_id}": _delete_contact_note,
    "GET /v1/custom-attributes": _v1("GET", ATTRIBUTES),
    "POST /v1/custom-attributes": _create_attribute,
    "GET /v1/custom-attributes/{attribute_id}": _on_attribute("GET"),
    "PATCH /v1/custom-attributes/{attribute_id}": _on_attribute("PATCH", {"label": "New"}),
    "DELETE /v1/custom-attributes/{attribute_id}": _on_attribute("DELETE"),
    "GET /v1/jobs/{job_id}": _job,
    "GET /v1/files": _v1("GET", FILES),
    "POST /v1/files": _upload,
    "GET /v1/files/usage": _v1("GET", f"{FILES}/usage"),
    "POST /v1/files/uploads": _v1("POST", f"{FILES}/uploads", START),
    "GET /v1/files/{file_id}": _on_file("GET"),
    "DELETE /v1/files/{file_id}": _on_file("DELETE"),
    "POST /v1/files/{file_id}/complete": _complete,
    "POST /widget/v1/files": _upload_own,
    "POST /widget/v1/files/uploads": lambda world: lambda: world.chat.client.post(f"{OWN_FILES}/uploads", START),
    "GET /widget/v1/files/{file_id}": _own_file,
    "POST /widget/v1/files/{file_id}/complete": _complete_own,
    "GET /v1/visitors": _v1("GET", "/v1/visitors"),
    "GET /v1/visitors/{visitor_id}": _retrieve_visitor,
    "GET /v1/visitors/{visitor_id}/page-views": lambda world: _v1(
        "GET", f"/v1/visitors/{world.chat.visitor_id}/page-views"
    )(world),
    "POST /v1/visitors/{visitor_id}/identify": _link_visitor,
    "POST /v1/visitors/{visitor_id}/block": _on_visitor("block"),
    "POST /v1/visitors/{visitor_id}/unblock": _on_visitor("unblock"),
    "GET /v1/conversations": _v1("GET", "/v1/conversations?status=open&limit=10"),
    "POST /v1/conversations/bulk": _bulk,
    "GET /v1/conversations/{conversation_id}": _on_conversation("GET"),
    "PATCH /v1/conversations/{conversation_id}": _update_conversation,
    "DELETE /v1/conversations/{conversation_id}": _on_conversation("DELETE"),
    "POST /v1/conversations/{conversation_id}/close": _close,
    "POST /v1/conversations/{conversation_id}/reopen": _reopen,
    "POST /v1/conversations/{conversation_id}/rate": _on_conversation("POST", "/rate", {"score": 4}),
    "POST /v1/conversations/{conversation_id}/snooze": _on_conversation(
        "POST", "/snooze", {"until": "2199-01-01T00:00:00Z"}
    ),
    "POST /v1/conversations/{conversation_id}/assign": _assign,
    "POST /v1/conversations/{conversation_id}/read": _read,
    "POST /v1/conversations": _open,
    "GET /v1/conversations/{conversation_id}/thread": _on_conversation("GET", "/thread"),
    "GET /v1/conversations/{conversation_id}/transcript": _on_conversation("GET", "/transcript"),
    "POST /v1/conversations/{conversation_id}/transcript": _on_conversation(
        "POST", "/transcript", {"email": "kim@example.com"}
    ),
    "GET /v1/conversations/{conversation_id}/messages": _on_conversation("GET", "/messages"),
    "POST /v1/conversations/{conversation_id}/messages": _on_conversation(
        "POST", "/messages", {"content": "Hello", "client_msg_id": "a"}
    ),
    "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": _on_message("PATCH", {"content": "New"}),
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}": _on_message("DELETE"),
    "POST /v1/conversations/{conversation_id}/merge": _merge_conversation,
    "POST /widget/v1/sessions": _session,
    "GET /widget/v1/conversations": lambda world: lambda: world.chat.client.get("/widget/v1/conversations"),
    "POST /widget/v1/conversations": _begin,
    "GET /widget/v1/conversations/{conversation_id}": _as_visitor("GET"),
    "GET /widget/v1/conversations/{conversation_id}/messages": _as_visitor("GET", "/messages"),
    "POST /widget/v1/conversations/{conversation_id}/messages": _as_visitor(
        "POST", "/messages", {"content": "Hello", "client_msg_id": "a"}
    ),
    "PATCH /widget/v1/conversations/{conversation_id}/messages/{message_id}": _on_own_message(
        "PATCH", {"content": "New"}
    ),
    "DELETE /widget/v1/conversations/{conversation_id}/messages/{message_id}": _on_own_message("DELETE"),
    "POST /widget/v1/conversations/{conversation_id}/read": _as_visitor("POST", "/read"),
    "POST /widget/v1/conversations/{conversation_id}/rate": _as_visitor("POST", "/rate", {"score": 5}),
    "GET /widget/v1/conversations/{conversation_id}/transcript": _as_visitor("GET", "/transcript"),
    "POST /widget/v1/conversations/{conversation_id}/transcript": _mail_own_transcript,
    "PUT /widget/v1/context": _context,
    "POST /widget/v1/page-views": lambda world: (
        lambda: world.chat.client.post("/widget/v1/page-views", {"url": ORIGIN})
    ),
    "POST /widget/v1/identify": _identify,
    "GET /v1/tenants/{tenant_id}/members/me/notifications": _as_owner("GET", "/members/me/notifications"),
    "PUT /v1/tenants/{tenant_id}/members/me/notifications": _as_owner(
        "PUT", "/members/me/notifications", {"assigned": True, "new": False, "message": True}
    ),
    "GET /mail/unsubscribe": _unsubscribe("GET"),
    "POST /mail/unsubscribe": _unsubscribe("POST"),
    "GET /mail/chat": _back_to_chat,
    "GET /v1/events": _settled_events,
    "GET /v1/billing/plans": _billing("GET", "plans"),
    "GET /v1/billing/subscription": _billing("GET", "subscription"),
    "PATCH /v1/billing/subscription": _billing("PATCH", "subscription", {"plan": "business"}, plan="pro"),
    "POST /v1/billing/subscription/cancel": _billing("POST", "subscription/cancel", plan="pro"),
    "POST /v1/billing/subscription/resume": _billing("POST", "subscription/resume", plan="pro"),
    "POST /v1/billing/checkout": _billing("POST", "checkout", {"plan": "business", **URLS}),
    "POST /v1/billing/portal": _billing("POST", "portal", {"return_url": "https://app.test/billing"}),
    "GET /v1/billing/invoices": _billing("GET", "invoices"),
    "GET /v1/billing/usage": _billing("GET", "usage"),
    "POST /hooks/stripe": _stripe_hook,
    "GET /v1/webhooks": _v1("GET", WEBHOOKS),
    "POST /v1/webhooks": _v1("POST", WEBHOOKS, WEBHOOK),
    "GET /v1/webhooks/{webhook_id}": _on_webhook("GET"),
    "PATCH /v1/webhooks/{webhook_id}": _on_webhook("PATCH", "", {"description": "New"}),
    "DELETE /v1/webhooks/{webhook_id}": _on_webhook("DELETE"),
    "POST /v1/webhooks/{webhook_id}/rotate-secret": _on_webhook("POST", "/rotate-secret"),
    "POST /v1/webhooks/{webhook_id}/test": _on_webhook("POST", "/test"),
    "POST /v1/webhooks/{webhook_id}/replay": _on_webhook("POST", "/replay", RANGE),
    "GET /v1/webhooks/{webhook_id}/deliveries": _on_webhook("GET", "/deliveries"),
    "GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}": _on_delivery("GET"),
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": _on_delivery("POST", "/replay"),
    "GET /v1/events/schemas": _public("/v1/events/schemas"),
    "GET /v1/events/schemas/{event_type}": _public("/v1/events/schemas/message.created"),
    "GET /health": _public("/health"),
    "GET /v1/regions": _public("/v1/regions"),
    "GET /health/ready": _public("/health/ready"),
    "GET /v1/openapi.json": _public("/v1/openapi.json"),
    "GET /docs": _public("/docs"),
}


def _by_number(world: World) -> Send:
    number = world.tenant.owner.client.get(f"/v1/conversations/{world.chat.begin()}").json["number"]
    return lambda: world.tenant.owner.client.get(f"/v1/conversations?q=%23{number}")


def _by_word(world: World) -> Send:
    found = world.chat.begin("Where is my zebra?")
    world.tenant.owner.client.patch(f"/v1/conversations/{found}", {"subject": "Zebra lost"})
    return lambda: world.tenant.owner.client.get("/v1/conversations?q=zebr")


MORE: dict[str, Prepare] = {  # other ways to use a route that cost something else
    **MORE_OF_ACCOUNT,
    "DELETE /v1/tenants/{tenant_id} (confirmed)": _erase,
    "POST /widget/v1/sessions (resumed)": _resume,
    "POST /widget/v1/sessions (from a mail)": _resume_from_mail,
    "GET /v1/conversations (all)": _v1("GET", "/v1/conversations"),
    "GET /v1/conversations (100)": _v1("GET", "/v1/conversations?status=open&limit=100"),
    "GET /v1/conversations (offset)": _v1("GET", "/v1/conversations?status=open&offset=1000"),
    "GET /v1/conversations (unassigned)": _v1("GET", "/v1/conversations?assigned_to=unassigned&status=open"),
    "GET /v1/conversations (rare priority)": _v1("GET", "/v1/conversations?priority=urgent&status=open"),
    "GET /v1/conversations (of a team)": _of_team,
    "POST /v1/conversations (for a contact)": lambda world: _open_for(world, has_visitor=True),
    "POST /v1/conversations (for one without a visitor)": lambda world: _open_for(world, has_visitor=False),
    "PATCH /v1/conversations/{conversation_id} (new tags)": _bring_new_tags,
    "GET /v1/tags (of a name)": _v1("GET", f"{TAGS}?name=none"),
    "PATCH /v1/tags/{tag_id} (another name)": _rename_tag,
    "GET /v1/conversations (search for a number)": _by_number,
    "GET /v1/conversations (search for a word)": _by_word,
    "GET /v1/conversations (search for a contact's word)": _v1("GET", "/v1/conversations?q=ferr"),
    "GET /v1/contacts (search)": _find_contact("search=ferr+ana"),
    "GET /v1/contacts (search for what is rare)": _find_contact("search=ferr+zoe"),
    "GET /v1/contacts (by e-mail address)": _contact_by("email"),
    "GET /v1/contacts (by external id)": _contact_by("external_id"),
    "GET /v1/contacts (of a company)": _contacts_of_company,
    "PUT /v1/contacts (again)": _put_contact_again,
    "POST /widget/v1/identify (proven)": _prove,
    "POST /widget/v1/identify (proven again)": _prove_again,
    "GET /widget/v1/conversations (proven)": _proven(_own_of_proven),
    "POST /widget/v1/conversations (proven)": _proven(_begin_as_proven),
    "POST /widget/v1/conversations/{conversation_id}/messages (proven)": _proven(_say_as_proven),
    "PATCH /v1/contacts/{contact_id} (custom attributes)": _on_contact("PATCH", "", {"custom_attributes": {"a": 1}}),
    "GET /v1/contacts/{contact_id} (merged)": _merged_contact,
    "GET /v1/events (one type)": _one_type_of_event,
    "POST /widget/v1/conversations/{conversation_id}/messages (again)": _say_again,
    "POST /v1/conversations/{conversation_id}/messages (files)": _send_files,
    "POST /v1/conversations/{conversation_id}/messages (Idempotency-Key)": _send_with_key,
    "POST /v1/conversations/{conversation_id}/messages (Idempotency-Key again)": _send_with_key_again,
}
