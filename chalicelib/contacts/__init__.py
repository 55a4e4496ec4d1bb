"""Contacts: the people a tenant knows by name or address, what it notes about them, and how they are found."""
