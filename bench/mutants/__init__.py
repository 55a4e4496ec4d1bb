"""Mutation testing: change the code in thousands of small ways, and see whether the tests notice."""
