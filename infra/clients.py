"""Clients of AWS for the commands an operator runs; `AWS_ENDPOINT_URL` in the environment leads them elsewhere."""

from functools import lru_cache
from typing import Any

import botocore.session
from botocore.config import Config

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, user_agent_extra="parley-deploy")


@lru_cache(maxsize=32)
def client(service: str, region: str) -> Any:  # noqa: ANN401 - botocore makes its client classes at run time
    """Return the client of a service in a region, with the operator's own credentials."""
    return botocore.session.get_session().create_client(service, region_name=region, config=_CONFIG)
