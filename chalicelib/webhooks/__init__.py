"""Webhooks: telling a tenant's own servers what happened, signed, and again until they take it."""
