"""Tenants: the organisations that share one deployment, their members, invitations and API keys."""
