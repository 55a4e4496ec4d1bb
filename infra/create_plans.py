"""Put the plans of chalicelib/billing/plans.py into Stripe: `python -m infra.create_plans`. Repeating it is harmless.

Needs PARLEY_STRIPE_SECRET and the other settings of the deployed functions in the environment, and credentials that may
read that secret.
"""

from chalicelib.billing.offering import offer_plans


def main() -> None:
    """Make what Stripe lacks and say what that was."""
    made = offer_plans()
    print("\n".join(f"made  {each}" for each in made) or "Stripe has all of them.")


if __name__ == "__main__":
    main()
