"""infra/permissions.py against the calls of a broad scenario: all that is needed is allowed, and nothing besides.

That every call of the whole suite is allowed to the function that makes it is asserted where it is made:
tests/support/permissions.py.
"""

import ast
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

import app as product
from chalicelib.billing import stripe_secret
from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.health import canary
from chalicelib.health import service as health
from chalicelib.mail import sns_gateway
from chalicelib.tenants.erasing import start_erasing
from chalicelib.tenants.standing import OPERATOR
from infra import permissions
from infra.dependencies import ROOT
from tests.docs.test_data_model import DAY_MS
from tests.docs.test_data_model import seen as scenario  # noqa: F401 - a fixture: everybody does everything once
from tests.support import dynamodb, sns
from tests.support import permissions as recorded
from tests.support.chats import HOST, reply
from tests.support.clocks import later
from tests.support.files import FILES, png, posted
from tests.support.mails import Post, identified
from tests.support.people import new_email, registered
from tests.support.permissions import granted, running
from tests.support.queues import deliver, drain, take
from tests.support.regions import DIRECTORY, make_tables, two_regions
from tests.support.schedules import tick
from tests.support.serving import serving
from tests.support.settings import changed
from tests.support.stripe import Till
from tests.support.tags import TAGS, new_tag
from tests.support.tenants import new_tenant

pytestmark = pytest.mark.xdist_group("data-model")  # the scenario runs there anyway

TAKING = {("sqs", action) for action in permissions.consume("x").actions}  # Lambda does it for the function


@pytest.fixture
def calls(scenario, client, services, monkeypatch):  # noqa: F811 - asked for its effect
    """What each function has called, after the scenario and what it lacks."""
    aws.interceptors[:] = [services]  # what the scenario watches with is not for what follows
    with changed(BILLING="stripe", STRIPE_SECRET="parley-test-stripe"):
        assert client.get("/health/ready").status == 200
    monkeypatch.setattr(sns_gateway, "_download", lambda _url: sns.signer().pem)
    with changed(MAIL_FEEDBACK_TOPIC=sns.TOPIC, MAIL_CONFIGURATION_SET="parley-test"):
        registered(client, services, address := new_email())
        assert deliver(product.take_mail_feedback, [sns.envelope(sns.bounce(address))]) == []
    tenant, post = new_tenant(domain=HOST), Post(services)
    chat, _ = identified(tenant)
    talk = chat.begin()
    for content in ("One.", "And what is said later is told later."):
        reply(tenant.owner.client, talk, content)
        post.remind(*post.reminders())
    owner = tenant.owner.client
    assert owner.post(f"{FILES}/{posted(services, owner, png(), 'a.png', 'image/png')}/complete").status == 200
    for filters in ({"status": "open"}, {"status": "open", "assigned_to": "unassigned"}, {"assigned_to": "me"}):
        owner.post("/v1/conversations/bulk", {"filter": filters, "set": {"priority": "low"}})
    with changed(JOBS_ROLE="arn:aws:iam::123456789012:role/parley-test--jobs"):
        other = new_tenant().owner.client
        other.patch(f"{TAGS}/{new_tag(other)['id']}", {"name": "renamed"})
        drain(services)
    slugs_in_a_directory(services)
    an_export_that_nobody_knows_to_be_complete(owner, services)
    till = Till(services)
    with till.open():
        till.subscribe(paying := new_tenant())
        stripe_secret._cached = None  # another function has read it so far
        start_erasing(paying.id, OPERATOR, paying.created["slug"])
        drain(services)
    with serving(product.app, {}) as url, changed(API_URL=url), running("run_canary"):
        assert canary.run(pause=lambda _seconds: drain(services))
    with two_regions(DIRECTORY_TABLE=DIRECTORY):
        health.forget()
        assert client.get("/health/ready").status == 200
    with later(91 * DAY_MS):
        tick(product.rotate_signing_keys)
    return recorded.seen


def slugs_in_a_directory(services):
    """A slug is claimed, then found to be another region's, and given up."""
    make_tables()
    with two_regions(DIRECTORY_TABLE=DIRECTORY):
        tenant = new_tenant()
        key = f"slug#{tenant.created['slug']}"
        item = {"pk": {"S": key}, "region": {"S": "us1"}, "tenant": {"S": "tn_other"}, "pos": {"N": "1"}}
        dynamodb.call("put_item", {"TableName": DIRECTORY, "Item": item})
        drain(services)
        tenant.owner.client.patch(tenant.url, {"slug": f"{tenant.created['slug']}-2"})
        drain(services)


def an_export_that_nobody_knows_to_be_complete(owner, services):
    """The process dies after S3 has made the object: the next one finds it."""

    def dying(_service, operation, _params, proceed):
        answer = proceed()
        if operation == "complete_multipart_upload":
            raise ConnectionError
        return answer

    assert owner.post("/v1/contacts", {"name": "Kim"}).status == 201
    assert owner.post("/v1/contacts/export").status == 202
    bodies = take(services, settings().events_queue_url)
    aws.interceptors.append(dying)
    undone = deliver(product.dispatch_events, bodies)
    aws.interceptors.remove(dying)
    assert undone
    assert deliver(product.dispatch_events, undone) == []
    drain(services)


def test_nothing_is_allowed_that_nothing_needs(calls):
    unused = [
        f"{function}: {service}:{action} on {resource}"
        for function in [*permissions.FUNCTIONS, "jobs"]
        for service, action, resource in granted(function)
        if (service, action) not in TAKING
        and not any(each[:3] == (function, service, action) and fnmatchcase(each[3], resource) for each in calls)
    ]
    assert unused == []


def test_every_operation_that_the_code_names_was_recorded(calls):
    assert len(named := set(operations_named())) >= 8
    assert named - {operation for _, operation in recorded.operations} == set()


def operations_named() -> Iterator[str]:
    """The operations of AWS that stand in the code, as the last word of a call of `aws.call` and those around it."""
    for file in (ROOT / "chalicelib").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"call", "_call"}:
                words = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
                yield from (str(word) for word in words[-1:] if word not in {"dynamodb", "s3"})  # a service, alone


def test_a_call_that_the_table_lacks_is_refused_where_it_is_made(services):
    with running("rotate_signing_keys"), pytest.raises(AssertionError, match="doesn't let rotate_signing_keys do"):
        aws.call("sqs", "send_message", {"QueueUrl": "events", "MessageBody": "x"})
    assert len(recorded.refused) == 1
    recorded.refused.clear()  # else it would fail this test, too, as one that somebody catches does


def test_only_resources_whose_id_is_made_with_the_stack_are_named_by_a_wildcard():
    """And never a whole service: `*` stands behind a name, or for the API's id. AWS knows no resource for ASK_MAIL."""
    for grants in permissions.FUNCTIONS.values():
        for resource in (each for grant in grants for each in grant.resources if grant != permissions.ASK_MAIL):
            assert resource.strip("*:/ ")
            if "*" in resource.removesuffix("/*"):
                assert resource == permissions.FLUSH_AUTHORIZER.resources[0]


@pytest.mark.packaging
def test_each_function_takes_from_the_queue_it_is_mapped_to_and_from_no_other(functions):
    for function in functions.values():
        name = {"app.app": "api_handler"}.get(function["Handler"], function["Handler"].removeprefix("app."))
        mapped = {
            event["Properties"]["Queue"]["Fn::Sub"].rpartition(":")[2]
            for event in function.get("Events", {}).values()
            if event["Type"] == "SQS"
        }
        taking = {
            resource.rpartition(":")[2]
            for grant in permissions.FUNCTIONS[name]
            if "ReceiveMessage" in grant.actions
            for resource in grant.resources
        }
        assert taking == mapped, name


@pytest.mark.packaging
def test_the_template_has_exactly_these_policies(template):
    roles = {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    for function in permissions.FUNCTIONS:
        role = roles[permissions.role_of(function)]
        (policy,) = role["Policies"]
        assert policy["PolicyDocument"] == json.loads(json.dumps(permissions.policy(function)))
    assert roles.pop("JobsRole") == json.loads(json.dumps(permissions.jobs_role()["Properties"]))
    assert len(roles) == len(permissions.FUNCTIONS)


@pytest.mark.packaging
def test_the_functions_that_take_steps_of_jobs_and_no_others_may_fence_them(template):
    resources = template["Resources"]
    roles = {name for name, grants in permissions.FUNCTIONS.items() if permissions.FENCE_JOBS in grants}
    named = {
        name: variables["PARLEY_JOBS_ROLE"]
        for name, each in resources.items()
        if "PARLEY_JOBS_ROLE" in (variables := each["Properties"].get("Environment", {}).get("Variables", {}))
    }
    assert roles == {"api_handler", "dispatch_events"}
    assert named == {key: {"Fn::GetAtt": ["JobsRole", "Arn"]} for key in ("APIHandler", "DispatchEvents")}
    (trusted,) = resources["JobsRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    trusted_roles = {role["Fn::GetAtt"][0] for role in trusted["Principal"]["AWS"]}
    assert trusted_roles == {"ApiHandlerRole", "DispatchEventsRole"} <= resources.keys()
    (resource,) = next(
        statement["Resource"]
        for statement in permissions.policy("dispatch_events")["Statement"]
        if statement["Action"] == ["sts:AssumeRole"]
    )
    name = permissions.jobs_role()["Properties"]["RoleName"]["Fn::Sub"]
    assert resource["Fn::Sub"] == "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/" + name
