"""Outgoing mail: what is sent, once, in one look."""
