"""The parts the app depends on: engines running, table, queues and keys there, the environment pointing at them."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from local.engines import AWS_REGION, Engine, EngineMissing, aws_client, create_table, start_dynoxide
from local.environment import FILES_BUCKET, KEYS_SECRET, STAGE, STRIPE_SECRET, TABLE, forget_users_aws, set_environment
from local.ministack import start_ministack, wait_for_ministack
from local.processes import Child, StartFailed
from local.resources import keep_secret, make_bucket, make_queues, new_stripe_keys, verify_sender, write_private


@dataclass(frozen=True)
class Parts:
    """What runs beside the gateway."""

    children: list[Child]
    ministack: str
    hook_secret: str  # what Stripe signs hooks with


def start_parts(
    cleanup: ExitStack, data: Path, *, base_url: str, smtp_port: int, inner_port: int, say: Callable[[str], None]
) -> Parts:
    """Start everything below the gateway on the state in `data`; `cleanup` stops it. Raises StartFailed."""
    forget_users_aws()
    logs = data / "logs"
    ministack = start_ministack(data / "ministack", smtp_port=smtp_port, log=logs / "ministack.log")
    cleanup.callback(ministack.stop)
    dynoxide = _start_dynoxide(data, logs, say)
    if dynoxide:
        cleanup.callback(dynoxide.stop)
        create_table(dynoxide.endpoint, TABLE)
    import_module("chalicelib.core.http")  # most of what the app imports, in the time that ministack takes to start
    wait_for_ministack(ministack)
    dynamodb = dynoxide or ministack
    if not dynoxide:
        create_table(ministack.endpoint, TABLE)
    queues = make_queues(aws_client("sqs", ministack.endpoint), STAGE, AWS_REGION)
    make_bucket(aws_client("s3", ministack.endpoint), FILES_BUCKET, AWS_REGION)
    keep_secret(aws_client("secretsmanager", ministack.endpoint), KEYS_SECRET, data / "secrets.json")
    stripe_keys = keep_secret(
        aws_client("secretsmanager", ministack.endpoint), STRIPE_SECRET, data / "stripe.json", new_stripe_keys
    )
    set_environment(
        base_url=base_url,
        dynamodb=dynamodb.endpoint,
        ministack=ministack.endpoint,
        inner=f"http://127.0.0.1:{inner_port}",
        queues=queues,
    )
    _tell(data / "stack.json", base_url, cleanup)
    verify_sender(aws_client("sesv2", ministack.endpoint), os.environ["PARLEY_MAIL_FROM"])
    children = [engine.child for engine in (ministack, dynoxide) if engine]
    return Parts(children, ministack.endpoint, stripe_keys["webhook_secrets"][0])


def _tell(file: Path, base_url: str, cleanup: ExitStack) -> None:
    """Write down, for as long as the stack runs, what lets `python -m parley --local` work with its parts."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("AWS_", "PARLEY_")) and name not in {"PARLEY_API_KEY", "PARLEY_DATA", "PARLEY_SEED"}
    }
    write_private(file, {"base_url": base_url, "environment": environment})
    cleanup.callback(file.unlink, missing_ok=True)


def _start_dynoxide(data: Path, logs: Path, say: Callable[[str], None]) -> Engine | None:
    database = data / "dynamodb.sqlite"
    try:
        return start_dynoxide(database, logs / "dynoxide.log")
    except EngineMissing as missing:
        if database.exists():  # the other engine would start empty, and every user would be gone
            raise StartFailed(f"The data in {data} needs dynoxide: {missing}") from missing
        say("dynoxide is not installed for this platform: DynamoDB is ministack's, slower and with rougher capacity.")
        return None
    except OSError as error:
        raise StartFailed(
            f"dynoxide cannot be started ({os.strerror(error.errno or 0)}); remove node_modules in local/"
            " and run `python -m local.setup`"
        ) from error
