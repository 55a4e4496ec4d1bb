"""Subscriptions through their life: trials, renewals, changes, refused cards, endings."""

import pytest
import stripe

from tests.support.stripe_double import DAY, FAILS_LATER, HOUR, MONTH, VISA


def first_item(subscription):
    return subscription["items"].data[0]


class TestBeginning:
    def test_what_is_paid_is_active(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(), quantity=3)
        (invoice,) = world.invoices(customer)
        assert (subscription.status, invoice.status, invoice.total) == ("active", "paid", 5700)
        assert subscription.latest_invoice == invoice.id
        assert first_item(subscription).current_period_end == world.time + MONTH

    def test_a_trial_costs_nothing_until_it_ends(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(), trial_period_days=14)
        assert (subscription.status, subscription.trial_end) == ("trialing", world.time + 14 * DAY)
        world.pass_time(11 * DAY)
        assert world.event_types()[-1] == "customer.subscription.trial_will_end"
        world.pass_time(3 * DAY)
        assert world.status(subscription) == "active"
        world.pass_time(HOUR)  # the draft becomes final
        assert [(each.status, each.total) for each in world.invoices(customer)] == [("paid", 0), ("paid", 1900)]

    @pytest.mark.parametrize(
        ("wish", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "active")]
    )
    def test_a_trial_without_a_card_ends_as_was_wished(self, world, wish, status):
        settings = {"end_behavior": {"missing_payment_method": wish}}
        subscription = world.subscribe(
            world.customer(card=None), world.price(), trial_period_days=7, trial_settings=settings
        )
        world.pass_time(7 * DAY)
        assert world.status(subscription) == status

    def test_a_paused_one_is_resumed_with_a_card(self, world):
        customer = world.customer(card=None)
        settings = {"end_behavior": {"missing_payment_method": "pause"}}
        subscription = world.subscribe(customer, world.price(), trial_period_days=7, trial_settings=settings)
        world.pass_time(8 * DAY)
        with pytest.raises(stripe.CardError):
            world.v1.subscriptions.resume(subscription.id)
        world.pay_with(customer, "pm_card_visa")
        assert world.v1.subscriptions.resume(subscription.id).status == "active"
        assert world.invoices(customer)[-1].total == 1900

    def test_what_is_not_paid_within_23_hours_never_was(self, world):
        customer = world.customer(card=None)
        subscription = world.subscribe(customer, world.price())
        assert subscription.status == "incomplete"
        world.pass_time(23 * HOUR)
        assert world.status(subscription) == "incomplete_expired"
        assert world.invoices(customer)[0].status == "void"

    def test_or_is_paid_in_time(self, world):
        customer = world.customer(card=None)
        subscription = world.subscribe(customer, world.price())
        world.pay_with(customer, "pm_card_visa")
        world.v1.invoices.pay(subscription.latest_invoice)
        assert world.status(subscription) == "active"

    def test_a_refused_card_may_begin_nothing(self, world):
        customer = world.customer(card=None)
        with pytest.raises(stripe.CardError):
            world.subscribe(customer, world.price(), payment_behavior="error_if_incomplete")
        assert world.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []
        assert world.invoices(customer) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda w: [{"price": w.price(active=False).id}],
            lambda w: [{"price": w.metered().id, "quantity": 1}],
            lambda w: [{"price": w.price().id}, {"price": w.price(currency="eur").id}],
            lambda w: [{"price": w.price().id}, {"price": w.price(interval="year").id}],
            lambda w: [{"price": w.price().id}] * 2,
            lambda w: [],
        ],
    )
    def test_items_must_go_together(self, world, wrong):
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.subscriptions.create({"customer": world.customer().id, "items": wrong(world)})


class TestRenewal:
    def test_the_31st_comes_back_after_february(self, world):
        world.pass_time(30 * DAY)  # to 31 January
        customer = world.customer()
        subscription = world.subscribe(customer, world.price())
        ends = []
        for _ in range(3):
            ends.append(first_item(world.v1.subscriptions.retrieve(subscription.id)).current_period_end)
            world.pass_time(ends[-1] - world.time)
        days = [(end - subscription.created) // DAY for end in ends]
        assert days == [28, 59, 89]  # 28 February, 31 March, 30 April 2026
        world.pass_time(HOUR)
        assert [each.total for each in world.invoices(customer)] == [1900] * 4

    def test_a_long_absence_is_made_up_for_in_order(self, world):
        customer = world.customer()
        world.subscribe(customer, world.price())
        world.pass_time(366 * DAY)
        invoices = world.invoices(customer)
        assert len(invoices) == 13
        assert [each.created for each in invoices] == sorted(each.created for each in invoices)
        assert {each.status for each in invoices} == {"paid"}


class TestChanges:
    def test_more_seats_are_prorated_on_the_next_invoice(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100), quantity=2)
        world.pass_time(MONTH // 2)
        item = first_item(subscription).id
        changed = world.v1.subscriptions.update(subscription.id, {"items": [{"id": item, "quantity": 5}]})
        assert first_item(changed).quantity == 5
        world.pass_time(MONTH // 2 + HOUR)
        lines = world.invoices(customer)[-1].lines.data
        assert sorted(line.amount for line in lines) == [-3100, 7750, 15500]
        assert [line.parent.subscription_item_details.proration for line in lines].count(True) == 2

    def test_or_at_once(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100))
        world.pass_time(MONTH // 2)
        wanted = {"items": [{"id": first_item(subscription).id, "quantity": 2}], "proration_behavior": "always_invoice"}
        world.v1.subscriptions.update(subscription.id, wanted)
        newest = world.invoices(customer)[-1]
        assert (newest.status, newest.total, newest.billing_reason) == ("paid", 1550, "subscription_update")

    def test_or_not_at_all(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100))
        world.pass_time(MONTH // 2)
        wanted = {"items": [{"id": first_item(subscription).id, "quantity": 2}], "proration_behavior": "none"}
        world.v1.subscriptions.update(subscription.id, wanted)
        world.pass_time(MONTH // 2 + HOUR)
        assert world.invoices(customer)[-1].total == 6200

    def test_fewer_seats_leave_a_credit_that_later_invoices_use_up(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100), quantity=5)
        wanted = {"items": [{"id": first_item(subscription).id, "quantity": 1}], "proration_behavior": "always_invoice"}
        world.v1.subscriptions.update(subscription.id, wanted)
        assert world.v1.customers.retrieve(customer.id).balance == -12_400
        world.pass_time(MONTH + HOUR)
        newest = world.invoices(customer)[-1]
        assert (newest.total, newest.amount_due, newest.starting_balance, newest.ending_balance) == (
            3100,
            0,
            -12_400,
            -9300,
        )

    def test_another_plan_takes_over_in_the_middle_of_the_period(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100))
        pro = world.price(6200, name="Pro")
        world.pass_time(MONTH // 2)
        wanted = {"items": [{"id": first_item(subscription).id, "price": pro.id}]}
        changed = world.v1.subscriptions.update(subscription.id, wanted)
        assert first_item(changed).price.id == pro.id
        assert first_item(changed).current_period_end == first_item(subscription).current_period_end
        world.pass_time(MONTH // 2 + HOUR)
        assert sorted(line.amount for line in world.invoices(customer)[-1].lines.data) == [-1550, 3100, 6200]

    def test_another_interval_begins_a_new_period_and_is_paid_at_once(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100))
        yearly = world.price(31_000, "year")
        world.pass_time(MONTH // 2)
        wanted = {"items": [{"id": first_item(subscription).id, "price": yearly.id}]}
        changed = world.v1.subscriptions.update(subscription.id, wanted)
        assert first_item(changed).current_period_end == world.time + 365 * DAY
        assert sorted(line.amount for line in world.invoices(customer)[-1].lines.data) == [-1550, 31_000]

    def test_in_a_trial_nothing_is_prorated(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(), trial_period_days=10)
        world.v1.subscriptions.update(subscription.id, {"items": [{"id": first_item(subscription).id, "quantity": 4}]})
        world.pass_time(10 * DAY + HOUR)
        assert [each.total for each in world.invoices(customer)] == [0, 7600]

    def test_a_trial_can_be_ended_now(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(), trial_period_days=10)
        world.pass_time(DAY)
        assert world.v1.subscriptions.update(subscription.id, {"trial_end": "now"}).status == "active"
        assert world.invoices(customer)[-1].total == 1900

    def test_a_refused_card_can_prevent_the_change(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price())
        world.pay_with(customer, "pm_card_chargeCustomerFail")
        wanted = {
            "items": [{"id": first_item(subscription).id, "quantity": 9}],
            "proration_behavior": "always_invoice",
            "payment_behavior": "error_if_incomplete",
        }
        with pytest.raises(stripe.CardError):
            world.v1.subscriptions.update(subscription.id, wanted)
        assert first_item(world.v1.subscriptions.retrieve(subscription.id)).quantity == 1
        del wanted["payment_behavior"]
        assert world.v1.subscriptions.update(subscription.id, wanted).status == "past_due"

    def test_an_update_tells_what_was_before(self, world):
        subscription = world.subscribe(world.customer(), world.price())
        world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
        (event,) = world.v1.events.list({"type": "customer.subscription.updated"}).data
        previous = event.data.previous_attributes.to_dict()
        assert previous["cancel_at_period_end"] is False
        assert previous["cancellation_details"] == {"reason": None}
        assert "status" not in previous


class TestUsage:
    def test_it_is_billed_after_the_period(self, world):
        customer = world.customer()
        world.subscribe(customer, world.price(), world.metered(included=10, cents=5))
        world.pass_time(DAY)
        world.use(customer, 7)
        world.use(customer, 8)
        world.pass_time(MONTH)
        assert [line.amount for line in world.invoices(customer)[-1].lines.data] == [1900, 25]

    def test_usage_told_late_is_billed_while_the_invoice_is_a_draft(self, world):
        customer = world.customer()
        world.subscribe(customer, world.metered(included=0, cents=5))
        world.pass_time(MONTH)
        world.use(customer, 2, timestamp=world.time - 1)
        world.use(customer, 4)
        world.pass_time(HOUR)
        assert world.invoices(customer)[-1].total == 10

    def test_an_identifier_counts_once(self, world):
        customer, price = world.customer(), world.metered()
        world.use(customer, 5, identifier="a")
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            world.use(customer, 5, identifier="a")
        summary = world.v1.billing.meters.event_summaries.list(
            price.recurring.meter, {"customer": customer.id, "start_time": world.time, "end_time": world.time + 60}
        )
        assert [each.aggregated_value for each in summary.data] == [5.0]
        world.pass_time(DAY)  # and is forgotten, as Stripe promises no more
        world.use(customer, 5, identifier="a")

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda now: {"timestamp": now - 36 * DAY}, "timestamp_too_far_in_past"),
            (lambda now: {"timestamp": now + HOUR}, "timestamp_in_future"),
            (lambda now: {"event_name": "nonsense"}, "no_meter"),
            (lambda now: {"payload": {"stripe_customer_id": "cus_x", "value": "1"}}, "resource_missing"),
            (lambda now: {"payload": {"value": "1"}}, "parameter_missing"),
        ],
    )
    def test_what_cannot_be_counted_is_refused(self, world, change, code):
        world.metered()
        payload = {"stripe_customer_id": world.customer().id, "value": "1"}
        with pytest.raises(stripe.InvalidRequestError) as error:
            world.v1.billing.meter_events.create(
                {"event_name": "conversations", "payload": payload} | change(world.time)
            )
        assert error.value.code == code

    def test_another_plan_bills_what_was_used_on_the_one_before_once(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.metered(included=0, cents=5))
        cheaper = world.metered(included=0, cents=3)
        world.pass_time(DAY)
        world.use(customer, 100)
        world.pass_time(DAY)
        wanted = {"items": [{"id": first_item(subscription).id, "price": cheaper.id}]}
        world.v1.subscriptions.update(subscription.id, wanted)
        world.use(customer, 10)
        world.pass_time(MONTH)
        assert sorted(line.amount for line in world.invoices(customer)[-1].lines.data) == [30, 500]


class TestRefusedCards:
    def failing(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price())
        world.pay_with(customer, "pm_card_chargeCustomerFail")
        world.pass_time(MONTH + HOUR)
        return customer, subscription

    def test_it_is_tried_again_and_then_given_up(self, world):
        customer, subscription = self.failing(world)
        seen = []
        for days in (3, 5, 7):
            invoice = world.invoices(customer)[-1]
            seen.append((world.status(subscription), invoice.attempt_count))
            assert invoice.next_payment_attempt == world.time + days * DAY
            world.pass_time(days * DAY)
        assert seen == [("past_due", 1), ("past_due", 2), ("past_due", 3)]
        ended = world.v1.subscriptions.retrieve(subscription.id)
        assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
        invoice = world.invoices(customer)[-1]
        assert (invoice.status, invoice.next_payment_attempt, invoice.attempt_count) == ("open", None, 4)
        assert world.event_types()[-1] != "customer.subscription.updated"
        assert world.event_types().count("invoice.payment_failed") == 4

    @pytest.mark.parametrize("chosen", ["unpaid", "past_due"])
    def test_or_left_as_the_account_wishes(self, world, chosen):
        world.double.account.set(after_retries=chosen)
        customer, subscription = self.failing(world)
        world.pass_time(15 * DAY)
        assert world.status(subscription) == chosen
        world.pay_with(customer, "pm_card_visa")
        world.v1.invoices.pay(world.v1.subscriptions.retrieve(subscription.id).latest_invoice)
        assert world.status(subscription) == "active"

    def test_unpaid_ones_get_drafts_that_nobody_charges(self, world):
        world.double.account.set(after_retries="unpaid")
        customer, subscription = self.failing(world)
        world.pass_time(2 * MONTH)
        drafts = [each for each in world.invoices(customer) if each.status == "draft"]
        assert drafts
        assert not any(each.auto_advance for each in drafts)
        assert world.status(subscription) == "unpaid"

    def test_a_new_card_saves_it(self, world):
        customer, subscription = self.failing(world)
        assert world.status(subscription) == "past_due"
        assert world.v1.customers.retrieve(customer.id).delinquent is True
        world.pay_with(customer, "pm_card_visa")
        world.pass_time(3 * DAY)
        assert world.status(subscription) == "active"
        assert world.v1.customers.retrieve(customer.id).delinquent is False

    def test_paying_with_a_card_that_is_refused_counts_as_an_attempt(self, world):
        customer, _ = self.failing(world)
        invoice = world.invoices(customer)[-1]
        with pytest.raises(stripe.CardError):
            world.v1.invoices.pay(invoice.id)
        assert world.v1.invoices.retrieve(invoice.id).attempt_count == 2

    def test_a_card_that_is_declined_cannot_be_kept(self, world):
        with pytest.raises(stripe.CardError):
            world.customer("pm_card_visa_chargeDeclined")


class TestEnding:
    def test_at_the_end_of_the_period(self, world):
        subscription = world.subscribe(world.customer(), world.price())
        end = first_item(subscription).current_period_end
        changed = world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
        assert (changed.status, changed.cancel_at, changed.canceled_at) == ("active", end, world.time)
        world.pass_time(MONTH)
        ended = world.v1.subscriptions.retrieve(subscription.id)
        assert (ended.status, ended.ended_at) == ("canceled", end)
        assert world.event_types()[-1] == "customer.subscription.deleted"

    def test_the_last_usage_is_billed(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.metered(included=0, cents=5))
        world.use(customer, 3)
        world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
        world.pass_time(MONTH)
        assert world.invoices(customer)[-1].total == 15

    def test_it_can_be_taken_back(self, world):
        subscription = world.subscribe(world.customer(), world.price())
        world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
        back = world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
        assert (back.cancel_at, back.canceled_at, back.cancellation_details.reason) == (None, None, None)
        world.pass_time(2 * MONTH)
        assert world.status(subscription) == "active"

    def test_now(self, world):
        subscription = world.subscribe(world.customer(), world.price())
        ended = world.v1.subscriptions.cancel(subscription.id, {"cancellation_details": {"comment": "Too much"}})
        assert (ended.status, ended.ended_at, ended.cancellation_details.comment) == (
            "canceled",
            world.time,
            "Too much",
        )
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.subscriptions.cancel(subscription.id)
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
        world.pass_time(2 * MONTH)
        assert world.status(subscription) == "canceled"


class TestPreview:
    def test_it_shows_the_change_and_changes_nothing(self, world):
        customer = world.customer()
        subscription = world.subscribe(customer, world.price(3100))
        world.pass_time(MONTH // 2)
        details = {
            "items": [{"id": first_item(subscription).id, "quantity": 2}],
            "proration_behavior": "always_invoice",
        }
        before = world.event_types()
        shown = world.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": details})
        assert shown.total == 1550
        assert world.v1.invoices.create_preview({"subscription": subscription.id}).total == 3100
        assert world.event_types() == before
        assert len(world.invoices(customer)) == 1


class TestCheckout:
    def session(self, world, **more):
        line = {"price": world.price(3100).id, "quantity": 2}
        wanted = {
            "mode": "subscription",
            "line_items": [line],
            "success_url": "https://x.example/?s={CHECKOUT_SESSION_ID}",
        }
        return world.v1.checkout.sessions.create(wanted | more)

    def test_who_gives_a_card_has_subscribed(self, world):
        customer = world.customer(card=None)
        session = self.session(world, customer=customer.id, subscription_data={"metadata": {"tenant": "tn_1"}})
        assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 6200)
        world.check_out(session)
        done = world.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
        assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
        assert (done.subscription.status, done.subscription.metadata.to_dict()) == ("active", {"tenant": "tn_1"})
        assert done.subscription.default_payment_method is not None
        assert "checkout.session.completed" in world.event_types()

    def test_a_card_that_does_not_pay_leaves_it_open(self, world):
        session = self.session(world, customer=world.customer(card=None).id)
        before = world.event_types()
        with pytest.raises(Exception, match="declined"):
            world.check_out(session, FAILS_LATER)
        assert world.v1.checkout.sessions.retrieve(session.id).status == "open"
        assert world.event_types() == before
        world.check_out(session, VISA)

    def test_a_session_without_a_customer_makes_one(self, world):
        session = self.session(world, customer_email="bob@example.com")
        world.check_out(session)
        done = world.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
        assert done.customer.email == "bob@example.com"

    def test_it_expires_after_a_day(self, world):
        session = self.session(world)
        world.pass_time(DAY)
        assert world.v1.checkout.sessions.retrieve(session.id).status == "expired"
        with pytest.raises(Exception, match="expired"):
            world.check_out(session)

    @pytest.mark.parametrize("change", [{"success_url": "nonsense"}, {"mode": "payment"}, {"expires_at": 5},
                                        {"line_items": []}, {"customer": "cus_x"}])  # fmt: skip
    def test_what_cannot_be_is_refused(self, world, change):
        with pytest.raises(stripe.InvalidRequestError):
            self.session(world, **change)
