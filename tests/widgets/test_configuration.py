"""The public configuration: what a visitor's browser reads, and which pages may."""

import pytest

from chalicelib.core import ids
from chalicelib.core.table import tenant_rows
from chalicelib.widgets.models import new_client_token, read_client_token
from tests.support import settings
from tests.support.answers import without_request_id
from tests.support.aws import Services
from tests.support.tenants import new_key, new_tenant
from tests.support.widgets import configuration, mistyped, new_domain, new_widget

PUBLIC = {
    "id",
    "title",
    "greeting",
    "offline_message",
    "color",
    "position",
    "language",
    "logo_url",
}


def new_site(*domains: str) -> str:
    """Return the client token of a tenant with these domains."""
    tenant = new_tenant()
    for domain in domains:
        new_domain(tenant.owner.client, domain)
    token: str = tenant.created["default_widget"]["client_token"]
    return token


class TestConfiguration:
    def test_an_allowed_page_reads_it_without_a_credential(self):
        tenant = new_tenant(domain="www.example.com")
        widget = tenant.created["default_widget"]
        answer = configuration(widget["client_token"])
        assert answer.status == 200
        assert answer.json == {name: widget[name] for name in PUBLIC}  # nothing internal
        assert answer.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_it_is_sent_again_only_when_it_changed(self):
        tenant = new_tenant(domain="www.example.com")
        widget = tenant.created["default_widget"]
        etag = configuration(widget["client_token"]).headers["ETag"]
        unchanged = configuration(widget["client_token"], If_None_Match=etag)
        assert (unchanged.status, unchanged.text) == (304, "")
        assert unchanged.headers["Cache-Control"] == "public, max-age=300"
        assert unchanged.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
        tenant.owner.client.patch(f"/v1/widgets/{widget['id']}", {"title": "Questions?"})
        changed = configuration(widget["client_token"], If_None_Match=etag)
        assert (changed.status, changed.json["title"]) == (200, "Questions?")

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("https://www.example.com", 200),
            ("https://shop.example.org", 200),
            ("http://localhost:3000", 200),
            (None, 403),
            ("", 403),
            ("null", 403),
            ("http://www.example.com", 403),
            ("https://www.example.com:8443", 403),
            ("https://example.com", 403),
            ("https://example.org", 403),
            ("https://a.shop.example.org", 403),
            ("https://www.example.com.evil.com", 403),
            ("http://localhost:3001", 403),
            ("https://evil.com@www.example.com", 403),
        ],
    )
    def test_only_pages_of_the_tenants_domains_may(self, origin: str | None, status: int):
        token = new_site("www.example.com", "*.example.org", "localhost:3000")
        answer = configuration(token, origin)
        assert answer.status == status
        if status == 403:
            assert answer.code == "origin_not_allowed"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"

    def test_another_tenants_domain_does_not_help(self):
        new_site("www.example.com")
        assert configuration(new_site("www.example.org")).status == 403

    def test_this_machine_is_shut_out_of_a_deployment_even_if_it_was_allowed_once(self):
        token = new_site("localhost:3000")
        with settings.changed(ALLOW_LOOPBACK_DOMAINS=""):
            assert configuration(token, "http://localhost:3000").status == 403

    def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(self):
        tenant = new_tenant(domain="www.example.com")
        good = tenant.created["default_widget"]["client_token"]
        widget_id = tenant.created["default_widget"]["id"]
        deleted = new_widget(tenant.owner.client)
        tenant.owner.client.delete(f"/v1/widgets/{deleted['id']}")
        wrong = [
            mistyped(good),
            "nonsense",
            good[:-1],
            good + "0",
            good.swapcase(),
            new_client_token(tenant.id, ids.new("wgt"), b"123456"),  # no such widget
            new_client_token(ids.new("tn"), widget_id, b"123456"),  # another tenant's
            new_client_token(tenant.id, widget_id, b"123456"),  # its own random part guessed wrong
            new_client_token(tenant.id + "~test", widget_id, b"123456"),  # among its test data
            deleted["client_token"],
        ]
        answers = {without_request_id(configuration(token)) for token in wrong}
        assert len(answers) == 1
        assert next(iter(answers))[0] == 404
        assert {without_request_id(configuration(token, None)) for token in wrong} == answers
        native = tenant.owner.client.get(f"/v1/widgets/{ids.new('wgt')}")
        assert answers == {without_request_id(native)}

    def test_it_costs_one_read_and_a_mistyped_token_none(self, services: Services):
        token = new_site("www.example.com")
        services.reset()
        configuration(token)
        assert services.calls == [("dynamodb", "batch_get_item")]
        services.reset()
        configuration(mistyped(token))
        assert services.calls == []

    def test_a_test_mode_widget_answers_to_the_test_datas_domains(self):
        tenant = new_tenant(domain="www.example.com")
        key = new_key(tenant, mode="test")
        token = new_widget(key)["client_token"]
        assert configuration(token).status == 403
        new_domain(key, "www.example.com")
        assert configuration(token).status == 200
        live = tenant.created["default_widget"]["client_token"]
        assert configuration(live, "https://trial.example.com").status == 403
        new_domain(key, "trial.example.com")
        assert configuration(live, "https://trial.example.com").status == 403


def test_a_token_names_its_tenant_its_mode_and_its_widget():
    tenant_id, widget_id = ids.new("tn"), ids.new("wgt")
    for space in (tenant_id, tenant_id + "~test"):
        token = new_client_token(space, widget_id, b"\xff" * 6)
        assert read_client_token(token) == (space, widget_id)
        assert tenant_rows(space).scope == space
