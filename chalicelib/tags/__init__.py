"""Tags: the words that conversations are sorted by, each once a tenant, with colours and translations."""
