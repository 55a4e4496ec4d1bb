"""The kill harness: SIGKILL the whole stack under load, again and again, and look for what was lost or half done."""
