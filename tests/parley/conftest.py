"""The queues, in memory, where the operator's commands look for them."""

from typing import Any

import pytest

from infra import clients
from tests.support.sqs import Sqs


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    found = Sqs("events", "mail")
    monkeypatch.setattr(clients, "client", lambda service, _region: {"sqs": found, "cloudwatch": Ages()}[service])
    return found


class Ages:
    """CloudWatch: the oldest message of the first queue that is asked for is five minutes old."""

    def get_metric_data(self, **params: Any) -> dict[str, Any]:
        first, *others = params["MetricDataQueries"]
        return {
            "MetricDataResults": [
                {"Id": first["Id"], "Values": [300.0, 240.0]},
                *({"Id": each["Id"], "Values": []} for each in others),
            ]
        }
