"""What is sold: products, prices and meters."""

from decimal import Decimal
from typing import Any

from local.stripe_double.account import Account
from local.stripe_double.errors import Refused, unsupported
from local.stripe_double.forms import (
    Params,
    boolean,
    choice,
    decimal,
    either,
    form,
    integer,
    many,
    merged,
    metadata,
    text,
)
from local.stripe_double.ledger import Object

_TIER = form(
    {"up_to": either("inf", integer)},
    unit_amount=integer,
    unit_amount_decimal=decimal,
    flat_amount=integer,
    flat_amount_decimal=decimal,
)
NEW_PRODUCT = form(
    {"name": text},
    id=text,
    active=boolean,
    description=text,
    metadata=metadata,
    unit_label=text,
    tax_code=text,
    url=text,
)
CHANGED_PRODUCT = form(
    name=text,
    active=boolean,
    description=text,
    metadata=metadata,
    unit_label=text,
    tax_code=text,
    url=text,
    default_price=text,
)
NEW_PRICE = form(
    {"currency": text},
    product=text,
    product_data=form({"name": text}, id=text, metadata=metadata, unit_label=text),
    active=boolean,
    nickname=text,
    metadata=metadata,
    lookup_key=text,
    transfer_lookup_key=boolean,
    unit_amount=integer,
    unit_amount_decimal=decimal,
    billing_scheme=choice("per_unit", "tiered"),
    tiers=many(_TIER),
    tiers_mode=choice("graduated", "volume"),
    tax_behavior=choice("exclusive", "inclusive", "unspecified"),
    recurring=form(
        {"interval": choice("day", "week", "month", "year")},
        interval_count=integer,
        usage_type=choice("licensed", "metered"),
        meter=text,
        trial_period_days=integer,
    ),
)
CHANGED_PRICE = form(
    active=boolean, nickname=text, metadata=metadata, lookup_key=text, transfer_lookup_key=boolean, tax_behavior=text
)
NEW_METER = form(
    {
        "display_name": text,
        "event_name": text,
        "default_aggregation": form({"formula": choice("sum", "count", "last")}),
    },
    customer_mapping=form({"event_payload_key": text, "type": choice("by_id")}),
    value_settings=form({"event_payload_key": text}),
    event_time_window=choice("day", "hour"),
)


def create_product(account: Account, params: Params) -> Object:
    product_id = params.get("id") or account.new_id("prod", 14)
    if account.ledger.look(product_id):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    now = account.now()
    product = {
        "id": product_id,
        "object": "product",
        "active": params.get("active", True),
        "created": now,
        "default_price": None,
        "description": params.get("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merged({}, params.get("metadata", {})),
        "name": params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": params.get("tax_code"),
        "type": "service",
        "unit_label": params.get("unit_label"),
        "updated": now,
        "url": params.get("url"),
    }
    return account.add(product, "product.created")


def update_product(account: Account, params: Params, product_id: str) -> Object:
    product = account.get("product", product_id)
    if params.get("default_price"):
        account.get("price", params["default_price"], "default_price")
    return change(product, params, updated=account.now())


def create_price(account: Account, params: Params) -> Object:
    if ("product" in params) == ("product_data" in params):
        raise Refused("You must specify either `product` or `product_data` when creating a price.", param="product")
    if "product_data" in params:
        product = create_product(account, params["product_data"])
    else:
        product = account.get("product", params["product"], "product")
    scheme = params.get("billing_scheme", "per_unit")
    unit = _unit_amount(params) if scheme == "per_unit" else (None, None)
    price = {
        "id": account.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": scheme,
        "created": account.now(),
        "currency": params["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": merged({}, params.get("metadata", {})),
        "nickname": params.get("nickname"),
        "product": product["id"],
        "recurring": _recurring(account, params.get("recurring")),
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode") if scheme == "tiered" else None,
        "transform_quantity": None,
        "type": "recurring" if params.get("recurring") else "one_time",
        "unit_amount": unit[0],
        "unit_amount_decimal": unit[1],
    }
    if scheme == "tiered":
        price["_tiers"] = _tiers(params)  # shown where it is asked for
    _look_up_by(account, price, params)
    return account.add(price, "price.created")


def update_price(account: Account, params: Params, price_id: str) -> Object:
    price = account.get("price", price_id)
    _look_up_by(account, price, params)
    return change(price, {k: v for k, v in params.items() if k not in {"lookup_key", "transfer_lookup_key"}})


def create_meter(account: Account, params: Params) -> Object:
    for other in account.ledger.of_kind("billing.meter"):
        if other["event_name"] == params["event_name"] and other["status"] == "active":
            raise Refused(f"A meter with event name {params['event_name']} already exists.", param="event_name")
    now = account.now()
    mapping = params.get("customer_mapping", {})
    meter = {
        "id": account.new_id("mtr", 28),
        "object": "billing.meter",
        "created": now,
        "customer_mapping": {
            "event_payload_key": mapping.get("event_payload_key", "stripe_customer_id"),
            "type": "by_id",
        },
        "default_aggregation": {"formula": params["default_aggregation"]["formula"]},
        "display_name": params["display_name"],
        "event_name": params["event_name"],
        "event_time_window": params.get("event_time_window"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": now,
        "value_settings": {"event_payload_key": params.get("value_settings", {}).get("event_payload_key", "value")},
    }
    return account.add(meter, "billing.meter.created")


def change(found: Object, params: Params, **also: Any) -> Object:  # noqa: ANN401 - a field's value
    """Apply plain parameters to an object, metadata by merging."""
    for name, value in {**params, **also}.items():
        if name != "expand":
            found[name] = merged(found[name], value) if name == "metadata" else value
    return found


def product_of(account: Account, price: Object) -> Object:
    product = account.ledger.look(price["product"])
    if product is None:
        raise LookupError(price["product"])
    return product


def _look_up_by(account: Account, price: Object, params: Params) -> None:
    key = params.get("lookup_key")
    if "lookup_key" not in params:
        return
    for other in list(account.ledger.of_kind("price")) if key else ():
        if other["lookup_key"] == key and other["id"] != price["id"]:
            if not params.get("transfer_lookup_key"):
                raise Refused(
                    f"A price ({other['id']}) already uses that lookup key.",
                    code="resource_already_exists",
                    param="lookup_key",
                )
            account.working(other["id"])["lookup_key"] = None
    price["lookup_key"] = key


def _unit_amount(params: Params) -> tuple[int | None, str]:
    if "unit_amount" in params:
        return params["unit_amount"], str(params["unit_amount"])
    if "unit_amount_decimal" in params:
        amount = Decimal(params["unit_amount_decimal"])
        return (int(amount) if amount == int(amount) else None), params["unit_amount_decimal"]
    raise Refused("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")


def _tiers(params: Params) -> list[Object]:
    given = params.get("tiers") or []
    if not given or "tiers_mode" not in params:
        raise Refused("Tiered prices need `tiers` and `tiers_mode`.", code="parameter_missing", param="tiers")
    if given[-1]["up_to"] != "inf":
        raise Refused("The last tier must have up_to=inf.", param="tiers")
    return [
        {
            "flat_amount": tier.get("flat_amount"),
            "flat_amount_decimal": tier.get("flat_amount_decimal") or _as_decimal(tier.get("flat_amount")),
            "unit_amount": tier.get("unit_amount"),
            "unit_amount_decimal": tier.get("unit_amount_decimal") or _as_decimal(tier.get("unit_amount")),
            "up_to": None if tier["up_to"] == "inf" else tier["up_to"],
        }
        for tier in given
    ]


def _as_decimal(amount: int | None) -> str | None:
    return None if amount is None else str(amount)


def _recurring(account: Account, given: Params | None) -> Object | None:
    if given is None:
        return None
    usage = given.get("usage_type", "licensed")
    if usage == "metered":
        if "meter" not in given:
            raise Refused(
                "Metered prices must be backed by a meter.", code="parameter_missing", param="recurring[meter]"
            )
        account.get("billing.meter", given["meter"], "recurring[meter]", "meter")
    elif "meter" in given:
        raise Refused("Only metered prices have a meter.", param="recurring[meter]")
    if given.get("trial_period_days"):
        raise unsupported("trials of a price; give the subscription one", "recurring[trial_period_days]")
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "trial_period_days": None,
        "usage_type": usage,
    }
