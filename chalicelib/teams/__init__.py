"""Teams: groups of members whom conversations can be given to."""
