"""Verified identity: what proves who a visitor is, what does not, and what it opens."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.core import clock
from chalicelib.visitors import service as visitors
from tests.support.answers import rows
from tests.support.chats import (
    ORIGIN,
    Chat,
    chat_of,
    conversation,
    messages_of,
    new_chat,
    new_site,
    new_test_site,
    reply,
    start_session,
    unique,
)
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.contacts import CONTACTS, contact, conversations_of, merged, new_contact
from tests.support.identity import IDENTIFY, new_secret, prove, proven, rotated, signed
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous

OWN = "/widget/v1/conversations"
DAY_MS = 86_400_000


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def secret(tenant) -> str:
    return new_secret(tenant)


def own(chat: Chat) -> set[str]:
    return {row["id"] for row in chat.client.get(f"{OWN}?limit=100").json["data"]}


def visitor(owner: Client, chat: Chat) -> dict[str, Any]:
    found: dict[str, Any] = owner.get(f"/v1/visitors/{chat.visitor_id}").json
    return found


class TestProof:
    def test_it_makes_the_contact_and_his_conversations_so_far_follow(self, services, tenant, owner, secret):
        chat = new_chat(tenant)
        found = chat.begin()
        known = proven(chat, signed(secret, "u-7", email="Kim@Example.com", name="Kim Lee"))
        drain(services)
        (made,) = rows(owner, CONTACTS)
        wanted = {"external_id": "u-7", "email": "kim@example.com", "name": "Kim Lee", "created_by": chat.visitor_id}
        assert made.items() >= wanted.items()
        shown = visitor(owner, chat)
        assert (shown["contact_id"], shown["verified"], shown["name"]) == (made["id"], True, "Kim Lee")
        assert conversations_of(owner, made["id"]) == {found}
        later_one = known.begin()
        assert conversation(owner, later_one)["contact_id"] == made["id"]
        assert conversations_of(owner, made["id"]) == {found, later_one}

    def test_on_another_device_the_same_person_goes_on(self, services, tenant, owner, secret):
        phone = proven(new_chat(tenant), signed(secret))
        found = phone.begin()
        reply(owner, found, "Hello!")
        desk = proven(new_chat(tenant), signed(secret))
        drain(services)
        assert own(desk) == {found}
        assert desk.heard(found)[-1] == "Hello!"
        assert desk.say(found, "From my desk").status == 201
        assert desk.client.post(f"{OWN}/{found}/read").status == 200
        assert desk.client.post(f"{OWN}/{found}/rate", {"score": 5}).json["rating"]["score"] == 5
        assert phone.heard(found)[-1] == "From my desk"
        assert messages_of(owner, found)[-1]["author"]["id"] == desk.visitor_id

    def test_what_both_lists_have_is_listed_once(self, services, tenant, secret):
        chat = new_chat(tenant)
        ours = {chat.begin(), chat.begin()}
        known = proven(chat, signed(secret))
        drain(services)
        page = known.client.get(f"{OWN}?limit=1").json
        assert page["pagination"]["total"] == 2
        assert own(known) == ours

    def test_an_existing_contact_is_found_by_external_id_then_by_address(self, tenant, owner, secret):
        by_id = new_contact(owner, "Ana", external_id="u-1")["id"]
        by_address = new_contact(owner, "Bea", email="bea@example.com")["id"]
        taken = new_contact(owner, "Cem", email="cem@example.com", external_id="u-3")["id"]
        first, second, third = new_chat(tenant), new_chat(tenant), new_chat(tenant)
        proven(first, signed(secret, "u-1"))
        proven(second, signed(secret, "u-2", email="bea@example.com"))
        proven(third, signed(secret, "u-4", email="cem@example.com"))
        assert visitor(owner, first)["contact_id"] == by_id
        assert visitor(owner, second)["contact_id"] == by_address
        assert contact(owner, by_address)["external_id"] == "u-2"
        other = visitor(owner, third)["contact_id"]
        assert other not in {by_id, by_address, taken}
        assert contact(owner, other).items() >= {"external_id": "u-4", "email": None, "name": "u-4"}.items()

    def test_a_definition_that_requires_an_attribute_does_not_keep_people_out(self, tenant, owner, secret):
        definition = {"key": "plan", "label": "Plan", "type": "text", "required": True}
        assert owner.post("/v1/custom-attributes", definition).status == 201
        assert prove(new_chat(tenant), signed(secret)).status == 200

    def test_proving_it_again_changes_nothing(self, services, tenant, owner, secret):
        known = proven(new_chat(tenant), signed(secret, name="Kim"))
        drain(services)
        before = visitor(owner, known), rows(owner, CONTACTS)
        services.reset()
        proven(known, signed(secret, name="Kim"))
        assert services.units == 0
        assert (visitor(owner, known), rows(owner, CONTACTS)) == before

    def test_his_messages_bear_his_name(self, tenant, owner, secret):
        known = proven(new_chat(tenant), signed(secret, name="Kim"))
        assert messages_of(owner, known.begin())[0]["author"] == {
            "type": "visitor",
            "id": known.visitor_id,
            "name": "Kim",
        }
        claimed = new_chat(tenant)
        answer = claimed.client.post(IDENTIFY, {"name": "Ada"}).json
        assert answer["verified"] is False
        again = Chat(claimed.visitor_id, anonymous().using(answer["token"], Origin=ORIGIN))
        assert messages_of(owner, again.begin())[0]["author"]["name"] == "Ada"

    def test_a_claim_does_not_change_what_is_proven(self, tenant, owner, secret):
        known = proven(new_chat(tenant), signed(secret, name="Kim"))
        answer = known.client.post(IDENTIFY, {"name": "Eve", "email": "eve@example.com"})
        assert (answer.json["name"], answer.json["email"], answer.json["verified"]) == ("Kim", None, True)
        assert own(Chat(known.visitor_id, anonymous().using(answer.json["token"], Origin=ORIGIN))) == own(known)

    def test_an_idempotency_key_replays_without_the_token(self, tenant, secret):
        chat, token = new_chat(tenant), signed(secret)
        first = chat.client.post(IDENTIFY, {"identity_token": token}, Idempotency_Key="k")
        again = chat.client.post(IDENTIFY, {"identity_token": token}, Idempotency_Key="k")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json == first.json | {"token": None}


class TestNoProof:
    """Nothing here may show the victim's conversation."""

    @pytest.fixture
    def victim(self, services, tenant, secret) -> tuple[Chat, str]:
        chat = proven(new_chat(tenant), signed(secret, "victim", email="victim@example.com", name="Victim"))
        found = chat.begin("my secret")
        drain(services)
        return chat, found

    def refused(self, tenant, victim, token: str, code: str) -> None:
        chat = new_chat(tenant)
        answer = prove(chat, token)
        assert (answer.status, answer.params) == (422, {"identity_token"})
        assert answer.json["error"]["errors"][0]["code"] == code
        assert own(chat) == set()
        assert chat.client.get(f"{OWN}/{victim[1]}").status == 404
        assert visitors.get_visitor(tenant.id, chat.visitor_id).contact_id is None

    def test_a_claim_of_name_and_address(self, tenant, victim):
        chat = new_chat(tenant)
        answer = chat.client.post(IDENTIFY, {"name": "Victim", "email": "victim@example.com"})
        again = Chat(chat.visitor_id, anonymous().using(answer.json["token"], Origin=ORIGIN))
        assert answer.json["verified"] is False
        assert own(again) == set()
        for method, end, body in (
            ("GET", "", None),
            ("GET", "/messages", None),
            ("POST", "/messages", {"content": "x"}),
            ("POST", "/read", None),
            ("POST", "/rate", {"score": 1}),
        ):
            assert again.client.send(method, f"{OWN}/{victim[1]}{end}", body).status == 404
        assert visitor(tenant.owner.client, chat)["contact_id"] is None

    def test_other_secrets(self, tenant, victim):
        other_site = new_site()
        other_widget = tenant.owner.client.post("/v1/widgets", {"name": "w"}).json["id"]
        tester, _ = new_test_site(tenant)
        test_widget = tester.get("/v1/widgets").json["data"][0]["id"]
        for secret in (
            new_secret(other_site),
            rotated(tenant.owner.client, other_widget),
            rotated(tester, test_widget),
            "guess",
            "",
        ):
            self.refused(tenant, victim, signed(secret, "victim"), "wrong_signature")

    def test_a_live_secret_proves_nothing_in_test_data(self, tenant, secret):
        tester, chat = new_test_site(tenant)
        rotated(tester, tester.get("/v1/widgets").json["data"][0]["id"])
        answer = prove(chat, signed(secret))
        assert answer.json["error"]["errors"][0]["code"] == "wrong_signature"

    def test_no_algorithm_and_other_algorithms(self, tenant, victim, secret):
        self.refused(tenant, victim, signed("", "victim", algorithm="none"), "wrong_algorithm")
        self.refused(tenant, victim, signed(secret, "victim", algorithm="HS512"), "wrong_algorithm")
        pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = pair.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        claims = {"sub": "victim", "exp": clock.now_s() + 60}
        self.refused(tenant, victim, jwt.encode(claims, pem, algorithm="RS256"), "wrong_algorithm")

    def test_a_token_of_ours_is_none(self, tenant, victim):
        for token in (victim[0].client.token, tenant.owner.client.token):
            self.refused(tenant, victim, token, "wrong_algorithm")

    def test_the_public_key_is_no_secret(self, tenant, victim):
        key = anonymous().get("/.well-known/jwks.json").json["keys"][0]
        pem = jwt.PyJWK(key).key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.refused(tenant, victim, signed(pem.decode(), "victim"), "wrong_signature")

    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            ({"exp": 1}, "expired"),
            ({"exp": None}, "missing_claim"),
            ({"exp": 10**11}, "too_long"),
            ({"exp": float("nan")}, "invalid_claim"),
            ({"exp": "soon"}, "invalid_claim"),
            ({"exp": True}, "invalid_claim"),
            ({"iat": 10**11}, "not_yet_valid"),
            ({"nbf": 10**11}, "not_yet_valid"),
            ({"sub": None}, "missing_claim"),
            ({"sub": ""}, "invalid_claim"),
            ({"sub": 7}, "invalid_claim"),
            ({"sub": ["victim"]}, "invalid_claim"),
            ({"sub": "x" * 201}, "invalid_claim"),
            ({"sub": "a\x00"}, "invalid_claim"),
            ({"sub": "\ud800"}, "invalid_claim"),
            ({"email": "no address"}, "invalid_claim"),
            ({"name": "a\nb"}, "invalid_claim"),
        ],
    )
    def test_claims_that_cannot_be_used(self, tenant, victim, secret, claims, code):
        self.refused(tenant, victim, signed(secret, **{"sub": "victim", **claims}), code)

    @pytest.mark.parametrize("token", ["x", "a.b.c", "..", "é.é.é", "[]", "e30.e30"])
    def test_what_is_no_token(self, tenant, victim, token):
        self.refused(tenant, victim, token, "malformed")

    def test_bad_fields_are_named(self, tenant):
        for token in ("", "x" * 4001, 7):
            answer = new_chat(tenant).client.post(IDENTIFY, {"identity_token": token, "email": "x"})
            assert (answer.status, answer.params) == (422, {"identity_token", "email"})

    def test_without_a_secret_there_is_no_proof(self, tenant):
        answer = prove(new_chat(tenant), signed("guess"))
        assert answer.json["error"]["errors"][0]["code"] == "not_configured"

    def test_a_token_that_has_expired_meanwhile(self, tenant, victim, secret):
        token = signed(secret, "victim", exp=clock.now_s() + 60)
        with later(61_000):
            self.refused(tenant, victim, token, "expired")

    def test_rotation_ends_the_secret_before_after_a_day_or_at_once(self, tenant, victim, secret):
        second = new_secret(tenant)
        assert second != secret
        assert prove(new_chat(tenant), signed(secret, "victim")).status == 200
        with later(DAY_MS + 1000):
            self.refused(tenant, victim, signed(secret, "victim"), "wrong_signature")
            assert prove(new_chat(tenant), signed(second, "victim")).status == 200
        new_secret(tenant)
        self.refused(tenant, victim, signed(secret, "victim"), "wrong_signature")
        new_secret(tenant, expire_previous_in=0)
        self.refused(tenant, victim, signed(second, "victim"), "wrong_signature")

    def test_a_resumed_session_has_to_prove_it_again(self, tenant, victim):
        again = chat_of(start_session(tenant, visitor_token=victim[0].client.token))
        assert again.visitor_id == victim[0].visitor_id
        other_device = proven(new_chat(tenant), signed(new_secret(tenant), "victim"))
        elsewhere = other_device.begin()
        assert elsewhere not in own(again)
        assert again.client.get(f"{OWN}/{elsewhere}").status == 404

    def test_an_agents_word_opens_nothing(self, services, tenant, owner, victim):
        chat = new_chat(tenant)
        known = visitor(owner, victim[0])["contact_id"]
        assert owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": known}).status == 200
        drain(services)
        again = chat_of(start_session(tenant, visitor_token=chat.client.token))
        claimed = again.client.post(IDENTIFY, {"name": "Victim"}).json["token"]
        for each in (chat, again, Chat(chat.visitor_id, anonymous().using(claimed, Origin=ORIGIN))):
            assert own(each) == set()
            assert each.client.get(f"{OWN}/{victim[1]}").status == 404

    def test_the_next_person_at_the_same_browser_needs_a_session_of_their_own(self, tenant, victim, secret):
        answer = prove(victim[0], signed(secret, "somebody else"))
        assert (answer.status, answer.code) == (409, "other_identity")
        assert own(victim[0]) == {victim[1]}
        assert own(proven(new_chat(tenant), signed(secret, "somebody else"))) == set()

    def test_after_a_merge_the_proof_is_the_same_persons(self, services, tenant, owner, victim, secret):
        target = new_contact(owner, "Stays")["id"]
        merged(owner, services, visitor(owner, victim[0])["contact_id"], target)
        assert visitor(owner, victim[0]).items() >= {"contact_id": target, "verified": True}.items()
        again = proven(victim[0], signed(secret, "victim"))
        assert visitor(owner, again)["contact_id"] == target
        assert own(proven(new_chat(tenant), signed(secret, "victim"))) == {victim[1]}

    def test_after_a_deletion_nobody_reads_it_elsewhere(self, services, tenant, owner, victim, secret):
        desk = proven(new_chat(tenant), signed(secret, "victim"))
        assert own(desk) == {victim[1]}
        owner.delete(f"{CONTACTS}/{visitor(owner, desk)['contact_id']}")
        drain(services)
        assert own(desk) == set()
        assert visitor(owner, victim[0]).items() >= {"contact_id": None, "verified": False}.items()
        proven(desk, signed(secret, "victim"))
        drain(services)
        assert own(desk) == set()
        assert own(victim[0]) == {victim[1]}


class TestRequired:
    def test_only_who_has_proven_it_can_begin(self, tenant, owner, secret):
        widget = tenant.created["default_widget"]["id"]
        chat = new_chat(tenant)
        before = chat.begin()
        answer = owner.patch(f"/v1/widgets/{widget}", {"identity_required": True})
        assert answer.json["identity_required"] is True
        first = {"message": {"content": "Hi", "client_msg_id": unique()}}
        chat.client.post(IDENTIFY, {"name": "Ada", "email": "ada@example.com"})
        refused = chat.client.post(OWN, first)
        assert (refused.status, refused.code) == (403, "identity_required")
        assert chat.say(before).status == 201
        known = proven(chat, signed(secret))
        assert known.client.post(OWN, first).status == 201
        resumed = chat_of(start_session(tenant, visitor_token=known.client.token))
        assert resumed.client.post(OWN, {"message": {"content": "Hi"}}).code == "identity_required"
        assert owner.post("/v1/conversations", {"visitor_id": new_chat(tenant).visitor_id}).status == 201
