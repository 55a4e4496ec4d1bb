"""The samples of docs/webhooks.md, run: each takes what we sign, and nothing else."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import clock
from chalicelib.webhooks import signing

PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
EVENT = {"id": "evt_1", "type": "message.created", "data": {"content": 'Grüße, 世界 \\ " /'}}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()
OURS, OLD, THEIRS = (signing.secret_of(bytes([number]) * 32) for number in (1, 2, 3))
TOO_LONG_S = 301

NODE = """
import { readFileSync } from "node:fs";
const taken = ({ secret, headers, body }) => {
  try { return verify(secret, headers, Buffer.from(body, "base64")); } catch { return null; }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(taken)));
"""
PHP = """
$taken = function (array $case): ?array {
    try {
        return verify($case['secret'], $case['headers'], base64_decode($case['body']));
    } catch (UnexpectedValueException $refused) {
        return null;
    }
};
echo json_encode(array_map($taken, json_decode(stream_get_contents(STDIN), true)));
"""


@dataclass(frozen=True)
class Case:
    name: str
    taken: bool
    headers: dict[str, str]
    body: bytes = BODY


def signed(*secrets: str, ago: int = 0) -> dict[str, str]:
    return signing.headers("evt_1", clock.now_s() - ago, BODY, secrets)


def cases() -> list[Case]:
    good = signed(OURS)
    signature = good["webhook-signature"]
    return [
        Case("as we sign it", True, good),
        Case("while the secret is being rotated", True, signed(OLD, OURS)),
        Case("some minutes late", True, signed(OURS, ago=240)),
        Case("with another secret", False, signed(THEIRS, OLD)),
        Case("too old", False, signed(OURS, ago=TOO_LONG_S + 60)),
        Case("from the future", False, signed(OURS, ago=-TOO_LONG_S - 60)),
        Case("another body", False, good, BODY.replace(b"evt_1", b"evt_2")),
        Case("another id", False, good | {"webhook-id": "evt_2"}),
        Case("another time", False, good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}),
        Case("no time", False, good | {"webhook-timestamp": "now"}),
        Case("no signature", False, good | {"webhook-signature": ""}),
        Case("half a signature", False, good | {"webhook-signature": signature[:20]}),
        Case("another scheme", False, good | {"webhook-signature": signature.replace("v1,", "v2,")}),
        Case("no ASCII", False, good | {"webhook-signature": signature[:-1] + "é"}),
    ]


def sample(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def run(language: str, given: list[Case]) -> list[Any]:
    """What a sample makes of each case: the event, or None where it refuses."""
    if language == "python":
        names: dict[str, Any] = {}
        exec(compile(sample(language), str(PAGE), "exec"), names)  # noqa: S102 - our own page
        return [_python(names["verify"], case) for case in given]
    if language == "javascript":
        command = ["node", "--input-type=module", "-e", sample(language) + NODE]
    else:
        command = ["php", "-r", sample(language).removeprefix("<?php") + PHP]
    given_json = json.dumps(
        [{"secret": OURS, "headers": case.headers, "body": base64.b64encode(case.body).decode()} for case in given]
    )
    done = subprocess.run(command, input=given_json, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def _python(verify: Any, case: Case) -> Any:
    try:
        return verify(OURS, case.headers, case.body)
    except ValueError:
        return None


@pytest.mark.parametrize("language", ["python", "javascript", "php"])
def test_a_sample_takes_what_we_sign_and_nothing_else(language):
    if language == "php" and shutil.which("php") is None:
        pytest.skip("there is no php here: apt-get install php-cli runs this sample too")
    given = cases()
    found = dict(zip([case.name for case in given], run(language, given), strict=True))
    assert found == {case.name: EVENT if case.taken else None for case in given}
