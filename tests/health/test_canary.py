"""The canary goes around the whole loop over HTTP, tells how it went in metrics, and leaves nothing that grows."""

import json

import pytest

import app as product
from chalicelib.core import aws, keyring
from chalicelib.core.table import GUARDS, tenant_rows
from chalicelib.health import canary, service
from chalicelib.tenants import canary as nest
from tests.support.permissions import running
from tests.support.queues import drain, take
from tests.support.schedules import tick
from tests.support.serving import serving
from tests.support.settings import changed
from tests.support.tables import everything_of
from tests.support.tenants import new_tenant


@pytest.fixture
def site(services):
    """The stack on a real port, as the canary's own public address."""
    service.forget()  # what another test was told a moment ago
    with serving(product.app, {}) as url, changed(API_URL=url, CANARY="on"):
        yield url


@pytest.fixture
def fly(services):
    """Let the canary fly once; events are dispatched while it waits."""

    def once() -> bool:
        with running("run_canary"):
            went_well = canary.run(pause=lambda _seconds: drain(services))
        drain(services)
        return went_well

    return once


def metrics_of(text):
    lines = [json.loads(line) for line in text if '"_aws"' in line]
    for line in lines:
        (about,) = line["_aws"]["CloudWatchMetrics"]
        assert (about["Namespace"], about["Dimensions"]) == ("Parley", [["Stage"]])
        assert line["Stage"] == "test"
    return {about["Name"]: line[about["Name"]] for line in lines for about in named(line)}


def named(line):
    return line["_aws"]["CloudWatchMetrics"][0]["Metrics"]


def test_nobody_lists_its_tenant_pays_for_it_or_can_take_its_slug(site, fly):
    with changed(BILLING="stripe", STRIPE_SECRET="stripe"):
        assert GUARDS.get(f"slug#{nest.slug()}", "-") is None, "made by another test, without billing"
        assert fly()
    tenant_id = nest.get_or_create(canary.DOMAIN).tenant_id
    assert [row["sk"] for row in everything_of(tenant_id) if row["pk"].endswith("#billing")] == []
    assert tenant_rows(tenant_id).query("member").items == []
    tenant = new_tenant()
    assert tenant.owner.client.patch(tenant.url, {"slug": nest.slug()}).status == 422


def test_it_says_something_and_reads_it_and_tells_so(site, fly, logged):
    assert fly()
    found = metrics_of(logged)
    assert found["CanaryFailed"] == 0
    assert found["CanaryMs"] > 0


def test_what_it_leaves_is_one_visitor_and_no_conversation(site, fly):
    for _ in range(3):
        assert fly()
    rows = everything_of(nest.get_or_create(canary.DOMAIN).tenant_id)
    live = [row for row in rows if row["sk"] == "meta" and "gone" not in row and "#job_" not in row["pk"]]
    kinds = [row["pk"].partition("#")[2][:4] for row in live]
    assert (kinds.count("vis_"), kinds.count("conv")) == (1, 0)
    forever = [row for row in rows if "exp" not in row and "#conv_" in row["pk"]]
    assert forever == []


def test_what_a_failed_run_left_the_next_one_removes(site, fly, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(canary, "_await_dispatch", lambda *_: (_ for _ in ()).throw(canary.StepFailedError("x", "y")))
        assert not fly()
    assert fly()
    rows = everything_of(nest.get_or_create(canary.DOMAIN).tenant_id)
    assert [row for row in rows if "#conv_" in row["pk"] and row["sk"] == "meta" and "gone" not in row] == []


@pytest.mark.parametrize(
    ("operation", "step"),
    [("transact_write_items", "send"), ("query", "widget"), ("get_secret_value", "prepare"), ("head_bucket", "ready")],
)
def test_it_names_the_step_that_failed(site, fly, logged, operation, step):
    assert fly()
    logged.clear()
    aws.interceptors.append(failing(operation))
    keyring._cached = None
    service.forget()
    assert not canary.run(pause=lambda _seconds: None)
    assert metrics_of(logged)["CanaryFailed"] == 1
    assert f'"step":"{step}"' in logged[-1]


def failing(operation):
    def intercept(_service, called, _params, proceed):
        if called == operation:
            raise ConnectionError
        return proceed()

    return intercept


def test_an_event_that_is_not_dispatched_in_time_is_a_failure(site, services, logged, monkeypatch):
    monkeypatch.setattr(canary, "DISPATCH_S", 0.0)
    assert not canary.run(pause=lambda _seconds: None)
    assert '"step":"dispatch"' in logged[-1]
    take(services, "events")


def test_an_address_where_nobody_answers_is_a_failure(services, logged):
    with changed(API_URL="http://127.0.0.1:9", CANARY="on"):
        assert not canary.run()
    assert metrics_of(logged)["CanaryFailed"] == 1


def test_it_stays_at_home_unless_it_is_switched_on(services, logged):
    tick(product.run_canary)
    assert services.calls == []
    assert metrics_of(logged) == {}
