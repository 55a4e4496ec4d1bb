"""The subcommands, a module a group."""
