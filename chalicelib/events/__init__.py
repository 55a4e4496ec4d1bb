"""The outbox and the event log: what happened commits with the change, and everything else follows from it."""
