"""What is true of every call: keys, forms, errors, idempotency, pages, expansion."""

import json

import pytest
import stripe

from tests.support.stripe_double import DAY, KEY, InProcess

AUTH = {"Authorization": f"Bearer {KEY}"}


def call(world, method, path, content="", **headers):
    reply = world.double.api(method, path, content, AUTH | headers)
    return reply.status, json.loads(reply.body)


def refused(world, method, path, content=""):
    status, body = call(world, method, path, content)
    return (
        status,
        body["error"]["code"] if "code" in body["error"] else body["error"]["type"],
        body["error"].get("param"),
    )


class TestCredentials:
    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": "Bearer sk_live_x"}, {"Authorization": "Bearer nonsense"}]
    )
    def test_without_a_test_key_nothing_is_answered(self, world, header):
        reply = world.double.api("GET", "/v1/customers", "", header)
        assert (reply.status, json.loads(reply.body)["error"]["type"]) == (401, "invalid_request_error")

    def test_the_library_calls_that_an_authentication_error(self, world):
        client = stripe.StripeClient("pk_x", http_client=InProcess(world.double), base_addresses={"api": "http://x"})
        with pytest.raises(stripe.AuthenticationError):
            client.v1.customers.list()

    def test_another_version_of_the_api_is_refused(self, world):
        with pytest.raises(stripe.InvalidRequestError, match="version"):
            world.v1.customers.list({}, {"stripe_version": "2020-08-27"})


class TestForms:
    @pytest.mark.parametrize(
        ("path", "content", "expected"),
        [
            ("customers", "surprise=1", ("parameter_unknown", "surprise")),
            ("customers", "invoice_settings[surprise]=1", ("parameter_unknown", "invoice_settings[surprise]")),
            ("subscriptions", "items[0][price]=x", ("parameter_missing", "customer")),
            ("subscriptions", "customer=&items[0][price]=x", ("parameter_invalid_empty", "customer")),
            ("subscriptions", "customer=x&items[0][price]=x&items[0][quantity]=many",
             ("parameter_invalid_integer", "items[0][quantity]")),
            ("subscriptions", "customer=x&items=x", ("invalid_request_error", "items")),
            ("subscriptions", "customer=cus_x&items[0][price]=x", ("resource_missing", "customer")),
            ("prices", "currency=usd&unit_amount=1&product=prod_x", ("resource_missing", "product")),
            ("prices", "currency=usd&product_data[name]=x", ("parameter_missing", "unit_amount")),
            ("customers", "metadata=x", ("invalid_request_error", "metadata")),
            ("customers", "a[b=1", ("invalid_request_error", "a[b")),
            ("customers", "email=a&email[b]=c", ("invalid_request_error", "email[b]")),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named(self, world, path, content, expected):
        assert refused(world, "POST", f"/v1/{path}", content) == (400, *expected)

    def test_what_the_path_names_and_is_not_there_is_404(self, world):
        assert refused(world, "GET", "/v1/customers/cus_x") == (404, "resource_missing", "id")
        assert refused(world, "GET", "/v1/nonsense")[0] == 404
        price = world.price()
        assert refused(world, "GET", f"/v1/customers/{price.id}") == (404, "resource_missing", "id")

    def test_metadata_is_merged_and_unset(self, world):
        customer = world.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
        changed = world.v1.customers.update(customer.id, {"metadata": {"b": "", "c": "3"}, "name": "Ada"})
        assert changed.metadata.to_dict() == {"a": "1", "c": "3"}
        assert world.v1.customers.update(customer.id, {"metadata": "", "name": ""}).metadata.to_dict() == {}
        assert world.v1.customers.retrieve(customer.id).name is None

    def test_lookup_keys_are_unique_until_they_are_transferred(self, world):
        first = world.price(lookup_key="a")
        with pytest.raises(stripe.InvalidRequestError):
            world.price(lookup_key="a")
        second = world.price(lookup_key="a", transfer_lookup_key=True)
        assert [price.id for price in world.v1.prices.list({"lookup_keys": ["a"]}).data] == [second.id]
        assert world.v1.prices.retrieve(first.id).lookup_key is None


class TestIdempotency:
    def test_the_same_request_is_answered_again_without_another_effect(self, world):
        options = {"idempotency_key": "k"}
        first = world.v1.customers.create({"name": "Ada"}, options)
        again = world.v1.customers.create({"name": "Ada"}, options)
        assert first.id == again.id
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert len(world.v1.customers.list().data) == 1

    def test_other_parameters_are_an_error(self, world):
        world.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
        with pytest.raises(stripe.IdempotencyError):
            world.v1.customers.create({"name": "Bob"}, {"idempotency_key": "k"})
        with pytest.raises(stripe.IdempotencyError):
            world.v1.products.create({"name": "Ada"}, {"idempotency_key": "k"})

    def test_a_refusal_is_kept_once_the_work_began_and_not_before(self, world):
        customer, price = world.customer(card=None), world.price()
        wanted = {"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "error_if_incomplete"}
        for _ in range(2):
            with pytest.raises(stripe.CardError):
                world.v1.subscriptions.create(wanted, {"idempotency_key": "began"})
            world.pay_with(customer, "pm_card_visa")  # too late for this key
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.customers.create({"surprise": "1"}, {"idempotency_key": "not"})
        assert world.v1.customers.create({"name": "Ada"}, {"idempotency_key": "not"}).name == "Ada"

    def test_a_key_is_forgotten_after_a_day(self, world):
        first = world.v1.customers.create({}, {"idempotency_key": "k"})
        world.pass_time(DAY)
        assert world.v1.customers.create({}, {"idempotency_key": "k"}).id != first.id

    def test_the_events_of_a_request_carry_its_key(self, world):
        world.v1.customers.create({}, {"idempotency_key": "k"})
        (event,) = world.v1.events.list({"type": "customer.created"}).data
        assert event.request.idempotency_key == "k"


class TestPages:
    def test_pages_follow_each_other_newest_first(self, world):
        made = [world.v1.customers.create({"name": str(n)}).id for n in range(25)][::-1]
        first = world.v1.customers.list({"limit": 10})
        assert ([each.id for each in first.data], first.has_more) == (made[:10], True)
        assert [each.id for each in first.auto_paging_iter()] == made
        before = world.v1.customers.list({"limit": 10, "ending_before": made[15]})
        assert ([each.id for each in before.data], before.has_more) == (made[5:15], True)

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "starting_after=cus_x", "starting_after=a&ending_before=b"]
    )
    def test_what_cannot_be_is_refused(self, world, query):
        assert refused(world, "GET", "/v1/customers", query)[0] == 400

    def test_lists_are_filtered(self, world):
        price = world.price()
        one, two = world.customer(), world.customer()
        world.subscribe(one, price)
        canceled = world.v1.subscriptions.cancel(world.subscribe(two, price).id)
        assert world.v1.subscriptions.list({"customer": two.id}).data == []
        assert [each.id for each in world.v1.subscriptions.list({"customer": two.id, "status": "all"}).data] == [
            canceled.id
        ]
        assert len(world.v1.subscriptions.list({"price": price.id}).data) == 1
        assert len(world.v1.invoices.list({"customer": one.id, "status": "paid"}).data) == 1
        assert world.v1.events.list({"type": "customer.subscription.*", "created": {"gt": world.time}}).data == []
        assert len(world.v1.events.list({"types": ["customer.subscription.deleted", "price.created"]}).data) == 2


class TestExpand:
    def test_ids_become_what_they_name(self, world):
        subscription = world.subscribe(world.customer(), world.price())
        found = world.v1.subscriptions.retrieve(
            subscription.id, {"expand": ["customer", "latest_invoice.customer", "items.data.price.product"]}
        )
        assert (found.customer.name, found.latest_invoice.customer.name) == ("Ada", "Ada")
        assert found["items"].data[0].price.product.name == "Starter"
        assert world.v1.subscriptions.retrieve(subscription.id).customer == found.customer.id

    @pytest.mark.parametrize("path", ["nonsense", "status", "customer.name.x", "a.b.c.d.e"])
    def test_what_is_no_id_is_refused(self, world, path):
        subscription = world.subscribe(world.customer(), world.price())
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.subscriptions.retrieve(subscription.id, {"expand": [path]})

    def test_tiers_are_shown_where_they_are_asked_for(self, world):
        price = world.metered()
        assert "tiers" not in world.v1.prices.retrieve(price.id)
        assert len(world.v1.prices.retrieve(price.id, {"expand": ["tiers"]}).tiers) == 2


class TestDeletion:
    def test_a_deleted_customer_leaves_a_stub_and_no_subscription(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price())
        world.v1.customers.delete(customer.id)
        assert world.v1.customers.retrieve(customer.id).deleted is True
        assert world.status(subscription) == "canceled"
        assert world.v1.customers.list().data == []
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.customers.update(customer.id, {"name": "x"})
