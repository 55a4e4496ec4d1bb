"""Two whole regions on this machine: where data stays, and what a restored table has lost."""
