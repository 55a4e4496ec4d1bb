"""API Gateway and Lambda on this machine: an ASGI application in front of a Chalice app."""

from local.gateway.http import Gateway

__all__ = ["Gateway"]
