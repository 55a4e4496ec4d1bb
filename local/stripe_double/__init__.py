"""A double of Stripe: its API, hosted pages and signed hooks on this machine, with a clock that can be moved.

What of Stripe it knows is what a business that sells subscriptions uses; what it does not know it refuses, with a
message that says so. Facts come from https://docs.stripe.com/api in the version below and from the SDK's own types;
`tests/stripe_double/` states them as tests.
"""

API_VERSION = "2026-10-28.endive"
