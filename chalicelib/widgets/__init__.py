"""Widgets that sites embed, the domains they may be embedded on, and the configuration a visitor's browser reads."""
