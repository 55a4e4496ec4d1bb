"""Asking each dependency whether it answers: all at once, and none longer than a deadline."""

import threading
import time
from collections.abc import Callable, Mapping

from chalicelib.core import aws, clock, log
from chalicelib.core.config import settings
from chalicelib.core.table import GUARDS
from chalicelib.core.version import VERSION
from chalicelib.directory import service as directory
from chalicelib.health.models import Check, Liveness, Readiness

DEADLINE_S = 2.0
KEEP_MS = 1_000  # anybody may ask, and asking costs calls: a second's questions share one answer

Probe = Callable[[], object]

_asking = threading.Lock()
_last: tuple[int, Readiness] | None = None


def liveness() -> Liveness:
    """Tell that this function runs. No store call."""
    return Liveness(status="ok", version=VERSION, time=clock.rfc3339(clock.now_ms()))


def readiness() -> Readiness:
    """Ask every dependency, at most once a second in one process."""
    global _last
    with _asking:
        now = clock.now_ms()
        if _last is None or not 0 <= now - _last[0] < KEEP_MS:
            checks = ask(_probes(), DEADLINE_S)
            good = all(check.status == "ok" for check in checks.values())
            _last = now, Readiness(status="ok" if good else "unavailable", checks=checks)
        return _last[1]


def forget() -> None:
    """Ask anew next time."""
    global _last
    _last = None


def ask(probes: Mapping[str, Probe], deadline_s: float) -> dict[str, Check]:
    """Run the probes side by side; one that has not answered by the deadline is left behind."""
    begun, found = time.monotonic(), dict[str, Check]()

    def run(name: str, probe: Probe) -> None:
        try:
            probe()
        except Exception as exc:  # noqa: BLE001 - whatever goes wrong, the dependency is not there
            log.warning("not_ready", dependency=name, error=type(exc).__name__)
            found[name] = Check(status="failed", ms=_since(begun))
        else:
            found[name] = Check(status="ok", ms=_since(begun))

    # Daemons: a dependency that hangs must not keep the process from ending.
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in probes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline_s - (time.monotonic() - begun)))
    late = Check(status="timeout", ms=round(deadline_s * 1000))
    return {name: found.get(name, late) for name in probes}


def _probes() -> dict[str, Probe]:
    def queue(url: str) -> Probe:
        wanted = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
        return lambda: aws.call("sqs", "get_queue_attributes", wanted)

    known = settings()
    probes: dict[str, Probe] = {
        "table": lambda: GUARDS.get("health", "-"),
        "events_queue": queue(known.events_queue_url),
        "mail_queue": queue(known.mail_queue_url),
        "reminders_queue": queue(known.reminders_queue_url),
        "webhooks_queue": queue(known.webhooks_queue_url),
        "files": lambda: aws.call("s3", "head_bucket", {"Bucket": known.files_bucket}),
        "mail": _mail,
        # Past core.keyring, which would answer from memory for five minutes.
        "secret": lambda: aws.call("secretsmanager", "get_secret_value", {"SecretId": known.keys_secret}),
    }
    if known.billing:  # Stripe itself is not asked: nobody's chat waits for it
        probes["billing_queue"] = queue(known.billing_queue_url)
        probes["billing_secret"] = lambda: aws.call(
            "secretsmanager", "get_secret_value", {"SecretId": known.stripe_secret}
        )
    if known.directory_table:
        probes["directory"] = directory.ask
    return probes


class SendingPausedError(Exception):
    """SES has stopped this account's mail, by itself or by somebody's hand."""


def _mail() -> None:
    if not aws.call("sesv2", "get_account", {})["SendingEnabled"]:
        raise SendingPausedError


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
