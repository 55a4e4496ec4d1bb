"""SQS batches: each record alone, and only the failed ones come back."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from chalicelib.core import log


def process(
    event: dict[str, Any], context: object, handle: Callable[[str], None], *, together: bool = False
) -> dict[str, Any]:
    """Call `handle` with each record's body; a record whose handling raises is reported as failed and retried.

    `together` handles a batch's records at the same time, for what waits on others.
    """
    # Only the queue functions need these, and the API function must start fast.
    from aws_lambda_powertools.utilities.batch import (  # noqa: PLC0415 - slow to import
        BatchProcessor,
        EventType,
        process_partial_response,
    )
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord  # noqa: PLC0415 - slow to import

    def one(record: SQSRecord) -> None:
        try:
            if record.message_id in begun:
                begun[record.message_id].result()
            else:
                handle(record.body)
        except Exception as exc:
            # It comes again; when it never passes, the dead letters' alarm tells.
            receives = record.attributes.approximate_receive_count
            log.error("record_failed", exc=exc, metrics={"RecordsFailed": 1}, receives=receives)
            raise

    records = event["Records"] if together else []
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with ThreadPoolExecutor(max(1, len(records))) as threads:
        begun: dict[str, Future[None]] = {row["messageId"]: threads.submit(handle, row["body"]) for row in records}
        answer: Any = process_partial_response(event, one, processor, context)  # type: ignore[arg-type]
    failures: dict[str, Any] = answer
    return failures
