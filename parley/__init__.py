"""The operator's command, `python -m parley`: queues, deliveries, events, billing, tenants, keys. See docs/cli.md."""
