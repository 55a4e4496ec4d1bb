"""Each function of the template answers an event of its kind, from the unpacked package, as Lambda would call it.

All of them run in one process that has the package and Lambda's own libraries and nothing else (runtime.py). They work
on the real engine; what they ask of other services, the suite's stand-ins answer over HTTP. The events are in
tests/events/recorded/, in the shapes that AWS documents; what is in ${…} is only known when the test runs.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app as product
from chalicelib.core import clock
from chalicelib.core.ids import new
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from infra.dependencies import ROOT
from infra.package import Package
from tests.support import sns
from tests.support.aws import Services
from tests.support.chats import conversation, new_chat, new_site, reply
from tests.support.clocks import later
from tests.support.files import posted
from tests.support.mails import Post, identified
from tests.support.over_http import AwsOverHttp, StripeOverHttp
from tests.support.people import new_email
from tests.support.queues import deliver, drain, take
from tests.support.receivers import Receiver
from tests.support.settings import changed
from tests.support.stripe import GOOD_CARD, STRIPE_SECRET, URLS, Till
from tests.support.tenants import new_key, new_tenant
from tests.support.webhooks import new_webhook

pytestmark = pytest.mark.packaging

RECORDED = ROOT / "tests" / "events" / "recorded"
NAMES = sorted(file.stem for file in RECORDED.glob("*.json"))
MINUTE, DAY = 60_000, 86_400_000
DONE: dict[str, Any] = {"batchItemFailures": []}


class Lambda:
    """The functions, each under its name in app.py."""

    def __init__(self, task: Path, libraries: Path, functions: dict[str, Any]) -> None:
        self.aws, self.stripe = AwsOverHttp(), StripeOverHttp()
        self._handlers = {each["Handler"].rpartition(".")[2]: each["Handler"] for each in functions.values()}
        script = ROOT / "tests" / "packaging" / "runtime.py"
        command = [sys.executable, "-I", "-S", str(script), str(task), str(libraries)]
        self._process = subprocess.Popen(
            command, env=self._environment(functions), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _environment(self, functions: dict[str, Any]) -> dict[str, str]:
        """Set what the template sets, with the values of this suite, and what points at the stand-ins."""
        named = {name for each in functions.values() for name in each["Environment"]["Variables"]}
        more = {
            "PARLEY_REGIONS": "",
            "PARLEY_DIRECTORY_TABLE": "",
            "PARLEY_DIRECTORY_AWS_REGION": "",
            "PARLEY_BILLING": "stripe",
            "PARLEY_STRIPE_SECRET": STRIPE_SECRET,
            "PARLEY_MAIL_CONFIGURATION_SET": "parley-test",
            "PARLEY_MAIL_FEEDBACK_TOPIC": sns.TOPIC,
            "PARLEY_SIGNUP": "open",
            "PARLEY_INDEX_SHARDS": "1",
            "PARLEY_INDEX_SHARDS_READ": "1",
            "PARLEY_TENANT_INDEX_SHARDS": "",
            "PARLEY_COGNITO_ISSUER": "",
            "PARLEY_COGNITO_CLIENT_IDS": "",
            "PARLEY_REST_API_ID": "a1b2c3d4e5",
            "PARLEY_JOBS_ROLE": "",
            "PARLEY_INBOX_URL": "",
            "PARLEY_CANARY": "off",
        }
        return {name: more[name] if name in more else os.environ[name] for name in named} | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ENDPOINT_URL_DYNAMODB": os.environ["AWS_ENDPOINT_URL_DYNAMODB"],
            "PARLEY_STRIPE_API_URL": self.stripe.url,
            "PARLEY_ALLOW_LOOPBACK_WEBHOOKS": "1",
        }

    def ask(self, **asked: object) -> Any:
        """Have the process do something. AssertionError with its traceback when that fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        assert "error" not in said, said["error"]
        return said["answer"]

    def call(self, name: str, **values: object) -> Any:
        """Call a function with its recorded event, filled in."""
        self.aws.function = "api_handler" if name == "app" else name
        event = json.loads((RECORDED / f"{name}.json").read_text())
        return self.ask(handler=self._handlers[name], event=filled(event, values))

    def close(self) -> None:
        assert self._process.stdin is not None
        with self._process:
            self._process.stdin.close()
        self.aws.close()
        self.stripe.close()


def filled(part: Any, values: dict[str, Any]) -> Any:
    """Put values where an event names them; one alone may be anything, one inside a text is text."""
    if isinstance(part, dict):
        return {name: filled(value, values) for name, value in part.items()}
    if isinstance(part, list):
        return [filled(value, values) for value in part]
    if not isinstance(part, str):
        return part
    if alone := re.fullmatch(r"\$\{(\w+)\}", part):
        return values[alone[1]]
    return re.sub(r"\$\{(\w+)\}", lambda found: str(values[found[1]]), part)


@pytest.fixture(scope="module")
def functions_once(package: Package) -> dict[str, Any]:
    resources = package.sam["Resources"].items()
    globally = package.sam["Globals"]["Function"]["Environment"]["Variables"]
    found = {name: each["Properties"] for name, each in resources if each["Type"] == "AWS::Serverless::Function"}
    for each in found.values():
        each.setdefault("Environment", {}).setdefault("Variables", {})
    return {
        name: {**each, "Environment": {"Variables": globally | each["Environment"]["Variables"]}}
        for name, each in found.items()
    }


@pytest.fixture(scope="module")
def running(task: Path, libraries: Path, functions_once: dict[str, Any], engine: str) -> Iterator[Lambda]:
    found = Lambda(task, libraries, functions_once)
    yield found
    found.close()


@pytest.fixture
def lambdas(running: Lambda, services: Services) -> Lambda:
    running.aws.services = services
    return running


def test_each_function_of_the_template_has_a_recorded_event(functions_once: dict[str, Any]) -> None:
    handlers = {each["Handler"].rpartition(".")[2] for each in functions_once.values()}
    assert handlers == set(NAMES), "add the event to tests/events/recorded/, and a test of what it does here"
    assert set(NAMES) == {
        name.removeprefix("test_the_function_") for name in globals() if name.startswith("test_the_f")
    }


def test_the_function_authorize(lambdas: Lambda) -> None:
    owner = new_tenant().owner
    answer = lambdas.call("authorize", token=owner.client.token)
    assert answer["principalId"] == owner.user_id
    assert {each["Effect"] for each in answer["policyDocument"]["Statement"]} == {"Allow"}
    with pytest.raises(AssertionError, match="Exception: Unauthorized"):
        lambdas.call("authorize", token="x")


def test_the_function_app(lambdas: Lambda) -> None:
    tenant = new_site()
    chat, token = new_chat(tenant), tenant.owner.client.token
    talk = chat.begin("Hi!")
    authorizer = lambdas.call("authorize", token=token)["context"]
    answer = lambdas.call("app", token=token, tenant=tenant.id, conversation=talk, authorizer=authorizer)
    assert answer["statusCode"] == 201
    assert json.loads(answer["body"])["author"]["id"] == tenant.owner.user_id
    assert chat.heard(talk) == ["Hi!", "Ask away!"]


def test_the_function_dispatch_events(lambdas: Lambda, services: Services) -> None:
    tenant, bodies = subscribed(services)
    for body in bodies:
        assert lambdas.call("dispatch_events", body=body) == DONE
    (named,) = take(services, "webhooks")
    assert tenant in named


def test_the_function_deliver_webhooks(lambdas: Lambda, services: Services) -> None:
    receiver = Receiver()
    _, bodies = subscribed(services, receiver.url)
    assert deliver(product.dispatch_events, bodies) == []
    (body,) = take(services, "webhooks")
    assert lambdas.call("deliver_webhooks", body=body) == DONE
    assert receiver.types() == ["conversation.created"]
    receiver.close()


def test_the_function_send_mail(lambdas: Lambda, services: Services) -> None:
    written(address := new_email())
    (body,) = take(services, "mail")
    assert lambdas.call("send_mail", body=body) == DONE
    assert [mail["Destination"]["ToAddresses"] for mail in services.mails] == [[address]]


def test_the_function_take_mail_feedback(lambdas: Lambda, services: Services) -> None:
    lambdas.ask(trust=sns.signer().pem.decode())
    body = sns.envelope(sns.bounce(address := new_email()))
    assert lambdas.call("take_mail_feedback", body=body) == DONE
    written(address)
    drain(services)
    assert services.mails == []


def test_the_function_remind(lambdas: Lambda, services: Services) -> None:
    tenant = new_site()
    chat, email = identified(tenant)
    reply(tenant.owner.client, chat.begin())
    (reminder,) = Post(services).reminders()
    assert lambdas.call("remind", body=reminder.to_json()) == DONE
    assert email in "".join(take(services, "mail"))


def test_the_function_look_at_accounts(lambdas: Lambda, services: Services) -> None:
    till = Till(services)
    lambdas.stripe.double = till.double
    with till.open():
        owner = new_tenant().owner.client
        till.complete(owner.post("/v1/billing/checkout", {"plan": "pro", **URLS}).json["url"], GOOD_CARD)
        for hook in till.double.hooks.take():
            assert till.post(hook).status == 200
        for body in dict.fromkeys(take(services, "billing")):
            assert lambdas.call("look_at_accounts", body=body) == DONE
        assert owner.get("/v1/billing/subscription").json["plan"] == "pro"


def test_the_function_look_at_due_accounts(lambdas: Lambda, services: Services) -> None:
    with Till(services).open(), later(-60 * DAY):
        tenant = new_tenant()
    services.queues.clear()
    assert lambdas.call("look_at_due_accounts") is None
    assert tenant.id in take(services, "billing")


def test_the_function_sweep_pending(lambdas: Lambda, services: Services) -> None:
    with later(-10 * MINUTE):
        found = new_chat(new_site()).begin()
    services.queues.clear()
    assert lambdas.call("sweep_pending") is None
    assert found in "".join(take(services, "events"))


def test_the_function_sweep_deliveries(lambdas: Lambda, services: Services) -> None:
    with later(-10 * MINUTE):
        _, bodies = subscribed(services)
        deliver(product.dispatch_events, bodies)
    lost = take(services, "webhooks")
    assert lambdas.call("sweep_deliveries") is None
    assert set(lost) <= set(take(services, "webhooks"))


def test_the_function_wake_conversations(lambdas: Lambda) -> None:
    with later(-120 * MINUTE):
        tenant = new_site()
        key, talk = new_key(tenant), new_chat(tenant).begin()
        until = clock.rfc3339(clock.now_ms() + 60 * MINUTE)
        assert key.post(f"/v1/conversations/{talk}/snooze", {"until": until}).status == 200
    assert lambdas.call("wake_conversations") is None
    assert conversation(key, talk)["status"] == "open"


def test_the_function_sweep_files(lambdas: Lambda, services: Services) -> None:
    with later(-2 * DAY):
        key = new_key(new_tenant())
        file = f"/v1/files/{posted(services, key, b'Hi!')}"
        assert key.post(f"{file}/complete").status == 200
    assert key.get(file).status == 200
    assert lambdas.call("sweep_files") is None
    assert key.get(file).status == 404


def test_the_function_run_canary(lambdas: Lambda, services: Services) -> None:
    services.reset()
    assert lambdas.call("run_canary") is None
    assert services.calls == []  # it stays at home where it is switched off; tests/health has it go round


def test_the_function_rotate_signing_keys(lambdas: Lambda, services: Services) -> None:
    document = json.loads(services.secret)
    (key,) = document["signing_keys"]
    key["created_at"] -= 91 * DAY
    services.secret = json.dumps(document)
    assert lambdas.call("rotate_signing_keys") is None
    kept, fresh = json.loads(services.secret)["signing_keys"]
    assert kept == key
    assert fresh["active_from"] > clock.now_ms()


def subscribed(services: Services, url: str = "http://127.0.0.1:9/") -> tuple[str, list[str]]:
    """Let a conversation begin that somebody wants to hear of; returns the tenant and what waits for the dispatcher."""
    with changed(ALLOW_LOOPBACK_WEBHOOKS="1"):
        tenant = new_site()
        new_webhook(tenant.owner.client, url, ["conversation.created"])
    drain(services)
    new_chat(tenant).begin()
    return tenant.id, take(services, "events")


def written(address: str) -> None:
    """Put a mail on its way."""
    enqueue(Mail(new("mail"), address, "verify_email", "en", {"link": "https://api.test/?token=a"}))
