"""Who somebody is: users, passwords, sessions, tokens, and the authorizer that reads them."""
