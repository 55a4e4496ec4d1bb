"""What the tests share: a client that calls the app as API Gateway does, and stand-ins for queue, mail and secrets."""
