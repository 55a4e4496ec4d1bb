"""Visitors: anonymous people on a tenant's sites, and what their browsers told us."""
