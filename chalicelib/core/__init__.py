"""What every slice stands on and that knows no helpdesk word: HTTP, the table, clocks, ids, errors, settings."""
