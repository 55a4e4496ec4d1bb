"""The operator's command for a deployment whose sign-up is closed."""

from urllib.parse import parse_qs, urlsplit

from chalicelib.auth import store
from chalicelib.core.table import USERS
from chalicelib.tenants import service as tenants
from tests.support.operator import parley
from tests.support.people import logged_in, mails_to, new_email
from tests.support.queues import drain


def test_the_link_it_prints_sets_the_password_of_an_owner(client, services):
    email = new_email()
    done = parley("create-owner", "--email", email.upper(), "--name", "Ada", "--tenant", "Acme")
    link = urlsplit(done.out.splitlines()[-1])
    assert (link.netloc, link.path) == ("api.test", "/auth/reset-password")
    body = {"token": parse_qs(link.query)["token"][0], "password": "first password"}
    assert client.post("/v1/auth/reset-password", body).status == 200
    drain(services)
    user_id = store.find_user_id(email)
    assert user_id
    assert [row["ty"] for row in USERS.query(user_id, prefix="e#").items] == ["user.password_set"]
    assert tenants.get_person(user_id).name == "Ada"
    assert mails_to(services, email) == []  # nobody needs a warning of their first password
    me = client.using(logged_in(client, email, "first password")["access_token"]).get("/v1/auth/me").json
    assert (me["email"], me["name"]) == (email, "Ada")
    assert [each["role"] for each in me["memberships"]] == ["owner"]


def test_until_then_no_password_is_theirs(client, services):
    email = new_email()
    parley("create-owner", "--email", email)
    assert client.post("/v1/auth/login", {"email": email, "password": "None"}).code == "invalid_credentials"


def test_it_refuses_what_it_cannot_make(services):
    email = new_email()
    parley("create-owner", "--email", email)
    assert "has an account" in parley("create-owner", "--email", email, code=1).err
    assert "not an e-mail address" in parley("create-owner", "--email", "not an address", code=2).err
