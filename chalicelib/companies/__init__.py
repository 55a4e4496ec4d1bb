"""Companies: the organisations that contacts belong to."""
