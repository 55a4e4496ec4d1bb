"""API keys: made, listed, changed, rotated, revoked; and what they may do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.core import ids, tokens
from chalicelib.tenants.api_keys import authenticate_key
from chalicelib.tenants.models import SCOPES
from tests.support.answers import rows
from tests.support.aws import Services
from tests.support.chats import new_chat, new_site
from tests.support.clocks import later
from tests.support.people import new_email
from tests.support.tenants import Organisation, anonymous, invite, new_key, new_member, new_tenant

URL = "/v1/api-keys"


def made(tenant: Organisation, **body: object) -> dict[str, Any]:
    answer = tenant.owner.client.post(URL, body)
    assert answer.status == 201, answer.text
    created: dict[str, Any] = answer.json
    return created


def works(secret: str) -> bool:
    return anonymous().using(secret).get(URL).status == 200


OF_THE_LIST: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {})]
OF_ONE: list[tuple[str, str, Any]] = [
    ("GET", "/{key}", None),
    ("PATCH", "/{key}", {"name": "New"}),
    ("POST", "/{key}/rotate", {}),
    ("DELETE", "/{key}", None),
]


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), OF_THE_LIST + OF_ONE)
    def test_anonymous_agents_and_keys_without_the_scope_are_refused(self, method, path, body):
        tenant = new_tenant()
        url = URL + path.format(key=made(tenant)["id"])
        assert anonymous().send(method, url, body).status == 401
        assert new_member(tenant, "agent").client.send(method, url, body).code == "insufficient_role"
        weak = new_key(tenant, scopes=[scope for scope in SCOPES if not scope.startswith("api_keys")])
        assert weak.send(method, url, body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), OF_ONE)
    def test_another_tenants_key_is_as_missing_as_one_that_is_not_there(self, method, path, body):
        outsider = new_tenant().owner.client
        ids_ = [made(new_tenant())["id"], ids.new("key"), "nonsense"]
        answers = [outsider.send(method, URL + path.format(key=key_id), body) for key_id in ids_]
        assert {answer.status for answer in answers} == {404}
        texts = {answer.text.replace(answer.headers["X-Request-Id"], "") for answer in answers}
        assert len(texts) == 1


class TestCreate:
    def test_a_key_can_do_everything_unless_told_otherwise(self):
        tenant = new_tenant()
        key = made(tenant)
        assert key["secret"].startswith("parley_live_")
        assert key["hint"] == key["secret"][-4:]
        assert (key["mode"], key["expires_at"], key["last_used_at"]) == ("live", None, None)
        assert set(key["scopes"]) == set(SCOPES)
        assert anonymous().using(key["secret"]).get(tenant.url).status == 200

    def test_the_secret_is_shown_once(self):
        tenant = new_tenant()
        answers = [tenant.owner.client.post(URL, {"name": "CI"}, Idempotency_Key="k") for _ in range(2)]
        secret = answers[0].json["secret"]
        assert answers[1].json == {**answers[0].json, "secret": None}
        assert works(secret)
        for url in (URL, f"{URL}/{answers[0].json['id']}", f"{tenant.url}/audit-log"):
            assert secret not in tenant.owner.client.get(url).text
        assert "secret" not in tenant.owner.client.get(f"{URL}/{answers[0].json['id']}").json

    def test_a_test_key_says_so(self):
        assert made(new_tenant(), mode="test")["secret"].startswith("parley_test_")

    def test_a_key_gives_no_scope_that_it_lacks(self):
        tenant = new_tenant()
        key = new_key(tenant, scopes=["api_keys:write", "api_keys:read", "tags:read"])
        refused = key.post(URL, {"scopes": ["tags:read", "tags:write"]})
        assert (refused.status, refused.code) == (403, "scope_not_held")
        assert key.post(URL, {"scopes": ["tags:read"]}).json["scopes"] == ["tags:read"]
        assert key.post(URL, {}).json["scopes"] == ["api_keys:read", "api_keys:write", "tags:read"]

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({"name": "", "mode": "prod", "tenant": "x"}, {"name", "mode", "tenant"}),
            ({"scopes": []}, {"scopes"}),
            ({"scopes": ["everything"]}, {"scopes.0"}),
            ({"expires_at": "tomorrow"}, {"expires_at"}),
            ({"expires_at": "2099-01-01T00:00:00"}, {"expires_at"}),
            ({"expires_at": "2001-01-01T00:00:00Z"}, {"expires_at"}),
            ({"expires_at": "9999-12-31T23:59:59-12:00"}, {"expires_at"}),  # the year 10000 in UTC
        ],
    )
    def test_bad_input_names_every_field(self, body, params):
        answer = new_tenant().owner.client.post(URL, body)
        assert (answer.status, answer.params) == (422, params)

    def test_there_is_a_limit(self, monkeypatch):
        monkeypatch.setattr("chalicelib.tenants.api_keys.MAX_KEYS", 1)
        tenant = new_tenant()
        key = made(tenant)
        assert tenant.owner.client.post(URL, {}).code == "key_limit_reached"
        tenant.owner.client.delete(f"{URL}/{key['id']}")
        assert made(tenant)


class TestList:
    def test_newest_first_and_paged(self):
        tenant = new_tenant()
        names = ["one", "two", "three"]
        for name in names:
            made(tenant, name=name)
        page = tenant.owner.client.get(f"{URL}?limit=2").json
        rest = tenant.owner.client.get(f"{URL}?limit=2&cursor={page['pagination']['next_cursor']}").json
        assert [row["name"] for row in page["data"] + rest["data"]] == names[::-1]
        assert page["pagination"]["total"] == 3


class TestUpdate:
    def test_what_is_given_changes(self):
        tenant = new_tenant()
        key = made(tenant)
        changes = {"name": "Reader", "scopes": ["tags:read"]}
        answer = tenant.owner.client.patch(f"{URL}/{key['id']}", changes, If_Match='"1"')
        assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
        assert {name: answer.json[name] for name in changes} == changes
        assert anonymous().using(key["secret"]).get(tenant.url).status == 403
        assert tenant.owner.client.patch(f"{URL}/{key['id']}", changes, If_Match='"1"').status == 412

    def test_an_expiry_comes_and_goes(self):
        tenant = new_tenant()
        key = made(tenant)
        url = f"{URL}/{key['id']}"
        assert tenant.owner.client.patch(url, {"expires_at": "2099-01-01T01:00:00+01:00"}).json["expires_at"] == (
            "2099-01-01T00:00:00Z"
        )
        assert tenant.owner.client.patch(url, {"expires_at": None}).json["expires_at"] is None

    def test_a_key_cannot_widen_itself_or_touch_a_stronger_one(self):
        tenant = new_tenant()
        strong = made(tenant)
        weak = made(tenant, scopes=["api_keys:write"])
        client = anonymous().using(weak["secret"])
        assert client.patch(f"{URL}/{weak['id']}", {"scopes": ["api_keys:write", "tags:read"]}).code == "scope_not_held"
        assert client.patch(f"{URL}/{strong['id']}", {"name": "Mine"}).code == "scope_not_held"
        assert client.post(f"{URL}/{strong['id']}/rotate").code == "scope_not_held"
        assert client.patch(f"{URL}/{weak['id']}", {"name": "Mine"}).status == 200

    @pytest.mark.parametrize("body", [{"name": None}, {"scopes": []}, {"mode": "test"}, {"expires_at": "2001-01-01"}])
    def test_bad_input_is_named(self, body):
        tenant = new_tenant()
        answer = tenant.owner.client.patch(f"{URL}/{made(tenant)['id']}", body)
        assert (answer.status, answer.params) == (422, set(body))


class TestRotate:
    def test_the_secret_before_ends_at_once(self):
        tenant = new_tenant()
        key = made(tenant)
        answer = tenant.owner.client.post(f"{URL}/{key['id']}/rotate")
        assert (answer.status, answer.json["id"]) == (200, key["id"])
        assert works(answer.json["secret"])
        assert not works(key["secret"])

    def test_or_overlaps_for_as_long_as_asked(self):
        tenant = new_tenant()
        key = made(tenant)
        url = f"{URL}/{key['id']}/rotate"
        second = tenant.owner.client.post(url, {"expire_previous_in": 3600}).json
        assert second["previous_secret_until"] is not None
        assert works(key["secret"])
        assert works(second["secret"])
        with later(3599_000):
            assert works(key["secret"])
        with later(3601_000):
            assert not works(key["secret"])
            assert works(second["secret"])
        third = tenant.owner.client.post(url, {"expire_previous_in": 3600}).json
        assert [works(each["secret"]) for each in (key, second, third)] == [False, True, True]

    @pytest.mark.parametrize("seconds", [-1, 86_401, "soon", None])
    def test_bad_input_is_named(self, seconds):
        tenant = new_tenant()
        answer = tenant.owner.client.post(f"{URL}/{made(tenant)['id']}/rotate", {"expire_previous_in": seconds})
        assert (answer.status, answer.params) == (422, {"expire_previous_in"})


class TestLifetime:
    """A key gives no key more time than it has: not another, not itself, not by a secret that is on its way out."""

    SOON, LATE = "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z"

    def test_a_key_that_ends_makes_only_keys_that_end(self):
        key = new_key(new_tenant(), expires_at=self.SOON)
        for body in ({}, {"expires_at": None}, {"expires_at": self.SOON}):
            assert key.post(URL, body).json["expires_at"] == self.SOON
        assert key.post(URL, {"expires_at": "2097-01-01T00:00:00Z"}).json["expires_at"] == "2097-01-01T00:00:00Z"
        refused = key.post(URL, {"expires_at": self.LATE})
        assert (refused.status, refused.code, refused.json["error"]["param"]) == (403, "outlives_caller", "expires_at")

    @pytest.mark.parametrize("wanted", [None, LATE])
    def test_it_cannot_postpone_its_own_end_or_anothers(self, wanted):
        tenant = new_tenant()
        ending, other = (made(tenant, expires_at=self.SOON) for _ in range(2))
        client = anonymous().using(ending["secret"])
        for key in (other, ending):
            assert client.patch(f"{URL}/{key['id']}", {"expires_at": wanted}).code == "outlives_caller"
            assert client.patch(f"{URL}/{key['id']}", {"name": "New"}).status == 200
            assert client.patch(f"{URL}/{key['id']}", {"expires_at": "2097-01-01T00:00:00Z"}).status == 200

    def test_it_cannot_change_rotate_or_widen_a_key_that_outlives_it(self):
        tenant = new_tenant()
        lasting, ending = made(tenant, scopes=["tags:read"]), new_key(tenant, expires_at=self.SOON)
        url = f"{URL}/{lasting['id']}"
        for answer in (
            ending.patch(url, {"name": "New"}),
            ending.patch(url, {"scopes": ["tags:read", "tags:write"]}),
            ending.patch(url, {"expires_at": self.SOON}),
            ending.post(f"{url}/rotate"),
        ):
            assert (answer.status, answer.code) == (403, "outlives_caller")
        assert ending.delete(url).status == 204

    def test_rotation_moves_no_end(self):
        tenant = new_tenant()
        key = made(tenant, expires_at=self.SOON)
        rotated = anonymous().using(key["secret"]).post(f"{URL}/{key['id']}/rotate")
        assert (rotated.status, rotated.json["expires_at"]) == (200, self.SOON)

    def test_a_secret_that_was_rotated_away_gets_no_newer_one(self):
        tenant = new_tenant()
        key = made(tenant)
        rotate = f"{URL}/{key['id']}/rotate"
        assert tenant.owner.client.post(rotate, {"expire_previous_in": 3600}).status == 200
        leaked = anonymous().using(key["secret"])
        assert leaked.get(URL).status == 200
        assert (
            leaked.post(rotate).code == leaked.patch(f"{URL}/{key['id']}", {"name": "Mine"}).code == "outlives_caller"
        )
        made_by_it = leaked.post(URL, {}).json
        with later(3601_000):
            assert not works(made_by_it["secret"])

    def test_a_test_key_makes_and_changes_no_key(self):
        tenant = new_tenant()
        key = made(tenant, mode="test")
        client = anonymous().using(key["secret"])
        assert client.post(URL, {"mode": "live"}).code == client.post(URL, {"mode": "test"}).code == "test_mode"
        assert client.post(f"{URL}/{key['id']}/rotate").code == "test_mode"

    def test_people_give_what_they_like(self):
        tenant = new_tenant()
        key = made(tenant, expires_at=self.SOON)
        assert tenant.owner.client.patch(f"{URL}/{key['id']}", {"expires_at": None}).json["expires_at"] is None


class TestRevoke:
    def test_a_revoked_key_is_refused_at_once_and_gone(self):
        tenant = new_tenant()
        key = made(tenant)
        assert works(key["secret"])
        assert tenant.owner.client.delete(f"{URL}/{key['id']}").status == 204
        assert not works(key["secret"])
        assert tenant.owner.client.get(f"{URL}/{key['id']}").status == 404
        assert tenant.owner.client.delete(f"{URL}/{key['id']}").status == 404


class TestCredential:
    def test_a_typo_is_refused_without_a_read(self, services: Services):
        from chalicelib.core.errors import UnauthenticatedError
        from chalicelib.tenants.service import authenticate_key

        secret = made(new_tenant())["secret"]
        services.reset()
        for place in range(len("parley_live_"), len(secret)):
            typo = secret[:place] + ("a" if secret[place] != "a" else "b") + secret[place + 1 :]
            with pytest.raises(UnauthenticatedError):
                authenticate_key(typo)
        assert services.calls == []

    def test_a_guessed_secret_and_the_other_mode_are_refused(self):
        tenant = new_tenant()
        key = made(tenant)
        parts = tokens.unpack("parley_live_", key["secret"], 16, 16, 24)
        assert parts is not None
        assert not works(tokens.pack("parley_live_", parts[0], parts[1], bytes(24)))
        assert not works(tokens.pack("parley_test_", *parts))
        assert works(tokens.pack("parley_live_", *parts))

    def test_an_expired_key_is_refused(self):
        moment = datetime.now(UTC) + timedelta(hours=1)
        key = made(new_tenant(), expires_at=moment.isoformat())
        assert works(key["secret"])
        with later(3601_000):
            assert not works(key["secret"])

    @pytest.mark.parametrize("ending", ["expiry", "overlap"])
    def test_it_ends_on_time_even_while_the_authorizers_cache_remembers_it(self, ending, monkeypatch):
        tenant, moment = new_tenant(), datetime.now(UTC) + timedelta(hours=1)
        key = made(tenant, **({"expires_at": moment.isoformat()} if ending == "expiry" else {}))
        if ending == "overlap":
            tenant.owner.client.post(f"{URL}/{key['id']}/rotate", {"expire_previous_in": 3600})
        cached, client = authenticate_key(key["secret"]), anonymous().using(key["secret"])
        monkeypatch.setattr("app.authenticate", lambda _token: cached)
        with later(3590_000):
            assert client.get("/v1/widgets").status == 200
        with later(3601_000):
            assert client.get("/v1/widgets").status == 401

    def test_an_empty_tenant_header_names_none(self):
        tenant = new_tenant()
        assert new_key(tenant).get(URL, X_Tenant_ID="").status == 200
        assert tenant.owner.client.get(URL, X_Tenant_ID="").status == 200
        new_tenant(tenant.owner)
        assert tenant.owner.client.get(URL, X_Tenant_ID="").code == "tenant_required"

    def test_its_tenant_is_its_own(self):
        tenant, other = new_tenant(), new_tenant()
        key = new_key(tenant)
        assert key.get(URL, X_Tenant_ID=tenant.id).status == 200
        assert key.get(URL, X_Tenant_ID=other.id).status == 403

    def test_its_last_use_is_noted_every_five_minutes_at_most(self, services: Services):
        tenant = new_tenant()
        key = made(tenant)
        url = f"{URL}/{key['id']}"

        def writes() -> int:
            services.reset()
            assert works(key["secret"])
            return services.calls.count(("dynamodb", "update_item"))

        assert [writes(), writes()] == [1, 0]
        noted = tenant.owner.client.get(url).json["last_used_at"]
        assert noted is not None
        with later(301_000):
            assert [writes(), writes()] == [1, 0]
            assert tenant.owner.client.get(url).json["last_used_at"] > noted
        tenant.owner.client.post(f"{url}/rotate", {"expire_previous_in": 60})
        assert tenant.owner.client.get(url).json["last_used_at"] is not None

    def test_its_answer_costs_one_read(self, services: Services):
        from chalicelib.tenants.service import authenticate_key

        secret = made(new_tenant())["secret"]
        authenticate_key(secret)
        services.reset()
        authenticate_key(secret)
        assert services.calls == [("dynamodb", "batch_get_item")]


class TestAuthorName:
    """What visitors see as the author of what a key has written."""

    def said(self, tenant, **body):
        chat = new_chat(tenant)
        key, found = new_key(tenant, name="internal-crm-sync", **body), chat.begin()
        for private in (False, True):
            sent = {"content": "Hello", "private": private}
            assert key.post(f"/v1/conversations/{found}/messages", sent).status == 201
        seen = chat.client.get(f"/widget/v1/conversations/{found}/messages")
        assert "internal-crm-sync" not in seen.text
        agents = rows(tenant.owner.client, f"/v1/conversations/{found}/messages")
        return seen.json["data"][-1]["author"]["name"], agents[-1]["author"]["name"]

    def test_it_is_the_tenants_name_unless_given_and_a_note_has_the_keys_own(self):
        tenant = new_site()
        assert self.said(tenant) == (tenant.created["name"], "internal-crm-sync")
        assert self.said(tenant, author_name="Acme support") == ("Acme support", "internal-crm-sync")

    def test_it_can_be_changed_but_not_be_none(self):
        tenant = new_tenant()
        made = tenant.owner.client.post("/v1/api-keys", {"name": "k"}).json
        url = f"/v1/api-keys/{made['id']}"
        assert tenant.owner.client.patch(url, {"author_name": "Support"}).json["author_name"] == "Support"
        assert tenant.owner.client.get(url).json["author_name"] == "Support"
        assert tenant.owner.client.patch(url, {"author_name": None}).status == 422


class TestLettingIn:
    """Who is let in stays, so a key that ends lets nobody in."""

    SOON = "2099-01-01T00:00:00Z"

    def test_a_key_that_ends_invites_nobody_and_raises_nobody(self):
        tenant = new_tenant()
        agent, invited = new_member(tenant, "agent"), invite(tenant, new_email())
        ending, lasting = new_key(tenant, expires_at=self.SOON), new_key(tenant)
        for key, status, code in ((ending, 403, "outlives_caller"), (lasting, 201, None)):
            answer = key.post(f"{tenant.url}/members", {"email": new_email(), "role": "agent"})
            assert answer.status == status
            assert code is None or answer.code == code
        again = f"{tenant.url}/invitations/{invited}/resend"
        assert ending.post(again).code == "outlives_caller"
        assert lasting.post(again).status == 200
        url = f"{tenant.url}/members/{agent.user_id}"
        assert ending.patch(url, {"role": "admin"}).code == "outlives_caller"
        assert ending.patch(url, {"role": "viewer"}).status == 200
        assert lasting.patch(url, {"role": "agent"}).status == 200
        assert ending.delete(url).status == 204
