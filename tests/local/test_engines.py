"""DynamoDB and the other AWS doubles come up, hold the table of the template, and keep what they were told."""

import os
import signal
from contextlib import ExitStack

import pytest

from local import engines
from local.engines import AWS_REGION, EngineMissing, aws_client, create_table, start_dynoxide
from local.ministack import start_ministack, wait_for_ministack
from local.processes import StartFailed, accepts_connections
from local.resources import keep_secret, make_queues
from local.template import stateful_resources

TABLE = "parley-test-main"
ROW = {"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "1"}}
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}


def kill(engine):
    os.kill(engine.child.pid, signal.SIGKILL)
    engine.stop()


class TestDynoxide:
    def test_the_table_is_the_templates(self):
        engine = start_dynoxide()
        try:
            create_table(engine.endpoint, TABLE)
            create_table(engine.endpoint, TABLE)
            table = aws_client("dynamodb", engine.endpoint).describe_table(TableName=TABLE)["Table"]
        finally:
            engine.stop()
        (properties,) = stateful_resources("AWS::DynamoDB::Table").values()
        assert table["KeySchema"] == properties["KeySchema"]
        found = {index["IndexName"]: index["KeySchema"] for index in table["GlobalSecondaryIndexes"]}
        assert found == {index["IndexName"]: index["KeySchema"] for index in properties["GlobalSecondaryIndexes"]}

    def test_what_it_acknowledged_survives_sigkill(self, tmp_path):
        first = start_dynoxide(tmp_path / "db")
        create_table(first.endpoint, TABLE)
        aws_client("dynamodb", first.endpoint).put_item(TableName=TABLE, Item=ROW)
        kill(first)
        second = start_dynoxide(tmp_path / "db")
        try:
            found = aws_client("dynamodb", second.endpoint).get_item(TableName=TABLE, Key=KEY, ConsistentRead=True)
        finally:
            second.stop()
        assert found["Item"] == ROW

    def test_stopping_twice_does_nothing_and_frees_the_port(self):
        engine = start_dynoxide()
        engine.stop()
        engine.stop()
        assert not accepts_connections(int(engine.endpoint.rsplit(":", 1)[1]))

    def test_a_missing_binary_is_said(self, monkeypatch, tmp_path):
        monkeypatch.setattr(engines, "_BINARIES", tmp_path)
        with pytest.raises(EngineMissing, match=r"local\.setup"):
            start_dynoxide()

    def test_an_engine_that_cannot_start_is_said(self, tmp_path):
        with pytest.raises(StartFailed, match="exit code"):
            start_dynoxide(tmp_path / "no" / "such" / "folder" / "db", tmp_path / "log")


@pytest.mark.stack
class TestMinistack:
    def start(self, cleanup, state):
        engine = start_ministack(state)
        cleanup.callback(engine.stop)
        wait_for_ministack(engine)
        return engine

    def test_queues_their_messages_and_secrets_survive_sigkill(self, tmp_path):
        with ExitStack() as cleanup:
            first = self.start(cleanup, tmp_path)
            url = make_queues(aws_client("sqs", first.endpoint), "kill", AWS_REGION)["parley-kill-events"]
            aws_client("sqs", first.endpoint).send_message(QueueUrl=url, MessageBody="still there")
            aws_client("secretsmanager", first.endpoint).create_secret(Name="s", SecretString="x")
            aws_client("sqs", first.endpoint).receive_message(QueueUrl=url)  # by someone who dies with the stack
            wanted = {"sqs.json": ("still there", '"receive_count": 1'), "secretsmanager.json": ('"s"',)}
            self.await_saved(tmp_path / "state", wanted)
            kill(first)
            second = self.start(cleanup, tmp_path)
            sqs = aws_client("sqs", second.endpoint)
            url = make_queues(sqs, "kill", AWS_REGION)["parley-kill-events"]
            (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
            assert message["Body"] == "still there"
            secret = aws_client("secretsmanager", second.endpoint).get_secret_value(SecretId="s")
            assert secret["SecretString"] == "x"

    def test_it_ends_with_its_standard_input(self, tmp_path):
        """What macOS relies on, where no signal comes when a parent dies."""
        with ExitStack() as cleanup:
            process = self.start(cleanup, tmp_path).child._process
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)

    def await_saved(self, folder, wanted):
        import time

        deadline = time.monotonic() + 10
        while not all((folder / n).exists() and self.has_all(folder / n, texts) for n, texts in wanted.items()):
            assert time.monotonic() < deadline, "not saved"
            time.sleep(0.02)

    def has_all(self, file, texts):
        content = file.read_text()
        return all(text in content for text in texts)

    def test_keys_lost_by_secrets_manager_come_back_from_their_copy(self, ministack, tmp_path):
        secrets, file = aws_client("secretsmanager", ministack), tmp_path / "secrets.json"
        file.write_text('{"kid": "old"}')
        keep_secret(secrets, "parley-a-keys", file)
        assert secrets.get_secret_value(SecretId="parley-a-keys")["SecretString"] == '{"kid": "old"}'
        assert file.stat().st_mode & 0o777 == 0o600

    def test_keys_rotated_in_secrets_manager_are_copied(self, ministack, tmp_path):
        secrets, file = aws_client("secretsmanager", ministack), tmp_path / "secrets.json"
        file.write_text('{"kid": "old"}')
        secrets.create_secret(Name="parley-b-keys", SecretString='{"kid": "new"}')
        keep_secret(secrets, "parley-b-keys", file)
        assert file.read_text() == '{"kid": "new"}'

    def test_new_keys_are_made_once(self, ministack, tmp_path):
        secrets, file = aws_client("secretsmanager", ministack), tmp_path / "secrets.json"
        keep_secret(secrets, "parley-c-keys", file)
        made = file.read_text()
        keep_secret(secrets, "parley-c-keys", file)
        assert file.read_text() == made != "{}"
