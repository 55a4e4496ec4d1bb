"""Set-up, settings, fallbacks and the start of the stack, each on its own."""

import asyncio
import os
import sys
import types
from contextlib import ExitStack
from typing import Any

import pytest

from local import engines, environment, parts, setup, stack
from local.parts import start_parts
from local.processes import StartFailed
from local.stack import Settings
from local.welcome import welcome


@pytest.fixture
def own_environment(monkeypatch):
    """os.environ as it was, after whatever the test does to it."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return os.environ


class TestEnvironment:
    def set(self):
        queues = {
            f"parley-local-{name}": f"http://q/{name}"
            for name in ("events", "mail", "reminders", "webhooks", "billing")
        }
        environment.set_environment(
            base_url="http://b", dynamodb="http://d", ministack="http://m", inner="http://i", queues=queues
        )

    def test_nothing_of_the_users_aws_is_left(self, own_environment):
        own_environment.update({"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL_S3": "http://real"})
        environment.forget_users_aws()
        self.set()
        assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(own_environment)
        assert "http://real" not in own_environment.values()
        assert own_environment["AWS_SECRET_ACCESS_KEY"] == "local"
        assert own_environment["AWS_ENDPOINT_URL"] == "http://m"

    def test_limits_may_be_set_from_outside_but_not_where_the_data_is(self, own_environment):
        own_environment.update({"PARLEY_SIGNUP": "closed", "PARLEY_TABLE": "another"})
        self.set()
        assert own_environment["PARLEY_SIGNUP"] == "closed"
        assert own_environment["PARLEY_TABLE"] == "parley-local-main"

    def test_the_app_has_every_setting_it_reads(self, own_environment):
        from chalicelib.core.config import settings

        for name in [name for name in own_environment if name.startswith("PARLEY_")]:
            del own_environment[name]
        self.set()
        settings.cache_clear()
        try:
            found = settings()
        finally:
            settings.cache_clear()
        assert (found.stage, found.region, found.allow_loopback_domains) == ("local", "eu1", True)


class TestSetup:
    @pytest.fixture
    def commands(self, monkeypatch, tmp_path):
        found = []
        (tmp_path / "local").mkdir()
        for name in ("package.json", "package-lock.json", "requirements-ministack.txt"):
            (tmp_path / "local" / name).write_text(name)

        def run(command, _folder):
            found.append(" ".join(command[1:]))
            if "venv" in command:
                (tmp_path / "venv" / "bin").mkdir(parents=True)
                (tmp_path / "venv" / "bin" / "python").touch()
            return self.succeeds

        monkeypatch.setattr(setup, "LOCAL", tmp_path / "local")
        monkeypatch.setattr(setup, "VENV", tmp_path / "venv")
        monkeypatch.setattr(setup, "_run", run)
        monkeypatch.setattr("shutil.which", lambda _name: "/bin/npm")
        return found

    succeeds = True

    def test_it_installs_once_and_again_when_what_is_wanted_changed(self, commands, tmp_path):
        assert setup.main() == 0
        assert [command.split()[0] for command in commands] == ["-m", "-m", "ci"]
        commands.clear()
        assert setup.main() == 0
        assert commands == []
        (tmp_path / "local" / "package-lock.json").write_text("newer")
        (tmp_path / "local" / "requirements-ministack.txt").write_text("newer")
        assert setup.main() == 0
        assert [command.split()[0] for command in commands] == ["-m", "ci"]

    def test_without_npm_it_says_what_is_used_instead(self, commands, monkeypatch, capsys):
        monkeypatch.setattr("shutil.which", lambda _name: None)
        assert setup.main() == 0
        assert "npm is not installed" in capsys.readouterr().out

    def test_without_ministack_it_fails_and_tries_again_next_time(self, commands, capsys):
        self.succeeds = False
        assert setup.main() == 1
        assert "could not be installed" in capsys.readouterr().err
        commands.clear()
        assert setup.main() == 1
        assert commands


@pytest.mark.stack
class TestFallback:
    @pytest.fixture
    def start(self, monkeypatch, tmp_path, own_environment):
        monkeypatch.setattr(engines, "_BINARIES", tmp_path / "none")
        (tmp_path / "logs").mkdir()
        said: list[str] = []
        with ExitStack() as cleanup:
            yield lambda: (
                start_parts(cleanup, tmp_path, base_url="http://x", smtp_port=9, inner_port=9, say=said.append),
                said,
            )

    def test_without_dynoxide_ministack_holds_the_table_and_that_is_said(self, start, own_environment):
        found, said = start()
        assert "dynoxide is not installed" in said[0]
        assert own_environment["AWS_ENDPOINT_URL_DYNAMODB"] == found.ministack
        table = engines.aws_client("dynamodb", found.ministack).describe_table(TableName="parley-local-main")["Table"]
        assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} >= {"activity", "log"}

    def test_data_of_dynoxide_is_not_hidden_behind_an_empty_table(self, start, tmp_path):
        (tmp_path / "dynamodb.sqlite").touch()
        with pytest.raises(StartFailed, match="needs dynoxide"):
            start()

    def test_without_ministack_the_way_to_get_it_is_said(self, start, monkeypatch, tmp_path):
        monkeypatch.setattr("local.ministack.VENV", tmp_path / "none")
        with pytest.raises(StartFailed, match=r"local\.setup"):
            start()


class TestDemoData:
    def begin(self, tmp_path, monkeypatch, seed, *, wanted=True):
        demo: Any = types.ModuleType("local.demo")
        demo.seed = seed
        demo.refresh = lambda _data, base_url: self.refreshed.append(base_url)
        self.refreshed: list[str] = []
        monkeypatch.setitem(sys.modules, "local.demo", demo)
        monkeypatch.setenv("PARLEY_BILLING", "off")
        said: list[str] = []
        pumped: list[bool] = []
        nothing: Any = None
        gateway: Any = types.SimpleNamespace(ready=False)
        app: Any = types.SimpleNamespace(routes={})
        self.gateway = gateway

        async def run():
            one = stack._Stack(Settings(1, tmp_path, wanted), parts.Parts([], "", ""), nothing, nothing, 0)
            monkeypatch.setattr(one, "_say", said.append)
            await one._begin(gateway, app, lambda: pumped.append(gateway.ready))

        asyncio.run(run())
        assert gateway.ready
        assert pumped == [False], "the queues are served before the stack is ready"
        return "\n".join(said)

    def test_it_is_made_before_the_stack_is_ready_and_only_once(self, tmp_path, monkeypatch):
        seeded = []

        def seed(data, base_url):
            assert not self.gateway.ready
            seeded.append((data, base_url))
            (data / "demo.json").write_text('{"tenants": []}')

        for _ in range(2):
            self.begin(tmp_path, monkeypatch, seed)
        assert seeded == [(tmp_path, "http://127.0.0.1:1")]
        assert self.refreshed == ["http://127.0.0.1:1"]

    def test_none_is_made_when_none_is_wanted(self, tmp_path, monkeypatch):
        seeded = []
        self.begin(tmp_path, monkeypatch, lambda *_: seeded.append(1), wanted=False)
        assert seeded == []

    def test_a_failure_is_said_and_the_stack_is_there_all_the_same(self, tmp_path, monkeypatch):
        assert "could not be made" in self.begin(tmp_path, monkeypatch, lambda *_: 1 / 0)


def test_the_welcome_names_only_what_exists_and_who_can_log_in(tmp_path):
    demo = tmp_path / "demo.json"
    demo.write_text(
        '{"tenants": [{"id": "tn_1", "name": "Acme", "owner": {"email": "o@x", "password": "pw"}, "api_key": "k_1"}]}'
    )
    text = welcome("http://h", tmp_path, {"/docs"}, demo)
    assert "http://h/docs" in text
    assert "/inbox" not in text
    assert all(word in text for word in ("Acme", "o@x", "pw", "k_1"))
