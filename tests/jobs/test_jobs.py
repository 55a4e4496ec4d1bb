"""Jobs by themselves: reading one, stages and slices, and what the sweeper makes of a long one."""

from types import SimpleNamespace

import pytest

import app
from chalicelib.core import ids
from chalicelib.core.items import Item
from chalicelib.core.table import tenant_rows, transact
from chalicelib.events import dispatcher
from chalicelib.events.dispatcher import MAX_SECONDS
from chalicelib.jobs import service
from chalicelib.jobs.models import JobNotFoundError, Step
from tests.support.answers import without_request_id
from tests.support.chats import new_chat, new_site
from tests.support.clocks import later
from tests.support.queues import deliver, drain, take
from tests.support.schedules import tick
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

ACTOR = {"type": "user", "id": "usr_x"}


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def counting(monkeypatch):
    """A kind of job that counts in two stages, and how often each number was counted."""
    counted = []

    def up_to(last):
        def stage(job):
            here = int(job.cursor or 0) + 1
            counted.append(here)
            return Step(done=1, finished=here == last, cursor=str(here))

        return stage

    monkeypatch.setattr(service, "_stages", dict(service._stages))
    service.run_in_stages("test.count", up_to(3), up_to(60))
    return counted


def start(tenant_id):
    job, writes = service.starting(tenant_id, "test.count", {}, ACTOR)
    transact(writes)
    service.started(job)
    return job.id


class TestRetrieve:
    def test_anonymous_and_visitors_are_refused(self, counting):
        site = new_site()
        url = f"/v1/jobs/{start(site.id)}"
        assert anonymous().get(url).status == 401
        assert new_chat(site).client.get(url).code == "wrong_credential"

    def test_another_tenants_is_like_a_missing_one(self, tenant, counting):
        stranger = new_tenant().owner.client
        answers = [stranger.get(f"/v1/jobs/{each}") for each in (start(tenant.id), ids.new("job"), "é")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_viewers_can_and_keys_need_the_scope(self, tenant, counting):
        url = f"/v1/jobs/{start(tenant.id)}"
        assert new_member(tenant, "viewer").client.get(url).status == 200
        assert new_key(tenant, scopes=["contacts:write"]).get(url).code == "insufficient_scope"

    def test_it_is_gone_30_days_after_its_end(self, services, tenant, counting):
        url = f"/v1/jobs/{start(tenant.id)}"
        job_id = url.rpartition("/")[2]  # not by the API: forty days on, nobody is signed in
        with later(40 * 86_400_000):
            assert service.get_job(tenant.id, job_id).status == "pending"
        drain(services)
        with later(40 * 86_400_000), pytest.raises(JobNotFoundError):
            service.get_job(tenant.id, job_id)


class TestRunning:
    def test_stages_are_done_in_order_each_step_once(self, services, tenant, counting):
        job = start(tenant.id)
        drain(services)
        assert counting == [*range(1, 4), *range(1, 61)]
        shown = tenant.owner.client.get(f"/v1/jobs/{job}").json
        assert shown["progress"] == {"done": 63, "stage": 2, "stages": 2}
        assert shown["status"] == "completed"
        with later(60_000):
            types = [row["type"] for row in tenant.owner.client.get("/v1/events").json["data"]]
        assert types[:2] == ["job.completed", "job.created"]

    def test_a_function_whose_time_is_up_hands_over_to_the_next(self, services, tenant, counting, monkeypatch):
        job = start(tenant.id)
        times = iter(range(10_000))
        monkeypatch.setattr(dispatcher, "time", SimpleNamespace(monotonic=lambda: next(times) * 0.6 * MAX_SECONDS))
        assert deliver(app.dispatch_events, take(services, "events")) == []
        assert len(counting) == service.SLICE
        assert tenant.owner.client.get(f"/v1/jobs/{job}").json["status"] == "running"
        for _ in range(3):
            deliver(app.dispatch_events, take(services, "events"))
        assert tenant.owner.client.get(f"/v1/jobs/{job}").json["status"] == "completed"

    def test_a_failing_step_is_taken_again_by_the_sweeper_and_a_slow_job_is_not_parked(
        self, services, tenant, counting, monkeypatch
    ):
        failing = [True]

        def stage(_job):
            if failing[0]:
                raise ValueError("planted")
            return Step(finished=True)

        service.run_in_stages("test.count", stage)
        job = start(tenant.id)
        assert len(deliver(app.dispatch_events, take(services, "events"))) == 1
        failing[0] = False
        with later(200_000):
            tick(app.sweep_pending)
            drain(services)
        assert tenant.owner.client.get(f"/v1/jobs/{job}").json["status"] == "completed"

    def test_each_slice_begins_the_sweepers_patience_anew(self, services, tenant, counting, monkeypatch):
        """It parks what it has sent again five times in vain; a job that moves on is not in vain."""
        job = start(tenant.id)
        rows, seen = tenant_rows(tenant.id), list[Item]()

        def stage(_job):
            row = rows.get(job, "meta", consistent=True)
            assert row
            seen.append(row)
            return Step(finished=len(seen) == 60)

        service.run_in_stages("test.count", stage)
        transact([rows.updating(job, "meta", set_={"pr": 5})])
        with later(60_000):
            drain(services)
        assert [seen[number].get("pr") for number in (0, 24, 25, 59)] == [5, 5, None, None]
        assert seen[0]["p_sk"] < seen[25]["p_sk"]
