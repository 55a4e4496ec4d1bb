"""Words that are written into one region in every way there is, and searched for in the bytes of another."""

import base64
import re
import secrets
import string
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.caller import Caller
from bench.site import Site

WRITERS = 4
ARRIVE_SECONDS = 120
_MARK = "canary"
_CHANCE = 12  # letters: nothing else looks like it
# How forty words in turn are written.
_PLAN = (
    *("message",) * 16,
    *("contact",) * 8,
    *("file", "mail", "note") * 4,
    *("canned response", "canned response", "context", "webhook"),
)


def words(code: str, count: int) -> list[str]:
    """Return new words that name the region they are for."""
    letters = string.ascii_lowercase
    return [f"{_MARK}{code}{''.join(secrets.choice(letters) for _ in range(_CHANCE))}" for _ in range(count)]


def write(site: Site, given: list[str], receiver: int) -> Counter[str]:
    """Write each word once, in turn as a message, a contact, a file …, and wait until mails and webhooks are out.

    Returns how many were written in which way. `receiver` is the port of an endpoint that takes webhooks.
    """
    url = f"http://127.0.0.1:{receiver}/"
    site.agent().must("POST", "/v1/webhooks", {"url": url, "events": ["message.created", "contact.created"]})
    kinds = [(_PLAN[number % len(_PLAN)], word) for number, word in enumerate(given)]
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(_Writer(site, url).write, kinds[first::WRITERS]) for first in range(WRITERS)]:
            done.result()
    counted = Counter(kind for kind, _ in kinds)
    _wait_for("mails", lambda: len(_mailed(site)) >= counted["mail"])
    return counted


def _mailed(site: Site) -> list[str]:
    mails = site.stack.caller().must("GET", "/_local/mail")["data"]
    return [mail["to"] for mail in mails if _MARK in mail["to"]]


def _wait_for(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ARRIVE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not all {what} were out after {ARRIVE_SECONDS} s")
        time.sleep(0.2)


class _Writer:
    """One of those who write: an agent and a visitor with a conversation."""

    def __init__(self, site: Site, url: str) -> None:
        self._site, self._url = site, url
        self._agent, self._visitor = site.agent(), site.visitor()
        self._conversation = ""

    def write(self, kinds: Iterable[tuple[str, str]]) -> None:
        """Write words, each in its way."""
        for kind, word in kinds:
            getattr(self, "_" + kind.replace(" ", "_"))(word)
        self._agent.close()
        self._visitor.close()

    def _message(self, word: str) -> None:
        message = {"content": f"I said {word} to you.", "client_msg_id": word}
        if self._conversation:
            self._visitor.must("POST", f"/widget/v1/conversations/{self._conversation}/messages", message)
        else:
            begun = self._visitor.must("POST", "/widget/v1/conversations", {"message": message})
            self._conversation = begun["conversation"]["id"]

    def _note(self, word: str) -> None:
        path = f"/v1/conversations/{self._conversation}/messages"
        self._agent.must("POST", path, {"content": f"Note {word}", "private": True})

    def _contact(self, word: str) -> None:
        self._agent.must("POST", "/v1/contacts", {"name": f"Kim {word}", "email": f"{word}@example.com"})
        self._agent.must("GET", f"/v1/contacts?search={word}")

    def _file(self, word: str) -> None:
        _upload(self._agent, f"{word}.txt", f"It says {word} in here.\n".encode())

    def _mail(self, word: str) -> None:
        path = f"/v1/tenants/{self._site.tenant_id}/members"
        self._agent.must("POST", path, {"email": f"{word}@example.com", "role": "agent"})

    def _canned_response(self, word: str) -> None:
        self._agent.must("POST", "/v1/canned-responses", {"shortcut": f"/{word}", "content": f"About {word}"})

    def _context(self, word: str) -> None:
        self._visitor.must("PUT", "/widget/v1/context", {"context": {"plan": word}})

    def _webhook(self, word: str) -> None:
        body = {"url": f"{self._url}{word}", "events": ["conversation.created"], "description": word}
        self._agent.must("POST", "/v1/webhooks", body)


def _upload(caller: Caller, name: str, data: bytes) -> None:
    boundary = secrets.token_hex(8)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    form = f"{head}Content-Type: text/plain\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    caller.must("POST", "/v1/files", form, content_type=f"multipart/form-data; boundary={boundary}")


@dataclass
class Seen:
    """What was found in the bytes of some folders."""

    words: dict[str, set[str]] = field(default_factory=dict)  # by word, the files it is in
    disguised: dict[str, set[str]] = field(default_factory=dict)  # by region's code, files that have it in Base64
    files: int = 0
    bytes: int = 0


def search(folders: Iterable[Path], codes: Iterable[str]) -> Seen:
    """Read every byte of every file below the folders: tables, objects, queues, mails, logs."""
    seen = Seen()
    for file in (each for folder in folders for each in sorted(folder.rglob("*")) if each.is_file()):
        raw = file.read_bytes()
        seen.files, seen.bytes = seen.files + 1, seen.bytes + len(raw)
        # Names count, too; and text may be stored in two bytes a letter.
        for text in (raw, str(file).encode(), raw[::2], raw[1::2]):
            for word in re.findall(rb"%b[a-z0-9]{3}[a-z]{%d}" % (_MARK.encode(), _CHANCE), text.lower()):
                seen.words.setdefault(word.decode(), set()).add(str(file))
        for code in codes:
            if any(part in raw for part in _in_base64(f"{_MARK}{code}")):
                seen.disguised.setdefault(code, set()).add(str(file))
    return seen


def _in_base64(text: str) -> list[bytes]:
    """Return what stands in Base64 where the text begins at the first, second or third byte of a group."""
    found = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text.encode())
        found.append(whole[(0, 2, 3)[before] : (before + len(text)) // 3 * 4])
    return found
