"""How long closed conversations are kept: for as long as their tenant says, and no open one is ever deleted for it."""

import pytest

import app
from chalicelib.conversations import deletion, retention
from chalicelib.core.table import StaleError, tenant_rows
from chalicelib.tenants import retaining
from chalicelib.tenants.standing import resume_tenant, suspend_tenant
from tests.support.answers import rows
from tests.support.chats import Chat, new_chat, new_site, new_test_site, reply
from tests.support.clocks import later
from tests.support.files import uploaded
from tests.support.queues import drain
from tests.support.schedules import tick
from tests.support.tenants import Organisation, new_key, new_member, new_tenant

URL = "/v1/conversations"
DAY = 86_400_000


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def keep(tenant: Organisation, days: int | None, client=None) -> None:
    assert (client or tenant.owner.client).patch(tenant.url, {"retention_days": days}).status == 200


def closed(client, chat: Chat) -> str:
    found = chat.begin()
    assert client.post(f"{URL}/{found}/close").status == 200
    return found


def sweep_after(days: float) -> None:
    with later(int(days * DAY)):
        tick(app.sweep_files)


def is_there(client, found: str) -> bool:
    return bool(client.get(f"{URL}/{found}").status == 200)


class TestSetting:
    def test_all_is_kept_at_first_and_a_change_is_in_the_audit_log(self, tenant):
        owner = tenant.owner.client
        assert owner.get(tenant.url).json["retention_days"] is None
        keep(tenant, 30)
        assert owner.get(tenant.url).json["retention_days"] == 30
        entry = owner.get(f"{tenant.url}/audit-log").json["data"][0]
        assert (entry["changes"], entry["previous"]) == ({"retention_days": 30}, {"retention_days": None})

    @pytest.mark.parametrize("days", [0, 3651, -1, "soon", 1.5])
    def test_what_is_no_number_of_days_is_refused(self, tenant, days):
        answer = tenant.owner.client.patch(tenant.url, {"retention_days": days})
        assert (answer.status, answer.params) == (422, {"retention_days"})

    def test_an_agent_may_not_set_it(self, tenant):
        agent = new_member(tenant, "agent").client
        assert agent.patch(tenant.url, {"retention_days": 1}).code == "insufficient_role"


class TestDeleting:
    def test_only_what_has_been_closed_for_so_long_goes_and_the_event_tells_of_it(self, services, tenant, chat):
        owner = new_key(tenant)  # it works for longer than a token does
        gone, opened = closed(owner, chat), chat.begin()
        file = uploaded(owner)["id"]
        assert reply(owner, gone, attachments=[file], private=True).status == 201
        keep(tenant, 3)
        with later(2 * DAY):
            young = closed(owner, new_chat(tenant))
        sweep_after(2.5)
        assert is_there(owner, gone)
        sweep_after(4)
        assert [is_there(owner, each) for each in (gone, opened, young)] == [False, True, True]
        drain(services)
        assert owner.get(f"/v1/files/{file}").status == 404
        assert [row["sk"] for row in tenant_rows(tenant.id).query(gone, limit=100).items if row["sk"][:2] == "m#"] == []
        with later(4 * DAY + 120_000):
            told = [row for row in rows(owner, "/v1/events?limit=100") if row["type"] == "conversation.deleted"]
        assert [(each["data"]["id"], each["actor"]["type"]) for each in told] == [(gone, "system")]

    def test_what_was_silent_for_long_but_closed_lately_is_kept_and_not_in_the_way(self, tenant, chat, monkeypatch):
        monkeypatch.setattr(retention, "PAGE", 1)
        owner = new_key(tenant)
        silent = chat.begin()
        with later(60_000):
            behind = closed(owner, chat)
        with later(3 * DAY):
            assert owner.post(f"{URL}/{silent}/close").status == 200
        keep(tenant, 2)
        sweep_after(3)
        assert [is_there(owner, each) for each in (silent, behind)] == [True, False]

    def test_test_data_goes_alike_and_another_tenants_stays(self, tenant):
        key, test_chat = new_test_site(tenant)
        other = new_site()
        found, others = closed(key, test_chat), closed(other.owner.client, new_chat(other))
        keep(tenant, 1)
        sweep_after(1.1)
        assert not is_there(key, found)
        assert is_there(other.owner.client, others)

    def test_a_run_that_is_cut_short_goes_on_in_the_next(self, tenant, chat, monkeypatch):
        monkeypatch.setattr(retention, "PAGE", 1)
        monkeypatch.setattr(retention, "PAGES", 1)
        owner = tenant.owner.client
        found = [closed(owner, chat) for _ in range(3)]
        keep(tenant, 1)
        before = len(found)
        for hour in range(60):  # a page of one each hour, an empty list takes one too
            sweep_after(1.1 + hour / 24)
            left = sum(is_there(owner, each) for each in found)
            assert before - left <= 1
            before = left
        assert before == 0

    def test_it_looks_again_each_day(self, tenant, chat):
        keep(tenant, 1)
        sweep_after(1.1)
        found = closed(tenant.owner.client, chat)
        sweep_after(1.5)
        assert is_there(tenant.owner.client, found)
        sweep_after(2.2)
        assert not is_there(tenant.owner.client, found)


class TestChangingOnesMind:
    @pytest.mark.parametrize("days", [None, 30])
    def test_a_longer_time_holds_at_once(self, tenant, chat, days):
        found = closed(tenant.owner.client, chat)
        keep(tenant, 1)
        keep(tenant, days)
        sweep_after(5)
        assert is_there(tenant.owner.client, found)
        assert (tenant_rows(tenant.id).get("tenant", "due") is None) == (days is None)

    def test_a_shorter_one_a_day_after(self, tenant, chat):
        owner = new_key(tenant)
        found = closed(owner, chat)
        keep(tenant, 100)
        with later(5 * DAY):
            keep(tenant, 2, owner)
        sweep_after(5.5)
        assert is_there(owner, found)
        sweep_after(6.1)
        assert not is_there(owner, found)

    @pytest.mark.parametrize("meanwhile", ["reopened", "kept longer", "suspended"])
    def test_what_happens_between_reading_and_deleting_keeps_it(self, tenant, chat, monkeypatch, meanwhile):
        owner, stale, delete = new_key(tenant), [], deletion.delete_as_read
        found = closed(owner, chat)
        keep(tenant, 1)

        def late(before, actor, also):
            if before.tenant_id == tenant.id:
                if meanwhile == "reopened":
                    assert owner.post(f"{URL}/{found}/reopen").status == 200
                elif meanwhile == "kept longer":
                    keep(tenant, 2, owner)
                else:
                    suspend_tenant(tenant.id)
            try:
                delete(before, actor, also)
            except StaleError:
                stale.append(before.id)
                raise

        monkeypatch.setattr(retention, "delete_as_read", late)
        sweep_after(1.1)
        resume_tenant(tenant.id)
        assert found in stale
        assert is_there(owner, found)


def test_of_a_suspended_tenant_nothing_is_deleted_until_it_goes_on(tenant, chat):
    found = closed(tenant.owner.client, chat)
    keep(tenant, 1)
    suspend_tenant(tenant.id)
    sweep_after(1.1)
    resume_tenant(tenant.id)
    assert is_there(tenant.owner.client, found)
    sweep_after(2.2)
    assert not is_there(tenant.owner.client, found)


def test_an_entry_that_an_index_still_shows_does_no_harm():
    assert retaining.find_look(new_tenant().id) is None
