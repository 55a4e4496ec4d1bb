"""Parley's application code: one folder per noun of the helpdesk, on top of `core`."""
