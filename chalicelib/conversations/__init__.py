"""Conversations: who talks with whom, in what state, and in which lists they stand."""
