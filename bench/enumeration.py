"""Can the time of an answer tell whether an address has an account? Two-sample Kolmogorov-Smirnov tests say."""

import argparse
import json
import math
import os
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bench import report
from bench.inprocess import TABLE, Caller, OnlyTable, set_environment
from bench.report import Figure
from local.engines import create_table, start_dynoxide

SAMPLES = 500  # of each kind
QUICK_SAMPLES = 20
CRITICAL = 1.949  # sqrt(-ln(0.001 / 2) / 2): D beyond CRITICAL * sqrt(2 / n) has a chance of 1 in 1,000 by itself
PAIRS_PER_TENANT = 20  # of invitations: each adds to a list that the next one reads
PASSWORD = "correct horse battery"  # noqa: S105 - of users who exist for this run

Send = Callable[[str], float]  # an address in, the seconds of the answer out


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the Kolmogorov-Smirnov statistic D: the largest gap between two empirical distribution functions."""
    first, second = sorted(one), sorted(other)
    place = reached = 0
    largest = 0.0
    for value in sorted({*first, *second}):
        while place < len(first) and first[place] <= value:
            place += 1
        while reached < len(second) and second[reached] <= value:
            reached += 1
        largest = max(largest, abs(place / len(first) - reached / len(second)))
    return largest


def chance(gap: float, one: int, other: int) -> float:
    """Return p: how likely so large a D is between samples of one distribution (Stephens' approximation, 1970)."""
    root = math.sqrt(one * other / (one + other))
    scaled = (root + 0.12 + 0.11 / root) * gap
    if scaled < 0.2:
        return 1.0  # where the series below converges too slowly, and p is 1 to twelve digits
    terms = ((1 if term % 2 else -1) * math.exp(-2 * (term * scaled) ** 2) for term in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def run(*, quick: bool, plant: bool = False) -> list[Figure]:
    """Measure each operation with known and unknown addresses in turn; a quick run's are too few to be judged."""
    set_environment()
    os.environ["PARLEY_LOGIN_ATTEMPTS_PER_ADDRESS"] = "1000000"
    engine = start_dynoxide()
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = engine.endpoint
    from chalicelib.auth import passwords
    from chalicelib.auth.keys import new_key_set
    from chalicelib.core import aws

    aws._client.cache_clear()  # noqa: SLF001 - made by a section before, for another endpoint
    aws.interceptors[:] = [OnlyTable(json.dumps(new_key_set()))]
    if plant:
        _plant(passwords)
    try:
        create_table(engine.endpoint, TABLE)
        return _measure(QUICK_SAMPLES if quick else SAMPLES, judged=not quick, only="log-in" if plant else "")
    finally:
        aws.interceptors.clear()
        engine.stop()


def _plant(passwords: Any) -> None:  # noqa: ANN401 - a module of the app: whatever is replaced in it
    """Answer at once where there is no password to compare with: the bug that this bench must find."""
    matches = passwords.matches
    passwords.matches = lambda password, stored: stored is not None and matches(password, stored)


def _measure(samples: int, *, judged: bool, only: str) -> list[Figure]:
    known, figures, order = _users(samples), [], random.Random(1)
    for name, send in _operations().items():
        if only not in {"", name}:
            continue
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number, email in enumerate(known):
            turns = [(True, email), (False, email.replace("known", "never"))]
            order.shuffle(turns)
            for is_known, address in turns:
                taken = send(address)
                if number >= samples // 20:  # before, caches fill
                    seconds[is_known].append(taken)
        figures.append(_figure(name, seconds[True], seconds[False], judged=judged))
    return figures


def _figure(name: str, known: Sequence[float], unknown: Sequence[float], *, judged: bool) -> Figure:
    gap, medians = distance(known, unknown), [statistics.median(each) * 1000 for each in (known, unknown)]
    limit = CRITICAL * math.sqrt(2 / len(known)) if judged else None
    note = f"p = {chance(gap, len(known), len(unknown)):.3f}, medians {medians[0]:.2f} and {medians[1]:.2f} ms"
    return Figure(f"{name}, known beside unknown addresses", gap, "D", limit, f"{note}, n = {len(known)} each")


def _users(samples: int) -> list[str]:
    from chalicelib.auth import passwords

    password_hash = passwords.hashed(PASSWORD)
    emails = [f"known-{number:05d}@people.test" for number in range(samples + samples // 20)]
    for email in emails:
        _new_user(email, password_hash)
    return emails


def _new_user(email: str, password_hash: str | None) -> Any:  # noqa: ANN401 - the app's, imported late
    from chalicelib.auth import store
    from chalicelib.auth.models import User
    from chalicelib.core import clock, ids, table
    from chalicelib.tenants import service as tenants

    user = User(ids.new("usr"), email, "Ada", password_hash, 1, clock.now_ms())
    table.transact([*store.creating_user(user), tenants.new_person_write(user.id, user.email, user.name)])
    return user


def _operations() -> dict[str, Send]:
    from app import app

    nobody = Caller(app, {})

    def log_in(email: str) -> float:
        return nobody.timed("POST", "/v1/auth/login", {"email": email, "password": "a wrong one"}, status=401)[0]

    def register(email: str) -> float:
        body = {"email": email, "password": PASSWORD, "name": "Ada"}
        return nobody.timed("POST", "/v1/auth/register", body)[0]

    def forgot_password(email: str) -> float:
        return nobody.timed("POST", "/v1/auth/forgot-password", {"email": email})[0]

    return {
        "log-in": log_in,
        "register": register,
        "forgot-password": forgot_password,
        "invite": _inviting(app),
    }


def _inviting(app: Any) -> Send:  # noqa: ANN401 - Chalice's
    from chalicelib.auth import sessions
    from chalicelib.core import table
    from chalicelib.core.http import Principal
    from chalicelib.tenants import service as tenants

    user = _new_user("owner@people.test", None)
    context, sent, url = Principal("user", user.id).to_context(), 0, ""
    owner = Caller(app, context)

    def invite(email: str) -> float:
        nonlocal owner, sent, url
        if sent % (2 * PAIRS_PER_TENANT) == 0:
            # A token lasts for 15 minutes, and a slow machine takes longer for all of this.
            owner = Caller(app, context, token=sessions.start(user).access_token)
            # More tenants than a person may have, so the owner forgets the one before.
            table.run(table.USERS.updating(user.id, "person", set_={"in": {}}))
            url = f"/v1/tenants/{tenants.create_tenant(user.id, 'Acme').tenant.id}/members"
        sent += 1
        return owner.timed("POST", url, {"email": email, "role": "agent"})[0]

    return invite


def main() -> int:
    """Measure this alone, perhaps with the bug planted that it must find."""
    parser = argparse.ArgumentParser(prog="python -m bench.enumeration", description=__doc__)
    parser.add_argument("--planted", action="store_true", help="answer log-ins of nobody at once: it must exit with 1")
    figures = run(quick=False, plant=parser.parse_args().planted)
    print(report.table(figures))
    return 0 if all(each.kept for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
