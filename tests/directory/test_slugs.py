"""A slug is one tenant's in all regions, also when the process dies, the home is down, or much happens at once."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.core import aws, log
from chalicelib.core.ids import new_ulid
from chalicelib.directory import service, store
from chalicelib.directory.models import SlugTakenError
from chalicelib.directory.store import UNSETTLED_S
from chalicelib.health import service as readiness
from chalicelib.tenants import slugs
from tests.support.chats import new_chat, new_site, unique
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.crashes import FAULTS, Scenario, enumerated
from tests.support.faults import injected
from tests.support.operator import parley
from tests.support.people import signed_in
from tests.support.queues import drain
from tests.support.regions import DIRECTORY, TABLE_ABROAD, abroad
from tests.support.settings import changed
from tests.support.tenants import new_tenant, new_user

TENANTS = "/v1/tenants"


def new_slug() -> str:
    return f"s{new_ulid().lower()}"


def elsewhere():
    return abroad(TABLE=TABLE_ABROAD)


def settled(tenant, pos):
    return {"region": "eu1", "tenant": tenant, "pos": pos}


class TestClaiming:
    def test_a_tenants_slug_stands_with_its_region(self, directory, services):
        slug = new_slug()
        tenant = new_tenant(slug=slug)
        assert directory()[f"slug#{slug}"].keys() == {"region", "tenant", "pos", "exp"}
        drain(services)
        assert directory()[f"slug#{slug}"] == settled(tenant.id, 1)

    def test_it_is_taken_in_every_region(self, directory, services):
        slug = new_slug()
        new_tenant(slug=slug)
        with elsewhere():
            user = new_user()
            for _ in range(2):
                answer = user.client.post(TENANTS, {"name": "Acme", "slug": slug})
                assert (answer.status, answer.code, answer.params) == (409, "slug_taken", set())
                drain(services)
            other = new_tenant(user, slug=new_slug())
            answer = other.owner.client.patch(other.url, {"slug": slug})
            assert (answer.status, answer.code) == (409, "slug_taken")

    def test_one_made_from_a_name_gives_way(self, directory):
        name = new_slug()
        new_tenant(name=name)
        with elsewhere():
            assert new_tenant(name=name).created["slug"].startswith(f"{name}-")

    def test_a_new_tenant_costs_one_call_more_and_other_requests_none(self, directory, services):
        user = new_user()
        services.reset()
        tenant = new_tenant(user)
        assert services.calls.count(("dynamodb", "put_item")) == 1
        drain(services)
        services.reset()
        tenant.owner.client.patch(tenant.url, {"name": "Other"})
        drain(services)
        assert ("dynamodb", "put_item") not in services.calls

    def test_of_many_at_once_one_gets_it(self, directory, services):
        slug = new_slug()
        users = [new_user() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda user: user.client.post(TENANTS, {"name": "A", "slug": slug}), users))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 7
        drain(services)
        (winner,) = (answer.json["id"] for answer in answers if answer.status == 201)
        assert directory()[f"slug#{slug}"] == settled(winner, 1)
        with elsewhere(), pytest.raises(SlugTakenError):
            service.claim_slug(slug, "tn_other", 0)


class TestChanging:
    def test_the_new_one_is_claimed_and_the_old_one_is_free_everywhere(self, directory, services):
        old, new = new_slug(), new_slug()
        tenant = new_tenant(slug=old)
        drain(services)
        assert tenant.owner.client.patch(tenant.url, {"slug": new}).status == 200
        drain(services)
        rows = directory()
        assert f"slug#{old}" not in rows
        assert rows[f"slug#{new}"].keys() == {"region", "tenant", "pos"}
        with elsewhere():
            assert new_tenant(slug=old).created["slug"] == old

    def test_there_and_back_again_keeps_it_whatever_comes_late(self, directory, services):
        first, second = new_slug(), new_slug()
        tenant = new_tenant(slug=first)
        drain(services)
        tenant.owner.client.patch(tenant.url, {"slug": second})
        drain(services)
        pos = directory()[f"slug#{second}"]["pos"]
        tenant.owner.client.patch(tenant.url, {"slug": first})
        service.release_slug(first, tenant.id, pos)  # a delivery of the first change that was held up
        drain(services)
        service.release_slug(first, tenant.id, pos)
        service.settle_slug(first, tenant.id, 1)  # and one of the creation
        service.release_slug(first, tenant.id, pos)
        rows = directory()
        assert rows[f"slug#{first}"].keys() == {"region", "tenant", "pos"}
        assert rows[f"slug#{first}"]["pos"] > pos
        assert f"slug#{second}" not in rows

    def test_the_same_change_twice_at_once_is_one_change(self, directory, services):
        tenant, slug = new_tenant(), new_slug()
        drain(services)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: tenant.owner.client.patch(tenant.url, {"slug": slug}), range(4)))
        assert [answer.status for answer in answers] == [200] * 4
        drain(services)
        assert directory()[f"slug#{slug}"].keys() == {"region", "tenant", "pos"}


class TestFaults:
    @pytest.fixture(autouse=True)
    def _no_pauses(self, monkeypatch):
        monkeypatch.setattr("chalicelib.core.dynamodb.pause", lambda _attempt: None)

    def test_a_tenant_is_made_once_whatever_fails_at_any_call(self, directory, services):
        def scenario():
            tenant, key, slug = new_tenant(), unique(), new_slug()
            drain(services)
            body = {"name": "Acme", "slug": slug}

            def act():
                return tenant.owner.client.post(TENANTS, body, Idempotency_Key=key)

            def check():
                (made,) = (row for row in tenant.owner.client.get(TENANTS).json["data"] if row["id"] != tenant.id)
                assert made["slug"] == slug
                assert directory()[f"slug#{slug}"] == settled(made["id"], 1)

            return Scenario(tenant.id, act, check, remember=directory, recall=directory.put_back)

        assert enumerated(scenario, services, *FAULTS) >= 40

    def test_a_slug_is_changed_once_whatever_fails_at_any_call(self, directory, services):
        def scenario():
            old, new = new_slug(), new_slug()
            tenant = new_tenant(slug=old)
            drain(services)

            def act():
                return tenant.owner.client.patch(tenant.url, {"slug": new})

            def check():
                assert tenant.owner.client.get(tenant.url).json["slug"] == new
                rows = directory()
                assert f"slug#{old}" not in rows
                assert rows[f"slug#{new}"].keys() == {"region", "tenant", "pos"}

            return Scenario(tenant.id, act, check, remember=directory, recall=directory.put_back)

        assert enumerated(scenario, services, *FAULTS) >= 40

    def test_a_claim_that_nobody_followed_up_is_free_after_a_day(self, directory):
        slug = new_slug()
        service.claim_slug(slug, "tn_dead", 0)
        with elsewhere():
            with pytest.raises(SlugTakenError):
                service.claim_slug(slug, "tn_other", 0)
            with later((UNSETTLED_S + 1) * 1000):
                service.claim_slug(slug, "tn_other", 0)

    def test_a_claim_that_lost_to_another_region_is_told_to_the_operator(self, directory, monkeypatch):
        slug, told = new_slug(), []
        monkeypatch.setattr(log, "error", lambda message, **fields: told.append((message, fields)))
        with elsewhere():
            service.claim_slug(slug, "tn_other", 0)
        service.settle_slug(slug, "tn_late", 1)
        assert told == [("slug_in_two_regions", {"slug": slug, "tenant": "tn_late"})]
        assert store.find_region(slug) == "us1"


class TestWithoutTheHome:
    @pytest.fixture
    def down(self):
        def refuse(service_, operation, params, proceed):
            if params.get("TableName") == DIRECTORY:
                raise EndpointConnectionError(endpoint_url="http://home.test")
            return proceed()

        return refuse

    def test_only_new_slugs_wait(self, directory, services, client, down):
        site, chat_site = new_tenant(), new_site()
        drain(services)
        with injected(down):
            answer = site.owner.client.post(TENANTS, {"name": "Acme"})
            assert (answer.status, answer.code) == (503, "unavailable")
            assert site.owner.client.patch(site.url, {"slug": new_slug()}).status == 503
            assert site.owner.client.patch(site.url, {"name": "Still"}).status == 200
            assert signed_in(client, services).client.get("/v1/auth/me").status == 200
            assert new_chat(chat_site).visitor_id
            drain(services)
        assert site.owner.client.post(TENANTS, {"name": "Acme"}).status == 201

    def test_each_question_without_an_answer_is_counted_for_the_alarm(self, directory, client, down, logged):
        tenant, slug = new_tenant(), new_slug()
        new_tenant(slug=slug)
        with injected(down):
            assert tenant.owner.client.patch(tenant.url, {"slug": new_slug()}).status == 503
            readiness.forget()
            assert client.get("/health/ready").json["checks"]["directory"]["status"] == "failed"
        assert tenant.owner.client.patch(tenant.url, {"slug": slug}).status == 409  # an answer, if not the wished one
        told = [json.loads(line) for line in logged if '"directory_failed"' in line]
        assert [line["DirectoryFailed"] for line in told] == [1, 1]

    def test_a_tenant_made_a_moment_before_is_settled_when_it_is_back(self, directory, services, down):
        tenant = new_tenant(slug=(slug := new_slug()))
        with injected(down), pytest.raises(AssertionError, match="a record failed"):
            drain(services)
        assert "exp" in directory()[f"slug#{slug}"]
        with later(200_000):
            import app
            from tests.support.schedules import tick

            tick(app.sweep_pending)
            drain(services)
        assert directory()[f"slug#{slug}"] == settled(tenant.id, 1)


class TestTenantsOlderThanTheDirectory:
    def test_their_slugs_are_put_in(self, directory, services):
        with changed(DIRECTORY_TABLE=""):
            tenants = [new_tenant(slug=new_slug()) for _ in range(3)]
            drain(services)
        taken = tenants[2].created["slug"]
        with elsewhere():
            other = new_tenant(slug=taken)
            drain(services)
        for _ in range(2):
            done = parley("slugs", "settle", "--json", code=1)
            assert taken in done.json["lost"]
            assert "Another region's" in done.err
        rows = directory()
        for tenant in tenants[:2]:
            assert rows[f"slug#{tenant.created['slug']}"].keys() == {"region", "tenant", "pos"}
        assert rows[f"slug#{taken}"]["tenant"] == other.id

    def test_they_can_give_them_up_afterwards(self, directory, services):
        with changed(DIRECTORY_TABLE=""):
            tenant = new_tenant(slug=(old := new_slug()))
            drain(services)
        parley("slugs", "settle", code=None)
        tenant.owner.client.patch(tenant.url, {"slug": new_slug()})
        drain(services)
        assert f"slug#{old}" not in directory()

    def test_one_that_changes_meanwhile_keeps_only_the_new_one(self, directory, services):
        with changed(DIRECTORY_TABLE=""):
            tenant = new_tenant(slug=(old := new_slug()))
            drain(services)
        new, renamed = new_slug(), list[Answer | None]()

        def rename(service_, operation, params, proceed):
            if operation == "put_item" and params["TableName"] == DIRECTORY and not renamed:
                renamed.append(None)  # first: the change makes such a call, too
                renamed[0] = tenant.owner.client.patch(tenant.url, {"slug": new})
                drain(services)
            return proceed()

        with injected(rename):
            slugs.settle_now(tenant.id)
        assert [answer and answer.status for answer in renamed] == [200]
        rows = directory()
        assert f"slug#{old}" not in rows
        assert rows[f"slug#{new}"].keys() == {"region", "tenant", "pos"}

    def test_without_a_directory_it_says_so(self):
        assert "PARLEY_DIRECTORY_TABLE" in parley("slugs", "settle", code=2).err


def test_the_rows_are_as_documented(directory, services):
    new_tenant()
    text = (Path(__file__).resolve().parents[2] / "docs" / "data-model.md").read_text().split("\n## Directory\n")[1]
    (row,) = re.findall(r"^\| `slug#<slug>` \| .* \| (.*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == {name for found in directory().values() for name in found}


def test_the_home_is_asked_where_it_is(directory, monkeypatch):
    seen, made, client = [], [], aws._client

    def keep(service_, operation, params, proceed):
        seen.append((operation, params["TableName"]))
        return {}

    def making(*asked):
        made.append(client(*asked))
        return made[-1]

    monkeypatch.setattr(aws, "_client", making)
    with changed(DIRECTORY_AWS_REGION="eu-central-1", DIRECTORY_ENDPOINT="http://127.0.0.1:9"), injected(keep):
        service.claim_slug("s", "tn_x", 0)
    assert seen == [("put_item", DIRECTORY)]
    assert [(home.meta.region_name, home.meta.endpoint_url) for home in made] == [
        ("eu-central-1", "http://127.0.0.1:9")
    ]


def test_without_a_directory_nothing_is_asked(services):
    services.reset()
    service.claim_slug("s", "tn_x", 0)
    service.settle_slug("s", "tn_x", 1)
    service.release_slug("s", "tn_x", 2)
    assert services.calls == []
