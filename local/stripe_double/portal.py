"""The customer portal: its configuration and sessions, and what a customer does in it."""

from typing import Any

from local.stripe_double import subscriptions
from local.stripe_double.account import Account
from local.stripe_double.amounts import HOUR
from local.stripe_double.catalogue import change
from local.stripe_double.customers import attach, new_card
from local.stripe_double.errors import Refused
from local.stripe_double.forms import Params, Reader, anything, boolean, choice, form, many, metadata, text
from local.stripe_double.ledger import Object

_FEATURES = form(
    customer_update=form(enabled=boolean, allowed_updates=many(text)),
    invoice_history=form({"enabled": boolean}),
    payment_method_update=form({"enabled": boolean}),
    subscription_cancel=form(
        {"enabled": boolean},
        mode=choice("at_period_end", "immediately"),
        proration_behavior=subscriptions.PRORATION,
        cancellation_reason=anything,
    ),
    subscription_update=form(
        {"enabled": boolean},
        default_allowed_updates=many(choice("price", "quantity", "promotion_code")),
        products=many(form({"product": text, "prices": many(text)}, adjustable_quantity=anything)),
        proration_behavior=subscriptions.PRORATION,
        schedule_at_period_end=anything,
        trial_update_behavior=text,
    ),
)
_CONFIGURED: dict[str, Reader] = {
    "business_profile": form(headline=text, privacy_policy_url=text, terms_of_service_url=text),
    "default_return_url": text,
    "metadata": metadata,
    "name": text,
    "login_page": anything,
}
NEW_CONFIGURATION = form({"features": _FEATURES}, **_CONFIGURED)
CHANGED_CONFIGURATION = form(features=_FEATURES, active=boolean, **_CONFIGURED)
NEW_SESSION = form(
    {"customer": text},
    return_url=text,
    configuration=text,
    locale=text,
    flow_data=form(
        {"type": choice("payment_method_update", "subscription_cancel", "subscription_update")},
        subscription_cancel=form({"subscription": text}),
        subscription_update=form({"subscription": text}),
        after_completion=anything,
    ),
)
LIVES_S = HOUR
_FEATURE_DEFAULTS: dict[str, dict[str, Any]] = {
    "customer_update": {"enabled": False, "allowed_updates": []},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True, "payment_method_configuration": None},
    "subscription_cancel": {
        "enabled": True,
        "mode": "at_period_end",
        "proration_behavior": "none",
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []},
    },
    "subscription_pause": {"enabled": False, "duration": {"type": "indefinite", "interval_options": []}},
    "subscription_update": {
        "enabled": False,
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "products": [],
        "proration_behavior": "create_prorations",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}


def create_configuration(account: Account, params: Params) -> Object:
    now = account.now()
    configuration: Object = {
        "id": account.new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": now,
        "default_return_url": params.get("default_return_url"),
        "features": _FEATURE_DEFAULTS,
        "is_default": not any(account.ledger.of_kind("billing_portal.configuration")),
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": params.get("metadata", {}),
        "name": params.get("name"),
        "updated": now,
    }
    _configure(account, configuration, params)
    return account.add(configuration, "billing_portal.configuration.created")


def update_configuration(account: Account, params: Params, configuration_id: str) -> Object:
    configuration = account.get("billing_portal.configuration", configuration_id, noun="portal configuration")
    _configure(account, configuration, params)
    plain: Params = {
        name: params[name] for name in ("active", "default_return_url", "metadata", "name") if name in params
    }
    return change(configuration, plain, updated=account.now())


def _configure(account: Account, configuration: Object, params: Params) -> None:
    configuration["business_profile"] = configuration["business_profile"] | params.get("business_profile", {})
    features = params.get("features", {})
    for offered in features.get("subscription_update", {}).get("products", []):
        for price in offered["prices"]:
            account.get("price", price, "features[subscription_update][products]")
    configuration["features"] = {
        name: known | features.get(name, {}) for name, known in configuration["features"].items()
    }


def create_session(account: Account, params: Params) -> Object:
    customer = account.get("customer", params["customer"], "customer")
    configuration = _configuration(account, params.get("configuration"))
    flow = params.get("flow_data")
    if flow and flow["type"] != "payment_method_update":
        account.get("subscription", flow.get(flow["type"], {}).get("subscription"), f"flow_data[{flow['type']}]")
    session_id = account.new_id("bps")
    session = {
        "id": session_id,
        "object": "billing_portal.session",
        "configuration": configuration["id"],
        "created": account.now(),
        "customer": customer["id"],
        "flow": flow
        and {
            "type": flow["type"],
            "after_completion": {"type": "portal_homepage", "hosted_confirmation": None, "redirect": None},
        },
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or configuration["default_return_url"],
        "url": f"{account.pages_url}/portal/{session_id}",
    }
    return account.add(session, "billing_portal.session.created")


def _configuration(account: Account, chosen: str | None) -> Object:
    if chosen:
        return account.get("billing_portal.configuration", chosen, "configuration", "portal configuration")
    for found in account.ledger.of_kind("billing_portal.configuration"):
        if found["is_default"]:
            return found
    return create_configuration(account, {"features": {}})


class Visit:
    """A customer in the portal."""

    def __init__(self, account: Account, session_id: str) -> None:
        self._account = account
        self.session = account.get("billing_portal.session", session_id, noun="portal session")
        if account.now() >= self.session["created"] + LIVES_S:
            raise Refused("This portal session has expired. Open the portal again.", status=410)
        self.customer = account.get("customer", self.session["customer"])
        self.features = account.get("billing_portal.configuration", self.session["configuration"])["features"]

    def subscriptions(self) -> list[Object]:
        """His subscriptions that have not ended, to read only."""
        return [
            found
            for found in self._account.ledger.of_kind("subscription")
            if found["customer"] == self.customer["id"] and found["status"] not in {"canceled", "incomplete_expired"}
        ]

    def offers(self) -> list[Object]:
        """The prices he may change to, to read only."""
        allowed = self.features["subscription_update"]
        ids = [price for product in allowed["products"] or [] for price in product["prices"]]
        found = [self._account.ledger.look(price) for price in ids] if allowed["enabled"] else []
        return [price for price in found if price and price["active"]]

    def choose(self, subscription_id: str, price_id: str) -> Object:
        """Change what is paid in advance to another price; the number of seats stays."""
        subscription = self._own(subscription_id)
        if price_id not in {price["id"] for price in self.offers()}:
            raise Refused("This plan is not offered here.")
        item = next(each for each in subscription["items"]["data"] if not each["price"]["recurring"]["meter"])
        changed = {"items": [{"id": item["id"], "price": price_id}]}
        behaviour = {"proration_behavior": self.features["subscription_update"]["proration_behavior"]}
        return subscriptions.update_subscription(self._account, changed | behaviour, subscription_id)

    def cancel(self, subscription_id: str) -> Object:
        self._own(subscription_id)
        allowed = self.features["subscription_cancel"]
        if not allowed["enabled"]:
            raise Refused("Canceling is not offered here.")
        if allowed["mode"] == "immediately":
            return subscriptions.cancel_subscription(self._account, {}, subscription_id)
        return subscriptions.update_subscription(self._account, {"cancel_at_period_end": True}, subscription_id)

    def keep(self, subscription_id: str) -> Object:
        """Take a cancellation back."""
        self._own(subscription_id)
        return subscriptions.update_subscription(self._account, {"cancel_at_period_end": False}, subscription_id)

    def pay_with(self, number: str) -> Object:
        """Make a card the one that everything is paid with."""
        card = attach(self._account, {"customer": self.customer["id"]}, new_card(self._account, number, {})["id"])
        self.customer["invoice_settings"]["default_payment_method"] = card["id"]
        for found in self.subscriptions():
            self._account.working(found["id"])["default_payment_method"] = card["id"]
        return card

    def _own(self, subscription_id: str) -> Object:
        found = self._account.find("subscription", subscription_id)
        if found is None or found["customer"] != self.customer["id"]:
            raise Refused("There is no such subscription.", status=404)
        return found
