"""The pages, as a browser gets them: asked as ASGI first, then clicked through in Chromium."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from local.stripe_double.door import StripeDoor
from local.stripe_double.paths import PATH
from tests.support.browser import Browser, Tab, chromium, find_chromium
from tests.support.serving import serving
from tests.support.stripe_double import DAY, DECLINED, FAILS_LATER, HOUR, MONTH, VISA

BACK = "http://shop.example/billing"


class Answer:
    def __init__(self, sent):
        self.status = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.text = sent[1]["body"].decode()


def ask(world, method, path, form=None, **headers):
    sent = []

    async def send(part):
        sent.append(part)

    async def receive():
        return {"type": "http.request", "body": urlencode(form or {}).encode()}

    fields = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
    scope = {"method": method, "path": path, "query_string": b"", "headers": fields}
    asyncio.run(StripeDoor(world.double)(scope, receive, send))
    return Answer(sent)


@pytest.fixture
def customer(world):
    return world.customer(card=None)


@pytest.fixture
def checkout(world, customer):
    line = {"price": world.price(3100).id, "quantity": 2}
    session = {"mode": "subscription", "customer": customer.id, "line_items": [line, {"price": world.metered().id}]}
    urls = {"success_url": BACK + "?s={CHECKOUT_SESSION_ID}", "cancel_url": BACK}
    return world.v1.checkout.sessions.create(session | urls)


def path_of(url):
    return url.removeprefix("http://127.0.0.1:8000")


class TestCheckout:
    def test_who_pays_goes_back_to_the_shop(self, world, checkout, customer):
        page = ask(world, "GET", path_of(checkout.url))
        assert page.status == 200
        assert all(words in page.text for words in ("$62.00", "2 × Starter", "ada@example.com", "$0.05 each"))
        done = ask(world, "POST", path_of(checkout.url), {"number": VISA})
        assert (done.status, done.headers["location"]) == (303, f"{BACK}?s={checkout.id}")
        assert world.v1.subscriptions.list({"customer": customer.id}).data[0].status == "active"
        assert ask(world, "GET", path_of(checkout.url)).status == 410

    @pytest.mark.parametrize("number", [FAILS_LATER, DECLINED, "1", ""])
    def test_a_card_that_is_refused_says_so_and_another_may_be_tried(self, world, checkout, number):
        page = ask(world, "POST", path_of(checkout.url), {"number": number})
        assert page.status == 402
        assert "alert" in page.text
        assert ask(world, "POST", path_of(checkout.url), {"number": VISA}).status == 303

    def test_a_form_of_another_site_is_refused(self, world, checkout):
        page = ask(world, "POST", path_of(checkout.url), {"number": VISA}, origin="http://evil.example")
        assert page.status == 404
        assert world.v1.checkout.sessions.retrieve(checkout.id).status == "open"

    def test_what_a_customer_is_called_cannot_become_markup(self, world, checkout, customer):
        world.v1.customers.update(customer.id, {"name": '"><script>alert(1)</script>'})
        page = ask(world, "GET", path_of(checkout.url))
        assert "<script" not in page.text
        assert "<script" not in ask(world, "GET", PATH).text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")


class TestPortal:
    @pytest.fixture
    def portal(self, world, checkout, customer):
        world.check_out(checkout)
        return path_of(world.v1.billing_portal.sessions.create({"customer": customer.id, "return_url": BACK}).url)

    def subscription(self, world, customer):
        return world.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data[0]

    def test_it_shows_what_there_is(self, world, customer, portal):
        page = ask(world, "GET", portal)
        assert all(words in page.text for words in ("Active", "2 × Starter", "Visa ending in 4242", BACK, "$62.00"))

    def test_canceling_and_taking_it_back(self, world, customer, portal):
        subscription = self.subscription(world, customer)
        for action, expected in (("cancel", True), ("keep", False)):
            done = ask(world, "POST", portal, {"action": action, "subscription": subscription.id})
            assert done.status == 303
            assert self.subscription(world, customer).cancel_at_period_end is expected

    def test_changing_to_a_plan_that_is_offered(self, world, customer, portal):
        subscription, pro = self.subscription(world, customer), world.price(6200, name="Pro")
        change = {"action": "choose", "subscription": subscription.id, "price": pro.id}
        assert ask(world, "POST", portal, change).status == 400
        (configuration,) = world.v1.billing_portal.configurations.list().data
        offered = {"enabled": True, "default_allowed_updates": ["price"]}
        products = [{"product": pro.product, "prices": [pro.id]}]
        features = {"subscription_update": offered | {"products": products}}
        world.v1.billing_portal.configurations.update(configuration.id, {"features": features})
        assert "Change to Pro" in ask(world, "GET", portal).text
        assert ask(world, "POST", portal, change).status == 303
        items = self.subscription(world, customer)["items"].data
        assert {item.price.id for item in items} > {pro.id}
        assert items[0].quantity == 2

    def test_a_new_card_pays_or_is_refused(self, world, customer, portal):
        assert ask(world, "POST", portal, {"action": "pay_with", "number": DECLINED}).status == 402
        assert ask(world, "POST", portal, {"action": "pay_with", "number": FAILS_LATER}).status == 303
        world.pass_time(MONTH + HOUR)
        assert self.subscription(world, customer).status == "past_due"

    def test_another_customers_subscription_is_not_there(self, world, portal):
        foreign = world.subscribe(world.customer(), world.price())
        assert ask(world, "POST", portal, {"action": "cancel", "subscription": foreign.id}).status == 404
        assert ask(world, "POST", portal, {"action": "nonsense"}).status == 404

    def test_a_session_ends(self, world, portal):
        world.pass_time(HOUR)
        assert ask(world, "GET", portal).status == 410


class TestInvoice:
    def test_an_open_one_is_paid_with_another_card(self, world, checkout, customer):
        world.check_out(checkout)
        subscription = world.v1.subscriptions.list({"customer": customer.id}).data[0]
        world.pay_with(customer, "pm_card_chargeCustomerFail")
        world.v1.subscriptions.update(subscription.id, {"default_payment_method": ""})
        world.pass_time(MONTH + HOUR)
        invoice = world.invoices(customer)[-1]
        path = path_of(invoice.hosted_invoice_url)
        assert "Pay $62.00" in ask(world, "GET", path).text
        assert ask(world, "POST", path, {"number": FAILS_LATER}).status == 402
        assert ask(world, "POST", path, {"number": VISA}).status == 303
        assert "Paid" in ask(world, "GET", path).text
        assert world.status(subscription) == "active"


class TestAccount:
    def test_the_clock_moves(self, world, checkout):
        before = world.double.account.now()
        assert ask(world, "POST", f"{PATH}/clock", {"seconds": "86400"}).status == 303
        assert world.double.account.now() == before + DAY
        for wrong in ({"seconds": "x"}, {"until": "1"}, {"seconds": str(10**11)}, {}):
            assert ask(world, "POST", f"{PATH}/clock", wrong).status == 400

    def test_the_weather_is_kept(self, world):
        form = {"dropped": "0.5", "duplicated": "1", "delayed_s": "3", "after_retries": "unpaid"}
        assert ask(world, "POST", f"{PATH}/weather", form).status == 303
        weather = world.double.hooks.weather()
        assert (weather.dropped, weather.duplicated, weather.stale, weather.delayed_s) == (0.5, 1.0, 0.0, 3)
        for wrong in ({"dropped": "2"}, {"dropped": "x"}, {"after_retries": "x"}):
            assert ask(world, "POST", f"{PATH}/weather", wrong).status == 400

    def test_a_customers_portal_is_one_click_away(self, world, customer):
        there = ask(world, "POST", f"{PATH}/visit", {"customer": customer.id}).headers["location"]
        assert ask(world, "GET", there).status == 200
        assert ask(world, "POST", f"{PATH}/visit", {"customer": "cus_x"}).status == 400

    def test_what_is_not_there_says_so(self, world):
        assert ask(world, "GET", f"{PATH}/nonsense").status == 404
        assert ask(world, "GET", f"{PATH}/checkout/cs_x").status == 404
        assert ask(world, "GET", f"{PATH}/api/v1/customers").status == 401


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not find_chromium():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.stack
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "desktop"])
def test_a_person_subscribes_changes_a_card_and_cancels(world, customer, checkout, browser, width, tmp_path):
    import app

    door = StripeDoor(world.double)
    with serving(app.app, {PATH: door, "/_local/": door}) as url:
        world.double.account.pages_url = f"{url}{PATH}"
        tab = Tab(browser, width)
        seen = []

        def look(name: str) -> str:
            (tmp_path / f"{name}-{width}.png").write_bytes(tab.picture())
            seen.append((name, tab.overflows()))
            return tab.text()

        tab.open(f"{url}{path_of(checkout.url)}")
        look("checkout")
        tab.choose("is declined at once")
        tab.click("Subscribe")
        assert "Your card was declined." in look("declined")
        tab.choose("4242 4242")
        world.v1.customers.update(customer.id, {"name": "Ada Lovelace"})
        session = world.v1.billing_portal.sessions.create({"customer": customer.id, "return_url": f"{url}{PATH}"})
        world.double.act(lambda account: account.working(checkout.id).update(success_url=f"{url}{PATH}?done=1"))
        tab.click("Subscribe")
        assert tab.url() == f"{url}{PATH}?done=1"
        assert "Ada Lovelace" in look("account")
        tab.open(session.url)
        assert "Active" in look("portal")
        tab.choose("is kept, and refused")
        look("card")
        tab.click("Pay with this card")
        assert "Visa ending in 0341" in tab.text()
        tab.click("Cancel subscription")
        assert "Ends on" in look("canceled")
        tab.click("Don’t cancel")
        assert "Renews on" in tab.text()
        tab.click(world.invoices(customer)[0].number)
        assert "Paid" in look("invoice")
        tab.open(f"{url}{PATH}")
        tab.click("A month later")
        tab.click("the next thing that is due")
        assert "Past due" in look("past-due")
        assert [name for name, overflows in seen if overflows] == []
