"""The files that jobs make for people to download: put together from parts in the table, kept for a day."""

from chalicelib.core import clock
from chalicelib.files import s3_gateway
from chalicelib.files.models import LINK_S
from chalicelib.files.names import disposition
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

KEEP_MS = 86_400_000  # the bucket forgets them about as soon
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes of a part that is not the last
REMOVED_A_STEP = 90  # of the 100 writes that a transaction has

CSV = "text/csv; charset=utf-8"


def put_together(job: Job) -> Step:
    """Make one object of the texts that the job has kept, named by its argument `output`; none if there are none.

    Every step reads what the one before it has come to and sends one part of the object, so doing it twice is harmless.
    """
    key = _key(job, job.args["output"])
    if job.cursor is None:
        empty = not jobs.texts_after(job, -1, limit=1)[0]
        return Step(finished=True) if empty else Step(cursor=f"{s3_gateway.begin_parts(key, CSV)} 1 -1")
    upload_id, number, after = job.cursor.split(" ")
    data, last, more = _next_part(job, int(after))
    known = s3_gateway.put_part(key, upload_id, int(number), data)
    if known and more:
        return Step(cursor=f"{upload_id} {int(number) + 1} {last}")
    if known:
        known = s3_gateway.join_parts(key, upload_id)
    if known or s3_gateway.find(key):  # unknown, but there: it was complete before somebody died
        return Step(finished=True, output=job.args["output"])
    return Step()  # given up, as uploads are after a day: from the beginning


def remove_texts(job: Job) -> Step:
    """Remove what the object was made of."""
    texts, more = jobs.texts_after(job, -1, limit=REMOVED_A_STEP)
    return Step([jobs.removing_text(job, number) for number, _ in texts], finished=not more)


def link(job: Job) -> str | None:
    """Return a link to the file that a job has made, or None when its day is over. No call."""
    if job.output is None or job.completed_at is None or clock.now_ms() > job.completed_at + KEEP_MS:
        return None
    return s3_gateway.link(_key(job, job.output), CSV, disposition(job.output, inline=False), LINK_S)


def _next_part(job: Job, after: int) -> tuple[bytes, int, bool]:
    """Return the next bytes, the number of the last text in them, and whether there are more."""
    found: list[bytes] = []
    size, more = 0, True
    while more and size < PART_BYTES:
        texts, more = jobs.texts_after(job, after)
        found += [text.encode() for _, text in texts]
        size = sum(map(len, found))
        after = texts[-1][0] if texts else after
    return b"".join(found), after, more


def _key(job: Job, name: str) -> str:
    return f"exports/{job.tenant_id}/{job.id}/{name}"
