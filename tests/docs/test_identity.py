"""The samples of `docs/identity.md` make tokens that prove what they say."""

import json
import subprocess

from chalicelib.core import tokens
from chalicelib.visitors.identity import Identity, read_identity_token

PAGE = "docs/identity.md"
SECRET = tokens.pack("parley_is_", bytes(32))
USER = {"id": 7, "email": "kim@example.com", "name": "Kim Lée"}


def test_the_python_sample(fenced):
    (sample,) = fenced(PAGE, "python")
    names: dict[str, object] = {}
    exec(sample, names)  # noqa: S102 - our own page
    made = names["identity_token"](SECRET, USER)  # type: ignore[operator]
    assert read_identity_token(made, [SECRET]) == Identity("7", "kim@example.com", "Kim Lée")


def test_the_node_sample(fenced):
    (sample,) = fenced(PAGE, "js")
    script = f"{sample}\nprocess.stdout.write(identityToken({json.dumps(SECRET)}, {json.dumps(USER)}));"
    made = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True).stdout
    assert read_identity_token(made, [SECRET]) == Identity("7", "kim@example.com", "Kim Lée")
