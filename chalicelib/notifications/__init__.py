"""Mails about conversations: to members who want to know, and to visitors who have left."""
