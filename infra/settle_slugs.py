"""Put the slugs of a region's tenants into the directory: `python -m infra.settle_slugs`, once it has got one.

Needs the settings of the deployed functions (PARLEY_*) in the environment, and credentials that may scan its table and
write the directory's. It may run again, and while tenants change.
"""

import sys
from collections.abc import Iterator
from typing import Any

from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.core.items import from_attributes
from chalicelib.tenants.slugs import settle_now


def main() -> int:
    """Tell which slugs another region has; 1 when there are any."""
    if not settings().directory_table:
        print("PARLEY_DIRECTORY_TABLE names no directory.", file=sys.stderr)
        return 2
    found = [(slug, settle_now(tenant_id)) for slug, tenant_id in _slugs()]
    lost = [slug for slug, ours in found if not ours]
    for slug in lost:
        print(f"{slug} is another region's: give its tenant another slug.")
    print(f"{len(found) - len(lost)} slugs are in the directory as this region's.")
    return 1 if lost else 0


def _slugs() -> Iterator[tuple[str, str]]:
    prefix = "G#slug#"
    params: dict[str, Any] = {
        "TableName": settings().table,
        "FilterExpression": "begins_with(pk, :prefix)",
        "ExpressionAttributeValues": {":prefix": {"S": prefix}},
    }
    while True:
        page = aws.call("dynamodb", "scan", params)
        for row in map(from_attributes, page["Items"]):
            yield row["pk"].removeprefix(prefix), row["tenant"]
        if "LastEvaluatedKey" not in page:
            return
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]


if __name__ == "__main__":
    sys.exit(main())
