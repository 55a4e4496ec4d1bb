"""`python -m local` as a person meets it: starts, says where everything is, survives SIGKILL, stops without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import stripe

from local.processes import accepts_connections, free_port

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[2]

APP = """
import json, os
import botocore.session
from chalice.app import Chalice

app = Chalice("toy", configure_logs=False, env={})
session = botocore.session.get_session()
clients = {name: session.create_client(name) for name in ("dynamodb", "sqs", "sesv2", "secretsmanager", "apigateway")}
TABLE = os.environ["PARLEY_TABLE"]

def put(pk):
    clients["dynamodb"].put_item(TableName=TABLE, Item={"pk": {"S": pk}, "sk": {"S": "-"}})

@app.route("/health/ready")
def ready():
    return {"ready": True}

@app.route("/remember/{what}", methods=["PUT"])
def remember(what):
    put(what)
    clients["sqs"].send_message(QueueUrl=os.environ["PARLEY_EVENTS_QUEUE_URL"], MessageBody=what)
    return {}

@app.route("/known/{what}")
def known(what):
    key = {"pk": {"S": what}, "sk": {"S": "-"}}
    return {"known": "Item" in clients["dynamodb"].get_item(TableName=TABLE, Key=key)}

@app.route("/facts")
def facts():
    clients["apigateway"].flush_stage_authorizers_cache(restApiId="local", stageName="local")
    secret = clients["secretsmanager"].get_secret_value(SecretId=os.environ["PARLEY_KEYS_SECRET"])["SecretString"]
    return {"secret": secret, "region": os.environ["PARLEY_REGION"], "url": os.environ["PARLEY_API_URL"],
            "burst": os.environ["PARLEY_VISITOR_BURST"], "key": os.environ["AWS_ACCESS_KEY_ID"]}

@app.route("/hooks/stripe", methods=["POST"])
def take_hook():
    put("hook#" + app.current_request.json_body["type"])
    return {}

@app.route("/hooks")
def hooks():
    rows = clients["dynamodb"].scan(TableName=TABLE)["Items"]
    return {"told": [row["pk"]["S"][5:] for row in rows if row["pk"]["S"].startswith("hook#")]}

@app.on_sqs_message(queue="parley-${Stage}-events", batch_size=10, name="dispatch")
def dispatch(event):
    for record in event:
        clients["sesv2"].send_email(
            FromEmailAddress=os.environ["PARLEY_MAIL_FROM"],
            Destination={"ToAddresses": ["ada@example.com"]},
            Content={"Simple": {"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "token=" + record.body}}}},
        )
"""


class Stack:
    """One `python -m local` with the toy above as its app."""

    def __init__(self, folder: Path, port: int | None = None, **env: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        (folder / "app.py").write_text(APP)
        settings = {
            "PORT": str(self.port),
            "PARLEY_DATA": "data",
            "PARLEY_SEED": "none",
            "PYTHONPATH": str(ROOT),
            **env,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local"],
            cwd=folder,
            env={n: v for n, v in os.environ.items() if not n.startswith("PARLEY_")} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_ready(self) -> str:
        """Return what it printed until it was ready."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                return "".join(lines)
        raise AssertionError(f"it ended: {''.join(lines)}{self.process.communicate()[1]}")

    def get(self, path: str, method: str = "GET") -> Any:
        headers = {"Accept": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=10) as answer:
            return json.loads(answer.read())

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal, wait for the end, return exit code and stderr."""
        self.process.send_signal(number)
        error = self.process.communicate(timeout=20)[1]
        return self.process.returncode, error


@pytest.fixture
def start(tmp_path):
    stacks = []

    def start(folder: Path = tmp_path, **options: Any) -> Stack:
        stacks.append(Stack(folder, **options))
        return stacks[-1]

    yield start
    for stack in stacks:
        if stack.process.poll() is None:
            stack.end(signal.SIGKILL)
        for stream in (stack.process.stdout, stack.process.stderr):
            assert stream is not None
            stream.close()


def stripe_of(stack: Stack) -> Any:
    """Stripe's library, with the key that the stack has made."""
    key = json.loads((stack.folder / "data" / "stripe.json").read_text())["api_key"]
    url = f"http://127.0.0.1:{stack.port}/_local/stripe/api"
    return stripe.StripeClient(key, base_addresses={"api": url}).v1


def eventually(check: Any) -> Any:
    deadline = time.monotonic() + 60  # a hook that failed thrice waits for ten seconds
    while not (found := check()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_everything_is_there_again_after_sigkill_and_gone_after_sigterm(start):
    first = start(
        PARLEY_BILLING="off", PARLEY_VISITOR_BURST="7", AWS_PROFILE="production", AWS_ACCESS_KEY_ID="AKIAREAL"
    )
    printed = first.await_ready()
    assert f"http://127.0.0.1:{first.port}/_local/mail" in printed
    assert f"http://127.0.0.1:{first.port}/_local/stripe" in printed
    assert first.get("/health/ready") == {"ready": True}
    facts = first.get("/facts")
    assert (facts["region"], facts["burst"], facts["key"]) == ("eu1", "7", "local")
    assert facts["url"] == f"http://127.0.0.1:{first.port}"
    first.get("/remember/me", "PUT")
    (mail,) = eventually(lambda: first.get("/_local/mail?to=ada@example.com")["data"])
    assert (mail["subject"], mail["text"].strip()) == ("Grüße", "token=me")

    customer = stripe_of(first).customers.create({"name": "Ada"})
    children = first.children()
    assert len(children) == 2
    first.end(signal.SIGKILL)
    eventually(lambda: all(gone(pid) for pid in children))

    second = start(port=first.port, PARLEY_BILLING="off")
    second.await_ready()
    assert second.get("/known/me") == {"known": True}
    assert second.get("/known/other") == {"known": False}
    assert mail in second.get("/_local/mail")["data"]  # perhaps again: the queue's last second may be lost
    assert second.get("/facts")["secret"] == facts["secret"]
    assert stripe_of(second).customers.retrieve(customer.id).name == "Ada"
    eventually(lambda: second.get("/hooks") == {"told": ["customer.created"]})
    second.get("/remember/more", "PUT")
    eventually(lambda: "token=more" in {each["text"].strip() for each in second.get("/_local/mail")["data"]})

    children = second.children()
    assert second.end(signal.SIGTERM)[0] == 0
    assert all(gone(pid) for pid in children)
    assert not accepts_connections(second.port)
    data = second.folder / "data"
    assert {"parley.log", "dynoxide.log", "ministack.log"} <= {f.name for f in (data / "logs").iterdir()}
    for name in ("secrets.json", "stripe.json"):
        assert (data / name).stat().st_mode & 0o777 == 0o600


def test_ctrl_c_stops_it_while_it_starts(start):
    stack = start()
    eventually((stack.folder / "data" / "lock").exists)
    eventually(stack.children)
    children = stack.children()
    code, error = stack.end(signal.SIGINT)
    assert code in (0, 130)
    assert "Traceback" not in error
    eventually(lambda: all(gone(pid) for pid in children))  # one may have been on its way: the kernel sees to it


def test_a_part_that_dies_takes_the_stack_with_it_and_is_named(start):
    stack = start()
    stack.await_ready()
    os.kill(stack.children()[0], signal.SIGKILL)
    out, _ = stack.process.communicate(timeout=20)
    assert stack.process.returncode == 1
    assert "ministack ended unexpectedly" in out


class TestMistakes:
    def test_a_taken_port_is_said_with_one_that_is_free(self, start):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            stack = start(port=port)
            _, error = stack.process.communicate(timeout=20)
        assert stack.process.returncode == 1
        assert (
            f"Port {port} is taken, by a stack that runs already or by another program. Choose another: PORT=" in error
        )
        assert "Traceback" not in error

    def test_a_second_stack_on_the_same_data_is_refused_and_the_first_goes_on(self, start):
        first = start()
        first.await_ready()
        second = start()
        _, error = second.process.communicate(timeout=20)
        assert second.process.returncode == 1
        assert "Another stack is using the data" in error
        assert first.get("/health/ready") == {"ready": True}

    def test_two_stacks_run_side_by_side(self, start, tmp_path_factory):
        first, second = start(), start(tmp_path_factory.mktemp("second"))
        first.await_ready()
        second.await_ready()
        first.get("/remember/me", "PUT")
        assert second.get("/known/me") == {"known": False}

    @pytest.mark.parametrize("port", ["eighty", "0", "70000"])
    def test_a_port_that_is_none_is_said(self, start, port):
        _, error = start(PORT=port).process.communicate(timeout=20)
        assert error == f"PORT must be a number from 1 to 65535, not '{port}'\n"

    def test_a_seed_that_is_none_is_said(self, start):
        _, error = start(PARLEY_SEED="off").process.communicate(timeout=20)
        assert error == "PARLEY_SEED must be none, for an empty start, or left out, not 'off'\n"

    def test_a_folder_that_cannot_be_is_said(self, start):
        _, error = start(PARLEY_DATA="/dev/null/data").process.communicate(timeout=20)
        assert error.startswith("/dev/null/data cannot hold the data: Not a directory.")
        assert "Traceback" not in error


SEED = """
import sys, types, urllib.error, urllib.request

def seed(data, base_url):
    statuses = []
    for path in ("/health/ready", "/known/me"):
        try:
            with urllib.request.urlopen(base_url + path) as answer:
                statuses.append(str(answer.status))
        except urllib.error.HTTPError as error:
            statuses.append(str(error.code))
    (data / "demo.json").write_text('{"tenants": []}')
    (data / "seeded").write_text(" ".join(statuses))

sys.modules["local.demo"] = types.ModuleType("local.demo")
sys.modules["local.demo"].seed = seed
"""


def test_demo_data_goes_through_the_running_app_before_it_says_that_it_is_ready(start, monkeypatch):
    monkeypatch.setitem(globals(), "APP", APP + SEED)
    stack = start(PARLEY_SEED="")
    stack.await_ready()
    assert (stack.folder / "data" / "seeded").read_text() == "503 200"
    assert stack.get("/health/ready") == {"ready": True}
