"""`make deploy` into ministack's CloudFormation: all stacks, a conversation through them, updates, going back.

What ministack cannot do, and which test covers it otherwise, is in docs/deploying.md.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.billing.plans import TRIAL_PLAN
from infra import archive, clients, deploy, smoke
from infra.dependencies import LAMBDA, ROOT
from infra.lambda_like import runnable_copy
from infra.package import CODE, WEB, Package, address, targets
from infra.stacks import Stack
from infra.template import dump, load
from local.engines import CREDENTIAL
from local.ministack import start_ministack, wait_for_ministack
from local.stripe_double import checkout
from local.stripe_double.double import StripeDouble
from local.stripe_double.hooks import listen
from local.stripe_double.sending import post
from tests.support.over_http import StripeOverHttp
from tests.support.receivers import Receiver

pytestmark = [pytest.mark.packaging, pytest.mark.stack, pytest.mark.xdist_group("packaging")]

Json = dict[str, Any]
EMAIL, PASSWORD = "ana@example.com", "correct horse battery"
SITE = {"Origin": "https://www.example.com"}
SECONDS = 60
TABLE = "parley-prod-main"
API_ID = "parley"


@dataclass
class Cloud:
    """An emulated account, and the folder that `make package` has filled for it."""

    endpoint: str
    dist: Path
    stripe: StripeDouble

    @property
    def api_url(self) -> str:
        """The API's public address: the emulator takes the API's id from us, so that it is known before the deploy."""
        return f"{self.endpoint}/_aws/execute-api/{API_ID}/api"

    @property
    def folder(self) -> Path:
        return self.dist / "eu1-prod"

    def run(self, command: str, *options: str, answers: tuple[str, ...] = ()) -> int:
        """Run the operator's command, with what they type."""
        typed = iter(answers)
        more = ["--dist", str(self.dist), "--smoke-url", self.api_url, "--emulated", *options]
        return deploy.main([command, "--region", "eu1", *more], lambda _question: next(typed))

    def client(self, service: str) -> Any:
        return clients.client(service, "eu-central-1")

    def statuses(self) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        return {stack["StackName"]: stack["StackStatus"] for page in pages for stack in page["Stacks"]}

    def functions(self) -> list[str]:
        pages = self.client("lambda").get_paginator("list_functions").paginate()
        return [each["FunctionName"] for page in pages for each in page["Functions"]]

    def function(self, logical_id: str) -> str:
        (name,) = [each for each in self.functions() if f"-{logical_id}-" in each]
        return name

    def arn(self, function: str) -> str:
        found: str = self.client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
        return found

    def settings(self, function: str) -> dict[str, str]:
        found = self.client("lambda").get_function_configuration(FunctionName=function)
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    @cached_property
    def outputs(self) -> dict[str, str]:
        return Stack("parley-prod-app", "eu-central-1").outputs()

    def call(self, method: str, path: str, body: object = None, token: str = "", **headers: str) -> Json:
        url = f"{self.api_url}{path}"
        sent = {"Content-Type": "application/json", **headers}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: Json = json.loads(answer.read() or "{}")
                return found
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{method} {path}: {exc.code} {exc.read().decode()}") from exc

    def is_ready(self) -> bool:
        try:
            return bool(self.call("GET", "/health/ready")["status"] == "ok")
        except AssertionError:
            return False

    def rows_kept(self) -> int:
        """Count the table's rows without the canary's, which deletes what it made, in jobs that may still run."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        found = [row for page in pages for row in page["Items"]]
        canary = {row["tenant"]["S"] for row in found if row["pk"]["S"].endswith("slug#-canary-eu1")}
        return sum(not row["pk"]["S"].startswith(tuple(canary)) for row in found)

    def log_in(self) -> str:
        """Return the access token of the one who has registered."""
        token: str = self.call("POST", "/v1/auth/login", {"email": EMAIL, "password": PASSWORD})["access_token"]
        return token

    def mailed_token(self, address: str) -> str:
        with urllib.request.urlopen(f"{self.endpoint}/_ministack/ses/messages", timeout=10) as answer:
            accounts = json.loads(answer.read())["messages"].values()
        mails = [json.dumps(mail) for account in accounts for mail in account]
        found = [re.search(r"token=([A-Za-z0-9_-]+)", mail) for mail in mails if address in mail]
        return next((match[1] for match in found if match), "")


def awaited(look: Callable[[], Any]) -> Any:
    """Look until there is something. Queues, functions and mails take their time."""
    until = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def cloud(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A fresh account with a packaged stage of which the native parts run on this machine."""
    work = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIAL)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
        engine = start_ministack(work / "state")
        for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")]:
            patch.delenv(name)  # other tests of this process have an engine of their own
        patch.setenv("AWS_ENDPOINT_URL", engine.endpoint)
        clients.client.cache_clear()
        folder, _elsewhere = (
            address(package, target, work / "dist") for target in targets(["eu1", "us1"], "prod", package)
        )
        task = runnable_copy(package.zip, work / "task")
        if (running := f"{sys.version_info.major}.{sys.version_info.minor}") != LAMBDA.python:
            archive.compile_bytecode(task, running)
        archive.write_zip(task, folder / CODE, level=0)  # each function unzips it, at each start
        stripe = StripeOverHttp()
        stripe.double = StripeDouble()
        # What a deployed stage has no setting for and this test needs: a receiver and a Stripe on this machine.
        template = load(folder / "app.yaml")
        del template["Resources"]["FirewallAssociation"]  # a type that ministack doesn't have
        plain = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60}
        for resource in template["Resources"].values():
            if "Metrics" in resource.get("Properties", {}):  # nor expressions in alarms
                resource["Properties"] |= {"Threshold": 1, **plain}
                del resource["Properties"]["Metrics"]
            if resource["Type"] == "AWS::Lambda::Function":
                here = {"PARLEY_ALLOW_LOOPBACK_WEBHOOKS": "1", "PARLEY_STRIPE_API_URL": stripe.url}
                resource["Properties"]["Environment"]["Variables"] |= here
        # And what a domain would do: an address of the API that is known before it is made.
        template["Resources"]["RestAPI"]["Properties"]["Tags"] = [{"Key": "ms-custom-id", "Value": API_ID}]
        del template["Parameters"]["ApiUrl"]["AllowedPattern"]  # which wants https
        (folder / "app.yaml").write_text(json.dumps(template))  # which is YAML, too, and read ten times as quickly
        kept = load(folder / "stateful.yaml")
        for name in [name for name in kept["Outputs"] if name.startswith("MailRecord")]:
            del kept["Outputs"][name]  # ministack's mail domains have no records to publish
        (folder / "stateful.yaml").write_text(dump(kept))
        # There are no pages yet, so these stand for what web/*/dist will have.
        for name in ("widget/widget.js", "inbox/index.html", "inbox/assets/index-B7x9kQ2a.js"):
            (folder / WEB / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / WEB / name).write_text(f"// {name}\n")
        parameters = folder / "app.parameters.json"
        found = Cloud(engine.endpoint, work / "dist", stripe.double)
        more = {"Billing": "stripe", "Web": "on", "AlarmEmail": "ops@example.com", "ApiUrl": found.api_url}
        parameters.write_text(json.dumps(json.loads(parameters.read_text()) | more))
        wait_for_ministack(engine)
        yield found
        engine.stop()
        stripe.close()
        clients.client.cache_clear()


@pytest.fixture(scope="module")
def deployed(cloud: Cloud) -> Cloud:
    assert cloud.run("deploy", "--yes") == 0
    return cloud


# These build upon each other, as an operator's days do.


def test_a_deploy_that_is_not_confirmed_changes_nothing(cloud: Cloud, capsys: Any) -> None:
    assert cloud.run("diff") == 0
    assert "AWS::DynamoDB::Table" in capsys.readouterr().out
    assert cloud.run("deploy", answers=("no",)) == 1
    assert "CREATE_COMPLETE" not in cloud.statuses().values()


def test_a_region_waits_for_the_home_of_what_all_share(cloud: Cloud, capsys: Any) -> None:
    elsewhere = deploy.read("us1", "prod", cloud.dist)
    assert deploy.deploy(elsewhere, lambda _question: "yes") == 1
    assert "parley-prod-directory is not there. Deploy its home, eu-central-1, first." in capsys.readouterr().out


def test_what_a_first_deploy_left_when_it_failed_is_deleted_by_the_next(cloud: Cloud, capsys: Any) -> None:
    file = cloud.folder / "stateful.yaml"
    before = file.read_text()
    changed = load(file)
    unusable = {"Type": "AWS::SQS::Queue", "DependsOn": "Table", "Properties": {"VisibilityTimeout": 999_999}}
    changed["Resources"]["Unusable"] = unusable
    changed["Resources"]["Table"]["Properties"]["DeletionProtectionEnabled"] = False  # else made last: see the template
    file.write_text(dump(changed))
    assert cloud.run("deploy", "--yes") == 1
    file.write_text(before)
    assert cloud.statuses() == {"parley-prod-directory": "CREATE_COMPLETE", "parley-prod-data": "ROLLBACK_COMPLETE"}
    assert cloud.client("dynamodb").list_tables()["TableNames"] == ["parley-prod-directory"]
    assert cloud.run("diff") == 0
    assert "its first deploy failed" in capsys.readouterr().out
    assert cloud.run("deploy", answers=("no",)) == 1
    assert cloud.statuses()["parley-prod-data"] == "ROLLBACK_COMPLETE"


def test_all_stacks_come_up_and_the_api_is_ready(deployed: Cloud) -> None:
    names = ("parley-prod-directory", "parley-prod-data", "parley-prod-app")
    assert deployed.statuses() == dict.fromkeys(names, "CREATE_COMPLETE")
    awaited(deployed.is_ready)


def test_the_pages_are_in_their_bucket_with_what_browsers_need_to_know(deployed: Cloud) -> None:
    bucket = Stack("parley-prod-data", "eu-central-1").outputs()["WebBucket"]
    found = deployed.client("s3").head_object(Bucket=bucket, Key="inbox/assets/index-B7x9kQ2a.js")
    assert (found["ContentType"], found["CacheControl"]) == (
        "text/javascript; charset=utf-8",
        "public, max-age=31536000, immutable",
    )
    found = deployed.client("s3").head_object(Bucket=bucket, Key="inbox/index.html")
    assert (found["ContentType"], found["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
    assert deployed.outputs["WebAddress"].startswith("https://")


def test_there_are_alarms_and_somebody_to_tell(deployed: Cloud) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms(AlarmNamePrefix="parley-prod-")["MetricAlarms"]
    assert len(alarms) > 40
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(deployed.outputs["AlarmTopicArn"],)}
    topic = deployed.client("sns").list_subscriptions_by_topic(TopicArn=deployed.outputs["AlarmTopicArn"])
    assert [each["Endpoint"] for each in topic["Subscriptions"]] == ["ops@example.com"]
    assert deployed.client("cloudwatch").get_dashboard(DashboardName="parley-prod-eu1")["DashboardBody"]


def test_every_schedule_may_call_its_function_and_has_an_alarm_that_looks_at_it(deployed: Cloud) -> None:
    """So that nobody has to wait for a day, nor a minute, here."""
    pages = deployed.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix="parley-prod-sched")
    watched = {alarm["Dimensions"][0]["Value"] for page in pages for alarm in page["MetricAlarms"]}
    rules = deployed.client("events").list_rules(NamePrefix="parley-prod-app-")["Rules"]
    called = {}
    for rule in rules:
        (target,) = deployed.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
        called[name := target["Arn"].rpartition(":")[2]] = rule
        policy = json.loads(deployed.client("lambda").get_policy(FunctionName=name)["Policy"])
        allowed = [each["Condition"]["ArnLike"]["AWS:SourceArn"] for each in policy["Statement"]]
        assert (rule["State"], allowed) == ("ENABLED", [rule["Arn"]]), name
    assert called.keys() - watched == {deployed.function("RunCanary")}  # which has alarms of its own
    assert watched < called.keys()


def test_a_new_stack_is_asked_at_the_address_it_has_before_any_domain(deployed: Cloud) -> None:
    direct = f"https://{deployed.outputs['RestAPIId']}.execute-api.eu-central-1.amazonaws.com/api"
    assert deploy.smoke_address(deployed.outputs, "https://api.example.com", is_new=True) == direct


def test_the_readmes_conversation_and_a_webhook_go_through_the_deployed_stacks(deployed: Cloud) -> None:
    deployed.call("POST", "/v1/auth/register", {"email": EMAIL, "password": PASSWORD})
    token = awaited(lambda: deployed.mailed_token(EMAIL))  # events queue, dispatcher, mail queue, SES
    deployed.call("POST", "/v1/auth/verify-email", {"token": token})
    user = deployed.log_in()
    tenant = deployed.call("POST", "/v1/tenants", {"name": "Example GmbH"}, user)
    key = deployed.call("POST", "/v1/api-keys", {"name": "My server"}, user)["secret"]
    deployed.call("POST", "/v1/domains", {"domain": "www.example.com"}, key)
    receiver = Receiver()
    deployed.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["message.created"]}, key)
    session = deployed.call(
        "POST", "/widget/v1/sessions", {"client_token": tenant["default_widget"]["client_token"]}, **SITE
    )
    begun = deployed.call("POST", "/widget/v1/conversations", {"message": {"content": "Hi!"}}, session["token"], **SITE)
    messages = f"conversations/{begun['conversation']['id']}/messages"
    deployed.call("POST", f"/v1/{messages}", {"content": "Ask away!"}, key)
    seen = deployed.call("GET", f"/widget/v1/{messages}?after_seq=1", None, session["token"], **SITE)
    assert [message["content"] for message in seen["data"]] == ["Ask away!"]
    got = awaited(lambda: len(receiver.got) >= 2 and [json.loads(body) for _, body in receiver.got])
    assert {event["data"]["content"] for event in got} == {"Hi!", "Ask away!"}
    receiver.close()


def test_a_job_has_a_session_of_its_role_and_comes_to_its_end(deployed: Cloud) -> None:
    assert deployed.settings(deployed.function("DispatchEvents"))["PARLEY_JOBS_ROLE"].endswith(
        ":role/parley-prod-eu-central-1-jobs"
    )
    user = deployed.log_in()
    job = deployed.call("POST", "/v1/contacts/export", {}, user)["id"]
    awaited(lambda: deployed.call("GET", f"/v1/jobs/{job}", None, user)["status"] == "completed")


def test_who_pays_at_stripe_has_the_plan_as_soon_as_its_hooks_have_come(deployed: Cloud) -> None:
    keys = {"api_key": "sk_test_parley", "webhook_secrets": ["whsec_deployed"]}
    deployed.client("secretsmanager").put_secret_value(SecretId="parley-prod-stripe", SecretString=json.dumps(keys))
    command = [sys.executable, "-m", "parley", "billing", "plans", "--region", "eu1"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    listen(deployed.stripe.account, f"{deployed.api_url}/hooks/stripe", "whsec_deployed")
    user = deployed.log_in()
    pages = {"success_url": "https://www.example.com/done", "cancel_url": "https://www.example.com/"}
    page = deployed.call("POST", "/v1/billing/checkout", {"plan": "starter", **pages}, user)["url"]
    deployed.stripe.act(lambda account: checkout.complete(account, page.rpartition("/")[2], number="4242424242424242"))

    def plan() -> str:
        return str(deployed.call("GET", "/v1/billing/subscription", None, user)["plan"])

    hooks = deployed.stripe.hooks.take()
    forged = replace(hooks[0], body=hooks[0].body + b" ")
    assert (post(forged), plan()) == (400, TRIAL_PLAN)
    assert {post(hook) for hook in hooks} == {200}
    awaited(lambda: plan() == "starter")  # billing queue, its function, Stripe


def run_canary(cloud: Cloud) -> Json:
    """Run the canary as its schedule does, and return the numbers that CloudWatch reads in what it logs of it."""
    name, logs = cloud.function("RunCanary"), cloud.client("logs")
    (rule,) = cloud.client("events").list_rule_names_by_target(TargetArn=cloud.arn(name))["RuleNames"]
    event = json.loads((ROOT / "tests" / "events" / "recorded" / "run_canary.json").read_text())
    event["resources"] = [cloud.client("events").describe_rule(Name=rule)["Arn"]]
    began = round(time.time() * 1000)
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    assert answer["Payload"].read() == b"null"
    assert "FunctionError" not in answer

    def told() -> list[Json]:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern='"CanaryMs"', startTime=began)
        return [json.loads(each["message"]) for each in found["events"]]

    line: Json = awaited(told)[-1]
    return line


def count(cloud: Cloud, line: Json) -> None:
    """Do CloudWatch's part, which the emulator leaves out: make metrics of a line in the embedded metric format."""
    (about,) = line["_aws"]["CloudWatchMetrics"]
    (names,) = about["Dimensions"]
    dimensions = [{"Name": name, "Value": line[name]} for name in names]
    numbers = [{"MetricName": m["Name"], "Value": line[m["Name"]], "Dimensions": dimensions} for m in about["Metrics"]]
    cloud.client("cloudwatch").put_metric_data(Namespace=about["Namespace"], MetricData=numbers)


def test_the_canary_of_the_deployed_stack_goes_around_and_its_alarm_hears_when_it_cannot(deployed: Cloud) -> None:
    cloudwatch = deployed.client("cloudwatch")

    def alarm() -> Json:
        (found,) = cloudwatch.describe_alarms(AlarmNames=["parley-prod-canary-failed"])["MetricAlarms"]
        return dict(found)

    def success() -> Json:
        return line if (line := run_canary(deployed))["CanaryFailed"] == 0 else {}

    awaited(deployed.is_ready)  # at first it may be slower than anybody waits for
    lines = [awaited(success) for _ in range(2)]  # the second time it finds what the first has left
    assert {line["message"] for line in lines} == {"canary"}
    count(deployed, lines[0])
    watched = alarm()
    (dimension,) = watched["Dimensions"]
    assert lines[0][dimension["Name"]] == dimension["Value"]  # the emulator takes any for the alarm's
    assert (watched["Namespace"], watched["MetricName"], watched["StateValue"]) == ("Parley", "CanaryFailed", "OK")

    api = {"FunctionName": deployed.outputs["APIHandlerName"]}
    deployed.client("lambda").put_function_concurrency(**api, ReservedConcurrentExecutions=0)
    line = run_canary(deployed)
    deployed.client("lambda").delete_function_concurrency(**api)
    assert (line["message"], line["step"], line["CanaryFailed"]) == ("canary_failed", "ready", 1), line
    count(deployed, line)
    assert alarm()["StateValue"] == "ALARM"


def test_nothing_new_is_no_change(deployed: Cloud, capsys: Any) -> None:
    assert deployed.run("diff") == 0
    assert capsys.readouterr().out.count("no changes") == 3


def test_an_index_that_is_added_keeps_the_data(deployed: Cloud) -> None:
    count = deployed.rows_kept()
    assert count > 0
    template = yaml.safe_load(dump(load(deployed.folder / "stateful.yaml")))
    table = template["Resources"]["Table"]["Properties"]
    table["AttributeDefinitions"].append({"AttributeName": "x_pk", "AttributeType": "S"})
    keys = [{"AttributeName": "x_pk", "KeyType": "HASH"}]
    table["GlobalSecondaryIndexes"].append(
        {"IndexName": "extra", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    )
    (deployed.folder / "stateful.yaml").write_text(dump(template))
    assert deployed.run("deploy", "--yes") == 0
    indexes = deployed.client("dynamodb").describe_table(TableName=TABLE)["Table"]["GlobalSecondaryIndexes"]
    assert "extra" in {index["IndexName"] for index in indexes}
    assert deployed.rows_kept() >= count


def test_an_update_that_fails_is_told_and_undone_and_ends_the_deploy(deployed: Cloud, capsys: Any) -> None:
    file = deployed.folder / "stateful.yaml"
    before = file.read_text()
    changed = load(file)
    changed["Resources"]["MailQueue"]["Properties"]["VisibilityTimeout"] = 181
    unusable = {"Type": "AWS::SQS::Queue", "DependsOn": "MailQueue", "Properties": {"VisibilityTimeout": 999_999}}
    changed["Resources"]["Unusable"] = unusable
    file.write_text(dump(changed))
    assert deployed.run("deploy", "--yes") == 1
    file.write_text(before)
    told = capsys.readouterr()
    assert re.search(r"UPDATE_COMPLETE +MailQueue\n(.*\n)*.*UPDATE_FAILED +Unusable  Invalid value", told.out)
    assert "parley-prod-data is in UPDATE_ROLLBACK_COMPLETE" in told.err
    assert "parley-prod-app" not in told.out
    sqs = deployed.client("sqs")
    url = sqs.get_queue_url(QueueName="parley-prod-mail")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert found == {"VisibilityTimeout": "180"}


def test_a_failing_smoke_test_takes_the_application_back(
    deployed: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def timeout() -> int:
        name = deployed.outputs["APIHandlerName"]
        seconds: int = deployed.client("lambda").get_function_configuration(FunctionName=name)["Timeout"]
        return seconds

    before = (deployed.folder / "app.yaml").read_text()
    changed = load(deployed.folder / "app.yaml")
    changed["Resources"]["APIHandler"]["Properties"]["Timeout"] = 27
    (deployed.folder / "app.yaml").write_text(json.dumps(changed))
    met: list[tuple[str, int]] = []

    def broken(url: str, **_options: object) -> list[str]:
        met.append((url, timeout()))
        return ["it is broken"]

    monkeypatch.setattr(smoke, "failures", broken)
    assert deployed.run("deploy", "--yes", "--smoke-url", "") == 1
    (deployed.folder / "app.yaml").write_text(before)
    assert (met, timeout()) == ([(deployed.api_url, 27)], 28)
    assert "it is broken" in capsys.readouterr().err
    awaited(deployed.is_ready)


def test_the_data_is_not_touched_without_its_typed_name_and_stays_even_then(deployed: Cloud) -> None:
    count = deployed.rows_kept()
    assert deployed.run("destroy", answers=("no",)) == 1
    assert deployed.statuses()["parley-prod-app"].endswith("_COMPLETE")
    assert deployed.run("destroy", "--data", answers=("yes", "prod")) == 1
    assert set(deployed.statuses()) == {"parley-prod-directory", "parley-prod-data"}
    assert deployed.run("destroy", "--data", answers=("yes", "eu1-prod")) == 0
    assert set(deployed.statuses()) == {"parley-prod-directory"}  # the other regions' as well
    assert deployed.rows_kept() == count
