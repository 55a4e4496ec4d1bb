"""`python -m bench.regions`: exits with 1 when data left its region, or a restored one lost what was acknowledged."""

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import site
from bench.kill.truth import brief
from bench.regions import canaries, pair, restore
from bench.regions.pair import CODES, Pair
from bench.site import ORIGIN, Site
from bench.stack import Stack

LIMIT_SECONDS = 900
TRIED = 20  # words sent to the wrong region


def main() -> int:
    """Prove both, and tell what was measured."""
    options = _options()
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(LIMIT_SECONDS)
    began = time.monotonic()
    with _folder(options.keep) as folder, _receiver() as port:
        problems = _prove(folder, port, options.words, planted=options.plant)
    print(f"{time.monotonic() - began:.0f} s")
    if problems:
        print(f"NOT KEPT: {len(problems)} problems\n{brief(problems)}", flush=True)
        return 1
    print("kept: no region holds anything of another's, and the restored one lost nothing acknowledged", flush=True)
    return 0


def _prove(folder: Path, receiver: int, count: int, *, planted: bool) -> list[str]:
    with pair.running(folder) as regions:
        home, other = (regions.stacks[code] for code in CODES)
        sites = {code: site.build(stack) for code, stack in regions.stacks.items()}
        written = {}
        problems = _found_again(sites)
        for code, where in sites.items():
            written[code] = canaries.words(code, count)
            kinds = canaries.write(where, written[code], receiver)
            print(f"{code}: {count} words written: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}", flush=True)
        problems += _sent_away(sites, written)
        if planted:
            sites["us1"].agent().must("POST", "/v1/contacts", {"name": written["eu1"][0]})
        other.stop()
        print("the restore drill, in eu1", flush=True)
        drill = restore.load_and_export(sites["eu1"], folder)
        restored = Stack(folder / "eu1-restored")
        (folder / "eu1-restored").mkdir()
        try:
            problems += restore.lose_and_restore(drill, home, restored, folder / restore.EXPORT, sweep=not planted)
        finally:
            restored.stop()
    print(
        f"{drill.all_acknowledged} messages acknowledged, {len(drill.acknowledged)} of them before the moment;"
        f" {drill.items} items restored, {drill.without_event} of the messages without their event at first;"
        f" all dispatched {drill.seconds:.0f} s after the loss",
        flush=True,
    )
    if not drill.without_event:
        problems.append("every event had been dispatched before the moment: the drill proves nothing; run it again")
    return _residency(regions, folder, written) + problems


def _found_again(sites: dict[str, Site]) -> list[str]:
    """Ask every region for a new password of an account that one has: that one mails, with a link to itself."""
    problems: list[str] = []
    for code, own in sites.items():
        email = _lives_in(code)
        site.sign_up(own.stack, email)
        for each in sites.values():
            each.stack.caller().must("POST", "/v1/auth/forgot-password", {"email": email})
        link = site.mailed_link(own.stack, email, "reset-password")
        if not link.startswith(own.stack.base_url):
            problems.append(f"the link to an account of {code} leads to {link}")
    return problems


def _lives_in(code: str) -> str:
    return f"only-{code}@example.com"


def _sent_away(sites: dict[str, Site], written: dict[str, list[str]]) -> list[str]:
    """Send each region's credentials to the other, with words that must not stay there, and take each other's slug."""
    problems: list[str] = []
    for code, own in sites.items():
        (there,) = (each for name, each in sites.items() if name != code)
        stack = there.stack
        tenant = stack.caller(there.access_token)
        requests = {
            "an access token": stack.caller(own.access_token).send("GET", "/v1/auth/me"),
            "a tenant's id": tenant.send("GET", f"/v1/tenants/{own.tenant_id}"),
            "a client token": stack.caller(origin=ORIGIN).send(
                "POST", "/widget/v1/sessions", {"client_token": own.client_token}
            ),
        } | {
            f"an API key with {word}": stack.caller(own.api_key).send("POST", "/v1/contacts", {"name": word})
            for word in written[code][:TRIED]
        }
        for name, answer in requests.items():
            if answer.status != 421 or answer.json["error"]["base_url"] != own.stack.base_url:
                problems.append(f"{name} of {code} got {answer.status} elsewhere: {answer.body.decode()}")
        slug = own.stack.caller(own.api_key).must("GET", f"/v1/tenants/{own.tenant_id}")["slug"]
        answer = tenant.send("POST", "/v1/tenants", {"name": "Copy", "slug": slug})
        if answer.status != 409:
            problems.append(f"the slug {slug} of {code} could be taken elsewhere: {answer.status}")
        if mails := stack.caller().must("GET", f"/_local/mail?to={_lives_in(code)}")["data"]:
            problems.append(f"who has an account in {code} got a mail from elsewhere: {mails[0]['subject']}")
        listed = [each["base_url"] for each in stack.caller().must("GET", "/v1/regions")["data"]]
        if listed != [each.stack.base_url for each in sites.values()]:
            problems.append(f"the regions are listed as {listed}")
    print(f"credentials and slugs of {' and '.join(sites)} tried in the other: {len(problems)} problems", flush=True)
    return problems


def _residency(regions: Pair, folder: Path, written: dict[str, list[str]]) -> list[str]:
    """Search every byte that each region has kept, and the directory's."""
    problems = []
    places = {code: [folder / code] for code in regions.stacks} | {"the directory": [regions.directory]}
    places["eu1"].append(folder / "eu1-restored")
    for name, folders in places.items():
        seen = canaries.search(folders, regions.stacks)
        own = set(written.get(name, []))
        strange = {word: files for word, files in seen.words.items() if word not in own}
        missing = own - seen.words.keys()
        problems += [f"{word} is in {name}: {min(files)}" for word, files in strange.items()]
        problems += [f"{word} was not found in its own region: the search proves nothing" for word in missing]
        problems += [
            f"something of {code} is in {name} in Base64: {min(files)}"
            for code, files in seen.disguised.items()
            if code != name
        ]
        print(
            f"{name}: {seen.files} files, {seen.bytes / 1e6:.1f} MB searched; {len(own) - len(missing)} own words"
            f" found of {len(own)}, {len(strange)} of another region's",
            flush=True,
        )
    return problems


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.regions", description="See docs/regions.md.")
    parser.add_argument("--words", type=int, default=1000, help="canary words in each region")
    parser.add_argument("--plant", action="store_true", help="let a word stray and skip the sweep: both must be found")
    parser.add_argument("--keep", action="store_true", help="keep the data and say where")
    return parser.parse_args()


@contextlib.contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="parley-regions-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"data and logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _receiver() -> Iterator[int]:
    """Run an endpoint that takes webhooks; gives its port."""
    command = [sys.executable, "-m", "bench.receivers", "healthy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            ports: Any = json.loads(process.stdout.readline()) if process.stdout else []
            yield int(ports[0])
        finally:
            process.terminate()


def _out_of_time(_number: int, _frame: object) -> None:
    raise TimeoutError(f"not done after {LIMIT_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
