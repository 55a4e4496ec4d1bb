"""Billing: plans, what they allow, and the subscriptions behind them, of which Stripe is the source of truth."""
