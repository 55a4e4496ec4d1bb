"""`keys`: a tenant's own through the API; the signing keys in the secret."""

import json
from collections.abc import Iterator

import pytest

import app
from tests.support.clocks import later
from tests.support.operator import parley
from tests.support.serving import serving
from tests.support.settings import changed
from tests.support.tenants import anonymous, new_tenant


@pytest.fixture
def secret(services) -> Iterator[str]:
    """A key of a tenant, and the API on a port."""
    found: str = new_tenant().owner.client.post("/v1/api-keys", {"name": "operator"}).json["secret"]
    with serving(app.app, {}) as url, changed(API_URL=url):
        yield found


class TestOfATenant:
    def test_rotated_and_revoked_by_id(self, secret, tmp_path):
        file = tmp_path / "key"
        file.write_text(f"{secret}\n")
        by = ("--key-file", str(file))
        (row,) = parley("keys", "list", *by, "--json").json["data"]
        assert secret.endswith(row["hint"])
        assert "…" + row["hint"] in parley("keys", "rotate", row["id"], *by, code=2).err
        new = parley("keys", "rotate", row["id"], *by, "--yes").out.strip()
        assert anonymous().using(new).get("/v1/tenants").status in {200, 403}
        assert "401" in parley("keys", "list", *by, code=1).err
        file.write_text(new)
        parley("keys", "revoke", row["id"], *by, "--yes")
        assert "401" in parley("keys", "list", *by, code=1).err

    def test_a_key_never_stands_on_the_command_line(self, secret):
        assert "No such option" in parley("keys", "list", "--key", secret, code=2).err
        assert "PARLEY_API_KEY" in parley("keys", "list", code=2).err

    def test_a_key_goes_over_https_only(self):
        with changed(API_URL="http://api.example.com", API_KEY="k"):
            assert "https only" in parley("keys", "list", code=2).err

    def test_an_api_that_is_not_there_is_said_in_one_line(self):
        with changed(API_URL="http://127.0.0.1:9", API_KEY="k"):
            error = parley("keys", "list", code=3).err
        assert error == "Error: http://127.0.0.1:9 does not answer: [Errno 111] Connection refused\n"


class TestSigning:
    def test_a_new_one_signs_after_a_while_and_private_parts_are_not_shown(self, services):
        (first,) = parley("keys", "signing", "show", "--json").json["data"]
        parley("keys", "signing", "rotate", code=2)
        kid = parley("keys", "signing", "rotate", "--yes", "--json").json["kid"]
        done = parley("keys", "signing", "show", "--json")
        assert [(row["kid"], row["state"]) for row in done.json["data"]] == [(kid, "next"), (first["kid"], "signs")]
        assert "PRIVATE" in services.secret
        assert "PRIVATE" not in done.out
        assert "does not sign yet" in parley("keys", "signing", "rotate", "--yes", code=1).err
        with later(601_000):
            shown = parley("keys", "signing", "show", "--json").json["data"]
        assert [row["state"] for row in shown] == ["signs", "verifies only"]
        assert len(json.loads(services.secret)["signing_keys"]) == 2
