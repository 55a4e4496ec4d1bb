"""Members and invitations: list, invite, join, change roles, leave; and the races between them."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from chalicelib.core import ids
from chalicelib.core.errors import ApiError
from chalicelib.tenants.invitations import MAILS_PER_ADDRESS
from tests.support.aws import Services
from tests.support.clocks import later
from tests.support.people import mails_to, new_email
from tests.support.queues import drain
from tests.support.settings import changed
from tests.support.tenants import (
    Organisation,
    Someone,
    anonymous,
    invitation_token,
    invite,
    join,
    new_key,
    new_member,
    new_tenant,
    new_user,
)

DAY_MS = 86_400_000


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run all at once; an ApiError is a result."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except ApiError as exc:
            return exc.code

    with ThreadPoolExecutor(len(acts)) as pool:
        return [each.result() for each in [pool.submit(run, act) for act in acts]]


def status_of_leaving(tenant: Organisation, someone: Someone) -> int:
    return someone.client.delete(f"{tenant.url}/members/{someone.user_id}").status


def roles(tenant: Organisation) -> dict[str, str]:
    rows = tenant.owner.client.get(f"{tenant.url}/members?limit=100").json["data"]
    return {row["user_id"]: row["role"] for row in rows}


class TestList:
    def test_anonymous_and_strangers_are_refused(self):
        tenant = new_tenant()
        assert anonymous().get(f"{tenant.url}/members").status == 401
        assert new_user().client.get(f"{tenant.url}/members").status == 404
        assert new_tenant().owner.client.get(f"{tenant.url}/members").status == 404

    def test_a_key_needs_the_scope(self):
        tenant = new_tenant()
        assert new_key(tenant, scopes=["tenants:read"]).get(f"{tenant.url}/members").status == 403
        assert new_key(tenant, scopes=["members:read"]).get(f"{tenant.url}/members").status == 200

    def test_a_viewer_sees_members_and_who_is_invited_newest_first(self):
        tenant = new_tenant()
        viewer = new_member(tenant, "viewer")
        invitation_id = invite(tenant, "grace@people.test", "admin")
        rows = viewer.client.get(f"{tenant.url}/members").json["data"]
        assert [(row["id"], row["user_id"], row["role"], row["status"]) for row in rows] == [
            (invitation_id, None, "admin", "invited"),
            (viewer.user_id, viewer.user_id, "viewer", "active"),
            (tenant.owner.user_id, tenant.owner.user_id, "owner", "active"),
        ]

    def test_it_is_one_query(self, services: Services):
        tenant = new_tenant()
        new_member(tenant, "agent")
        services.reset()
        tenant.owner.client.get(f"{tenant.url}/members")
        assert services.calls == [("dynamodb", "batch_get_item"), ("dynamodb", "query")]

    def test_bad_input_is_named(self):
        tenant = new_tenant()
        answer = tenant.owner.client.get(f"{tenant.url}/members?limit=0&role=admin")
        assert (answer.status, answer.params) == (422, {"limit", "role"})


class TestInvite:
    def test_anonymous_strangers_and_agents_are_refused(self):
        tenant = new_tenant()
        body = {"email": "grace@people.test", "role": "agent"}
        assert anonymous().post(f"{tenant.url}/members", body).status == 401
        assert new_tenant().owner.client.post(f"{tenant.url}/members", body).status == 404
        assert new_member(tenant, "agent").client.post(f"{tenant.url}/members", body).status == 403

    def test_an_admin_invites(self):
        tenant = new_tenant()
        body = {"email": " Grace@People.test ", "role": "agent", "name": "Grace"}
        answer = new_member(tenant, "admin").client.post(f"{tenant.url}/members", body)
        assert answer.status == 201
        assert answer.json["id"].startswith("inv_")
        assert {name: answer.json[name] for name in ("status", "email", "role", "name", "user_id")} == {
            "status": "invited",
            "email": "grace@people.test",
            "role": "agent",
            "name": "Grace",
            "user_id": None,
        }

    @pytest.mark.parametrize("role", ["admin", "key"])
    def test_only_owners_invite_owners(self, role: str):
        tenant = new_tenant()
        client = new_key(tenant) if role == "key" else new_member(tenant, role).client
        answer = client.post(f"{tenant.url}/members", {"email": "grace@people.test", "role": "owner"})
        assert (answer.status, answer.code) == (403, "owners_only")
        assert invite(tenant, "grace@people.test", "owner")

    def test_a_member_or_somebody_invited_is_refused(self):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        invite(tenant, "grace@people.test")
        for email, code in ((agent.email, "already_member"), ("GRACE@people.test", "already_invited")):
            answer = tenant.owner.client.post(f"{tenant.url}/members", {"email": email, "role": "admin"})
            assert (answer.status, answer.code) == (409, code)

    def test_an_expired_invitation_is_replaced(self):
        tenant = new_tenant()
        with later(-8 * DAY_MS):
            from chalicelib.core.http import Principal, Role
            from chalicelib.tenants import invitations

            owner = Principal(kind="user", id=tenant.owner.user_id, memberships={tenant.id: Role.OWNER})
            old = invitations.invite_member(tenant.id, owner, "grace@people.test", Role.AGENT, None)
        assert [row["status"] for row in _invitations(tenant)] == ["expired"]
        new = invite(tenant, "grace@people.test")
        assert [(row["id"], row["status"]) for row in _invitations(tenant)] == [(new, "pending")]
        assert new != old.id

    def test_there_is_a_limit(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("chalicelib.tenants.invitations.MAX_MEMBERS", 2)
        tenant = new_tenant()
        invite(tenant, "one@people.test")
        answer = tenant.owner.client.post(f"{tenant.url}/members", {"email": "two@people.test", "role": "agent"})
        assert (answer.status, answer.code) == (409, "member_limit_reached")

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"email", "role"}),
            ({"email": "no address", "role": "king"}, {"email", "role"}),
            ({"email": "a@b.test\r\nBcc: c@d.test", "role": "agent"}, {"email"}),
            ({"email": "a@b.test", "role": "agent", "admin": True}, {"admin"}),
        ],
    )
    def test_bad_input_names_every_field(self, body: dict[str, object], params: set[str]):
        tenant = new_tenant()
        answer = tenant.owner.client.post(f"{tenant.url}/members", body)
        assert (answer.status, answer.params) == (422, params)

    @pytest.mark.parametrize("invisible", ["\u200b", "\u00ad", "\u202e", "\u2060", "\x7f"])
    def test_an_address_with_an_invisible_character_is_refused_and_holds_up_no_mail_behind_it(
        self, services: Services, invisible: str
    ):
        tenant, email = new_tenant(), new_email()
        body = {"email": f"ada{invisible}@example.com", "role": "agent"}
        answer = tenant.owner.client.post(f"{tenant.url}/members", body)
        assert (answer.status, answer.params) == (422, {"email"})
        invite(tenant, email)
        drain(services)
        assert mails_to(services, email)

    def test_one_mailbox_gets_only_so_many_mails(self, services: Services):
        tenant, email = new_tenant(), new_email()
        resend = f"{tenant.url}/invitations/{invite(tenant, email)}/resend"
        answers = [tenant.owner.client.post(resend).status for _ in range(MAILS_PER_ADDRESS + 2)]
        assert answers == [200] * (MAILS_PER_ADDRESS - 1) + [429] * 3
        drain(services)
        assert 0 < len(mails_to(services, email)) <= MAILS_PER_ADDRESS

    def test_a_tenant_mails_only_so_many_strangers_a_day_whoever_they_are(self, services: Services):
        tenant, other = new_tenant(), new_tenant()
        key = new_key(tenant)  # which outlives a day
        with changed(INVITATIONS_PER_TENANT="4"):
            with later(0):
                for _ in range(2):  # inviting and revoking in turn
                    gone = invite(tenant, new_email())
                    assert tenant.owner.client.delete(f"{tenant.url}/members/{gone}").status == 204
                kept = f"{tenant.url}/invitations/{invite(tenant, new_email())}/resend"
                assert tenant.owner.client.post(kept).status == 200
                refused = [
                    tenant.owner.client.post(kept),
                    tenant.owner.client.post(f"{tenant.url}/members", {"email": new_email(), "role": "agent"}),
                ]
                invite(other, new_email())
            assert [answer.status for answer in refused] == [429, 429]
            assert 0 < int(refused[0].headers["Retry-After"]) <= DAY_MS // 1000
            with later(DAY_MS):
                assert key.post(kept).status == 200

    def test_one_address_invited_many_times_at_once_is_invited_once(self):
        tenant = new_tenant()
        body = {"email": "grace@people.test", "role": "agent"}
        answers = at_once(*[lambda: tenant.owner.client.post(f"{tenant.url}/members", body).status] * 6)
        assert sorted(answers, key=str) == [201, *[409] * 5]
        assert len(_invitations(tenant)) == 1

    def test_the_mail_has_a_link_alone_on_its_line_that_lets_its_reader_in(self, services: Services):
        from chalicelib.events.dispatcher import dispatch
        from chalicelib.mail.models import Mail
        from chalicelib.mail.templates import render

        tenant = new_tenant(name="Acme & Söhne")
        grace = new_user("Grace")
        invite(tenant, grace.email)
        for _ in range(2):
            dispatch(f"{tenant.id}#tenant")
        mails = [Mail.from_json(body) for body in services.queues["mail"]]
        assert [mail.to for mail in mails] == [grace.email]
        rendered = render(mails[0])
        assert "Acme & Söhne" in rendered.text
        (line,) = [line for line in rendered.text.splitlines() if "token=" in line]
        assert line.startswith("https://api.test/auth/accept-invite?token=")
        join(line.partition("token=")[2], grace)
        assert roles(tenant)[grace.user_id] == "agent"

    def test_an_event_seen_twice_is_one_mail(self, services: Services):
        from chalicelib.core.http import PageQuery
        from chalicelib.tenants import audit, mails

        tenant = new_tenant()
        invite(tenant, "grace@people.test")
        invited = audit.list_entries(tenant.id, PageQuery()).rows[0]
        for _ in range(2):
            mails.on_event(invited)
        sent = [json.loads(body)["id"] for body in services.queues["mail"]]
        assert len(sent) == 2
        assert len(set(sent)) == 1

    def test_a_revoked_invitation_is_not_mailed(self, services: Services):
        from chalicelib.events.dispatcher import dispatch

        tenant = new_tenant()
        tenant.owner.client.delete(f"{tenant.url}/members/{invite(tenant, 'grace@people.test')}")
        dispatch(f"{tenant.id}#tenant")
        assert "mail" not in services.queues


def _invitations(tenant: Organisation) -> Sequence[dict[str, str]]:
    rows: Sequence[dict[str, str]] = tenant.owner.client.get(f"{tenant.url}/invitations").json["data"]
    return rows


class TestInvitations:
    def test_anonymous_strangers_and_agents_are_refused(self):
        tenant = new_tenant()
        url = f"{tenant.url}/invitations"
        resend = f"{url}/{invite(tenant, 'grace@people.test')}/resend"
        stranger, agent = new_tenant().owner.client, new_member(tenant, "agent").client
        assert [anonymous().get(url).status, anonymous().post(resend).status] == [401, 401]
        assert [stranger.get(url).status, stranger.post(resend).status] == [404, 404]
        assert [agent.get(url).status, agent.post(resend).status] == [403, 403]

    def test_they_are_listed_until_accepted(self):
        tenant = new_tenant()
        first, second = invite(tenant, "one@people.test"), invite(tenant, "two@people.test", "admin")
        rows = _invitations(tenant)
        assert [(row["id"], row["role"], row["status"], row["invited_by"]) for row in rows] == [
            (second, "admin", "pending", tenant.owner.user_id),
            (first, "agent", "pending", tenant.owner.user_id),
        ]
        join(invitation_token(tenant, first), new_user())
        assert [row["id"] for row in _invitations(tenant)] == [second]

    def test_resending_makes_older_links_useless(self):
        tenant, grace = new_tenant(), new_user()
        invitation_id = invite(tenant, grace.email)
        old = invitation_token(tenant, invitation_id)
        answer = tenant.owner.client.post(f"{tenant.url}/invitations/{invitation_id}/resend")
        assert (answer.status, answer.json["id"], answer.json["status"]) == (200, invitation_id, "pending")
        assert at_once(lambda: join(old, grace)) == ["invitation_not_found"]
        join(invitation_token(tenant, invitation_id), grace)

    @pytest.mark.parametrize("invitation_id", ["inv_" + 26 * "0", "nonsense"])
    def test_resending_what_is_not_there_is_404(self, invitation_id: str):
        tenant = new_tenant()
        assert tenant.owner.client.post(f"{tenant.url}/invitations/{invitation_id}/resend").status == 404

    def test_an_admin_cannot_resend_or_revoke_an_owners_invitation(self):
        tenant = new_tenant()
        invitation_id = invite(tenant, "grace@people.test", "owner")
        admin = new_member(tenant, "admin").client
        assert admin.post(f"{tenant.url}/invitations/{invitation_id}/resend").code == "owners_only"
        assert admin.delete(f"{tenant.url}/members/{invitation_id}").code == "owners_only"


class TestAccept:
    def test_a_forged_or_mistyped_token_is_refused_the_latter_without_a_read(self, services: Services):
        from chalicelib.core import tokens
        from chalicelib.tenants import service

        tenant = new_tenant()
        invitation_id = invite(tenant, "grace@people.test")
        token = invitation_token(tenant, invitation_id)
        forged = tokens.pack("parley_inv_", ids.to_bytes(tenant.id), ids.to_bytes(invitation_id), bytes(16))
        assert at_once(lambda: service.find_invitation(forged)) == ["invitation_not_found"]
        services.reset()
        mistyped = token[:-1] + ("a" if token[-1] != "a" else "b")
        assert at_once(lambda: service.find_invitation(mistyped)) == ["invitation_not_found"]
        assert services.calls == []

    def test_an_expired_or_revoked_or_accepted_one_says_so(self):
        tenant, grace = new_tenant(), new_user()
        token = invitation_token(tenant, invite(tenant, "one@people.test"))
        with later(7 * DAY_MS):
            assert at_once(lambda: join(token, grace)) == ["invitation_expired"]
        revoked = invite(tenant, "two@people.test")
        token = invitation_token(tenant, revoked)
        assert tenant.owner.client.delete(f"{tenant.url}/members/{revoked}").status == 204
        assert at_once(lambda: join(token, grace)) == ["invitation_not_found"]
        token = invitation_token(tenant, invite(tenant, "three@people.test"))
        join(token, grace)
        assert at_once(lambda: join(token, grace)) == ["invitation_already_accepted"]

    def test_a_member_cannot_join_twice(self):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        token = invitation_token(tenant, invite(tenant, "another-address@people.test", "admin"))
        assert at_once(lambda: join(token, agent)) == ["already_member"]
        assert roles(tenant)[agent.user_id] == "agent"

    def test_accepted_many_times_at_once_it_makes_one_membership(self):
        tenant = new_tenant()
        token = invitation_token(tenant, invite(tenant, "grace@people.test"))
        people = [new_user() for _ in range(8)]
        found = at_once(*[partial(join, token, one) for one in people])
        assert sorted(found, key=str) == [None, *["invitation_already_accepted"] * 7]
        assert len(roles(tenant)) == 2


class TestChangeRole:
    def test_anonymous_strangers_and_agents_are_refused(self):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        url = f"{tenant.url}/members/{agent.user_id}"
        assert anonymous().patch(url, {"role": "owner"}).status == 401
        assert new_tenant().owner.client.patch(url, {"role": "owner"}).status == 404
        assert agent.client.patch(url, {"role": "owner"}).status == 403
        assert new_key(tenant, scopes=["members:read"]).patch(url, {"role": "admin"}).status == 403

    def test_a_new_role_counts_at_once(self):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        answer = tenant.owner.client.patch(f"{tenant.url}/members/{agent.user_id}", {"role": "viewer"})
        assert (answer.status, answer.json["role"], answer.headers["ETag"]) == (200, "viewer", '"2"')
        assert agent.client.get("/v1/tenants").json["data"][0]["role"] == "viewer"

    def test_if_match_is_honoured(self):
        tenant = new_tenant()
        url = f"{tenant.url}/members/{new_member(tenant, 'agent').user_id}"
        assert tenant.owner.client.patch(url, {"role": "admin"}, If_Match='"1"').status == 200
        assert tenant.owner.client.patch(url, {"role": "viewer"}, If_Match='"1"').status == 412

    @pytest.mark.parametrize("who", ["admin", "key"])
    def test_only_owners_make_and_change_owners(self, who: str):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        client = new_key(tenant) if who == "key" else new_member(tenant, "admin").client
        for member_id, role in ((agent.user_id, "owner"), (tenant.owner.user_id, "viewer")):
            answer = client.patch(f"{tenant.url}/members/{member_id}", {"role": role})
            assert (answer.status, answer.code) == (403, "owners_only")

    def test_a_tenant_is_handed_over(self):
        tenant = new_tenant()
        heir = new_member(tenant, "agent")
        me = f"{tenant.url}/members/{tenant.owner.user_id}"
        assert tenant.owner.client.patch(me, {"role": "admin"}).code == "last_owner"
        assert tenant.owner.client.patch(f"{tenant.url}/members/{heir.user_id}", {"role": "owner"}).status == 200
        assert tenant.owner.client.patch(me, {"role": "agent"}).status == 200
        assert roles(tenant) == {heir.user_id: "owner", tenant.owner.user_id: "agent"}
        assert heir.client.patch(f"{tenant.url}/members/{heir.user_id}", {"role": "agent"}).code == "last_owner"

    @pytest.mark.parametrize("member_id", ["usr_" + 26 * "0", "inv_" + 26 * "0", "nonsense"])
    def test_who_is_not_a_member_is_404(self, member_id: str):
        tenant = new_tenant()
        assert tenant.owner.client.patch(f"{tenant.url}/members/{member_id}", {"role": "agent"}).status == 404

    def test_bad_input_is_named(self):
        tenant = new_tenant()
        answer = tenant.owner.client.patch(f"{tenant.url}/members/{tenant.owner.user_id}", {"role": "god", "x": 1})
        assert (answer.status, answer.params) == (422, {"role", "x"})


class TestRemove:
    def test_anonymous_strangers_and_other_members_are_refused(self):
        tenant = new_tenant()
        viewer, agent = new_member(tenant, "viewer"), new_member(tenant, "agent")
        url = f"{tenant.url}/members/{viewer.user_id}"
        assert anonymous().delete(url).status == 401
        assert new_tenant().owner.client.delete(url).status == 404
        assert agent.client.delete(url).code == "insufficient_role"
        invitation = f"{tenant.url}/members/{invite(tenant, 'grace@people.test')}"
        assert agent.client.delete(invitation).code == "insufficient_role"

    def test_who_is_removed_is_out_at_once_and_may_be_invited_again(self):
        tenant = new_tenant()
        agent = new_member(tenant, "agent")
        assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
        assert agent.client.get("/v1/tenants").json["data"] == []
        assert agent.client.get(tenant.url).status == 404
        assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 404
        join(invitation_token(tenant, invite(tenant, agent.email, "admin")), agent)
        assert roles(tenant)[agent.user_id] == "admin"

    def test_anybody_may_leave(self):
        tenant = new_tenant()
        viewer = new_member(tenant, "viewer")
        assert viewer.client.delete(f"{tenant.url}/members/{viewer.user_id}").status == 204
        assert list(roles(tenant)) == [tenant.owner.user_id]

    @pytest.mark.parametrize("who", ["admin", "key"])
    def test_only_owners_remove_owners(self, who: str):
        tenant = new_tenant()
        second = new_member(tenant, "owner")
        client = new_key(tenant) if who == "key" else new_member(tenant, "admin").client
        assert client.delete(f"{tenant.url}/members/{second.user_id}").code == "owners_only"
        assert tenant.owner.client.delete(f"{tenant.url}/members/{second.user_id}").status == 204

    def test_the_last_owner_cannot_leave(self):
        tenant = new_tenant()
        answer = tenant.owner.client.delete(f"{tenant.url}/members/{tenant.owner.user_id}")
        assert (answer.status, answer.code) == (409, "last_owner")

    def test_of_the_last_two_owners_leaving_at_once_one_stays(self):
        for _ in range(5):
            tenant = new_tenant()
            owners = tenant.owner, new_member(tenant, "owner")
            found = at_once(*[partial(status_of_leaving, tenant, one) for one in owners])
            assert sorted(found, key=str) == [204, 409]

    def test_of_two_owners_demoting_each_other_at_once_one_stays(self):
        tenant = new_tenant()
        second = new_member(tenant, "owner")

        def demote(by: Someone, whom: Someone) -> int:
            return by.client.patch(f"{tenant.url}/members/{whom.user_id}", {"role": "viewer"}).status

        found = at_once(partial(demote, tenant.owner, second), partial(demote, second, tenant.owner))
        assert sorted(found, key=str) == [200, 403]
        assert sorted(roles(tenant).values()) == ["owner", "viewer"]

    def test_a_role_and_a_membership_end_in_both_places_or_none(self, services: Services):
        from chalicelib.core import aws
        from chalicelib.core.errors import UnavailableError

        tenant = new_tenant()
        agent = new_member(tenant, "agent")

        def down(service: str, operation: str, params, proceed):
            if operation == "transact_write_items":
                raise UnavailableError
            return proceed()

        aws.interceptors.append(down)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("chalicelib.core.dynamodb.MAX_ATTEMPTS", 1)
                assert tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}").status == 503
        finally:
            aws.interceptors.remove(down)
        assert roles(tenant)[agent.user_id] == "agent"
        assert agent.client.get(tenant.url).status == 200
