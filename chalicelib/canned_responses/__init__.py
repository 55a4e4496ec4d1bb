"""Texts that agents write once and use often, with variables that are filled in for whom they answer."""
