"""DynamoDB on this machine: the dynoxide engine, and the table of infra/stateful.yaml in it."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from local.kinds import AwsClient
from local.processes import LOOPBACK, Child, StartFailed, accepts_connections, free_port
from local.template import ROOT, directory_resources, stateful_resources

AWS_REGION = "eu-west-1"
CREDENTIAL = "local"  # both the key id and the secret; checked in signed links to S3, and nowhere else
_BINARIES = ROOT / "local" / "node_modules" / "@dynoxide"


class EngineMissing(StartFailed):
    """No dynoxide binary is installed for this platform."""


@dataclass(frozen=True)
class Engine:
    """A running DynamoDB engine."""

    endpoint: str
    child: Child

    def stop(self) -> None:
        self.child.stop()


def find_dynoxide() -> Path | None:
    """Return the installed binary; npm installs only the one that fits this platform."""
    return next(iter(sorted(_BINARIES.glob("*/dynoxide"))), None)


def start_dynoxide(db_path: Path | None = None, log: Path | None = None) -> Engine:
    """Start an engine on a free loopback port, in memory unless `db_path` names its file.

    Raises EngineMissing when it is not installed, StartFailed when it does not come up.
    """
    binary = find_dynoxide()
    if binary is None:
        raise EngineMissing("dynoxide is not installed for this platform; run `python -m local.setup`")
    for attempts_left in (2, 1, 0):
        try:
            return _start(binary, db_path, log)
        except StartFailed:
            if not attempts_left:  # otherwise somebody else may have taken the port meanwhile: try another
                raise
    raise AssertionError


def _start(binary: Path, db_path: Path | None, log: Path | None) -> Engine:
    port = free_port()
    command = [str(binary), "serve", "--host", LOOPBACK, "--port", str(port)]
    if db_path is not None:
        command += ["--db-path", str(db_path)]
    child = Child("dynoxide", command, os.environ, log)
    child.wait_until(lambda: accepts_connections(port), 10)
    return Engine(f"http://{LOOPBACK}:{port}", child)


def aws_client(service: str, endpoint: str) -> AwsClient:
    """A botocore client for a local endpoint; it never looks for credentials or settings elsewhere."""
    from botocore.config import Config

    config = Config(retries={"max_attempts": 2}, connect_timeout=2, read_timeout=30, max_pool_connections=20)
    return _session().create_client(
        service,
        region_name=AWS_REGION,
        endpoint_url=endpoint,
        config=config,
        aws_access_key_id=CREDENTIAL,
        aws_secret_access_key=CREDENTIAL,
    )


@cache
def _session() -> Any:  # noqa: ANN401 - botocore's, which `local.setup` has no time to import
    """One for all clients: what botocore reads from its files for the first, it need not read again."""
    import botocore.session

    return botocore.session.get_session()


def create_table(endpoint: str, name: str, definition: dict[str, Any] | None = None) -> None:
    """Create the application's table, as infra/stateful.yaml defines it, or another, unless it is there already.

    The engine wants names of 11 characters or more.
    """
    client = aws_client("dynamodb", endpoint)
    try:
        client.create_table(TableName=name, **(definition or table_definition()))
    except client.exceptions.ResourceInUseException:
        return


@cache
def table_definition() -> dict[str, Any]:
    """The application's table, as infra/stateful.yaml defines it, for `create_table`."""
    return _definition(stateful_resources("AWS::DynamoDB::Table"))


@cache
def directory_definition() -> dict[str, Any]:
    """The directory's table, as infra/directory.yaml defines it, for `create_table`."""
    return _definition(directory_resources("AWS::DynamoDB::Table"))


def _definition(tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (properties,) = tables.values()
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {key: properties[key] for key in wanted if key in properties}
