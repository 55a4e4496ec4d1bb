"""A job can touch its own tenant's rows only: its session's policy refuses the others, whatever the code says.

What IAM would say is evaluated for every call of every job of the whole suite: tests/support/permissions.py.
"""

import json
from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError

import app
from chalicelib.core import aws, fence
from chalicelib.core.table import tenant_rows, transact
from chalicelib.jobs import service
from chalicelib.jobs.models import Step
from tests.support.clocks import later
from tests.support.permissions import permits, refused
from tests.support.queues import deliver, drain, take
from tests.support.settings import changed
from tests.support.tenants import new_tenant

ROLE = "arn:aws:iam::123456789012:role/parley-test--jobs"
ACTOR = {"type": "user", "id": "usr_x"}
MINUTE = 60_000


@pytest.fixture
def sessions(services, monkeypatch):
    """What STS is asked for, by functions that are deployed."""
    monkeypatch.setattr(fence, "_clients", {})
    with changed(JOBS_ROLE=ROLE):
        yield services.sessions


@pytest.fixture
def stray(monkeypatch):
    """A kind of job that by mistake writes into the tenant that its arguments name."""

    def write(job):
        return Step(writes=[tenant_rows(job.args["into"]).putting("stray", "-", {"by": job.id})], finished=True)

    monkeypatch.setattr(service, "_stages", dict(service._stages))
    service.run_in_stages("test.stray", write)


def refuse_sessions(service, operation, params, proceed):
    """What AWS says where the role trusts nobody."""
    if service == "sts":
        raise ClientError({"Error": {"Code": "AccessDenied"}}, operation)
    return proceed()


def start(tenant, into):
    job, writes = service.starting(tenant.id, "test.stray", {"into": into.id}, ACTOR)
    transact(writes)
    service.started(job)
    return job.id


def written(tenant):
    return tenant_rows(tenant.id).get("stray", "-")


def test_a_job_that_writes_into_another_tenant_is_refused(services, stray):
    own, other = new_tenant(), new_tenant()
    drain(services)
    start(own, other)
    bodies = take(services, "events")
    assert deliver(app.dispatch_events, bodies) == bodies
    assert written(other) is None
    assert len(refused) == 1
    refused.clear()  # it was to be


def test_and_by_nothing_else(services, stray, monkeypatch):
    monkeypatch.setattr(fence, "within", lambda _tenant_id: nullcontext())
    own, other = new_tenant(), new_tenant()
    job = start(own, other)
    drain(services)
    assert written(other)["by"] == job


@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        (["tn_a#job_x"], True),
        (["tn_a#job_x", "tn_a#con_y"], True),
        (["tn_a#job_x", "tn_b#con_y"], False),
        (["tn_a~test#job_x"], True),
        (["tn_ab#job_x"], False),
        (["P#3"], False),
        (["tn_a"], False),
        ([], False),
    ],
)
def test_the_policy_allows_calls_that_name_keys_of_the_tenant_and_no_others(keys, allowed):
    assert permits(fence.policy("tn_a"), "PutItem", keys) == allowed


def test_a_job_on_test_data_reads_its_tenant_but_does_not_write_there():
    policy = fence.policy("tn_a~test")
    assert permits(policy, "PutItem", ["tn_a~test#job_x"])
    assert permits(policy, "BatchGetItem", ["tn_a~test#job_x", "tn_a#member"])
    assert not permits(policy, "PutItem", ["tn_a#member"])
    assert not permits(policy, "GetItem", ["tn_b#member"])


def test_the_tables_key_may_be_used_through_dynamodb_and_in_no_other_way():
    for policy in (fence.policy("tn_a"), fence.policy("tn_a~test")):
        (key,) = [each for each in policy["Statement"] if any(action.startswith("kms:") for action in each["Action"])]
        assert key["Condition"] == {"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}}
        assert "kms:Decrypt" in key["Action"]


class TestSession:
    def test_it_is_asked_for_once_an_hour_and_tenant(self, services, stray, sessions):
        own, other = new_tenant(), new_tenant()
        for wait, tenant in ((0, own), (1, own), (2, other), (3, own), (54, own), (56, own), (57, other)):
            with later(wait * MINUTE):
                start(tenant, tenant)
                drain(services)
        assert [asked["RoleSessionName"] for asked in sessions] == [own.id, other.id, own.id, other.id]
        assert {asked["RoleArn"] for asked in sessions} == {ROLE}
        assert json.loads(sessions[0]["Policy"]) == fence.policy(own.id)
        assert len(sessions[0]["Policy"]) <= 2048, "AWS's limit"

    def test_the_name_of_a_tenants_test_data_is_one_that_aws_takes(self, sessions):
        with fence.within("tn_a~test"):
            assert fence.tenant() == "tn_a~test"
        assert [asked["RoleSessionName"] for asked in sessions] == ["tn_a.test"]

    def test_dynamodb_is_called_with_it_and_with_our_own_again_afterwards(self, services, sessions):
        signed = []

        def pass_on(service, operation, params, proceed):
            return proceed() if service == "dynamodb" else services(service, operation, params, proceed)

        def note(request, **_more):
            signed.append("Credential=ASIA1/" in request.headers["Authorization"].decode())

        aws.interceptors[:] = [pass_on]
        tenant = "tn_01J00000000000000000000000"
        with fence.within(tenant):
            aws.table_client.get().meta.events.register("before-send.dynamodb", note)
            tenant_rows(tenant).get("job_x", "-")
        assert signed == [True]
        tenant_rows(tenant).get("job_x", "-")
        assert signed == [True]

    def test_without_one_the_job_waits(self, services, stray, sessions):
        own = new_tenant()
        drain(services)
        start(own, own)
        bodies = take(services, "events")
        aws.interceptors.append(refuse_sessions)
        assert deliver(app.dispatch_events, bodies) == bodies
        aws.interceptors.remove(refuse_sessions)
        assert fence.tenant() == ""
        assert deliver(app.dispatch_events, bodies) == []
        assert written(own)

    def test_the_steps_that_a_request_takes_have_one_too_and_without_one_a_queue_takes_them(self, services, sessions):
        owner = new_tenant().owner
        tag = owner.client.post("/v1/tags", {"name": "spam"}).json
        aws.interceptors.append(refuse_sessions)
        waiting = owner.client.patch(f"/v1/tags/{tag['id']}", {"name": "junk"})
        assert (waiting.status, sessions, waiting.json["job_id"] is None) == (200, [], False)
        aws.interceptors.remove(refuse_sessions)
        drain(services)
        assert owner.client.get(f"/v1/tags/{tag['id']}").json["job_id"] is None
        (asked,) = sessions
        fence._clients.clear()
        assert owner.client.patch(f"/v1/tags/{tag['id']}", {"name": "trash"}).json["job_id"] is None
        assert sessions == [asked, asked]

    def test_old_ones_are_let_go(self, sessions):
        for number in range(fence._KEPT + 5):
            with fence.within(f"tn_{number}"):
                pass
        assert len(fence._clients) == fence._KEPT
        with fence.within("tn_20"):
            pass
        assert len(sessions) == fence._KEPT + 5
