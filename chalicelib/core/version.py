"""The product's version, as /health and the API's description tell it; the same as in pyproject.toml."""

VERSION = "0.1.0"
