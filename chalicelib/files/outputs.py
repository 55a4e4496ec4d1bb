"""The files that jobs make for people to download: put together from parts, kept for a day.

A part is a text in the table, or where there is much of it, a piece in the bucket that a row of the table names. Every
attempt at a step puts its piece under a name of its own, and what a row names never changes: so whoever comes late can
neither add to the file nor change it.
"""

from collections.abc import Callable
from dataclasses import replace

from chalicelib.core import clock, ids
from chalicelib.core.table import Write
from chalicelib.files import s3_gateway
from chalicelib.files.models import LINK_S
from chalicelib.files.names import disposition
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

KEEP_MS = 86_400_000  # the bucket forgets them about as soon
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes of a part that is not the last; it takes 10,000
PIECES_READ = 50  # of the table, at a time: they make about two parts
REMOVED_A_STEP = 90  # of the 100 writes that a transaction has

_TYPES = {"csv": "text/csv; charset=utf-8", "gz": "application/gzip"}

Bytes = Callable[[str], bytes]  # of a part, as its row has it


def keep_piece(job: Job, number: int, data: bytes) -> Write:
    """Put a piece of a job's file into the bucket, and return the write that makes it part of the file."""
    name = ids.new_ulid()
    s3_gateway.put(f"{_pieces(job)}{name}", data, _type(job.args["output"]))
    return jobs.adding_text(job, number, name)


def put_together(job: Job) -> Step:
    """Make one object of the texts that the job has kept, named by its argument `output`; none if there are none."""
    return _put_together(job, str.encode)


def join_pieces(job: Job) -> Step:
    """Like `put_together`, of the pieces that the job has kept."""
    step = _put_together(job, lambda name: s3_gateway.read_whole(f"{_pieces(job)}{name}"))
    return replace(step, long=not step.finished)


def remove_texts(job: Job) -> Step:
    """Remove what the object was made of."""
    texts, more = jobs.texts_after(job, -1, limit=REMOVED_A_STEP)
    return Step([jobs.removing_text(job, number) for number, _ in texts], finished=not more)


def remove_pieces(job: Job) -> Step:
    """Remove the pieces that the object was made of, and those of attempts that were cut short: a thousand a step."""
    return Step(finished=s3_gateway.delete_some(_pieces(job)))


def link(job: Job) -> str | None:
    """Return a link to the file that a job has made, or None when its day is over. No call."""
    if job.output is None or job.completed_at is None or clock.now_ms() > job.completed_at + KEEP_MS:
        return None
    return s3_gateway.link(_key(job, job.output), _type(job.output), disposition(job.output, inline=False), LINK_S)


def _put_together(job: Job, bytes_of: Bytes) -> Step:
    """Send the next part of the object: what the one before it has come to is read, so doing it twice is harmless."""
    key = _key(job, job.args["output"])
    if job.cursor is None:
        empty = not jobs.texts_after(job, -1, limit=1)[0]
        upload_id = "" if empty else s3_gateway.begin_parts(key, _type(key))
        return Step(finished=True) if empty else Step(cursor=f"{upload_id} 1 -1")
    upload_id, number, after = job.cursor.split(" ")
    data, last, more = _next_part(job, int(after), bytes_of)
    known = s3_gateway.put_part(key, upload_id, int(number), data)
    if known and more:
        return Step(cursor=f"{upload_id} {int(number) + 1} {last}")
    if known:
        known = s3_gateway.join_parts(key, upload_id)
    if known or s3_gateway.find(key):  # unknown, but there: it was complete before somebody died
        return Step(finished=True, output=job.args["output"])
    return Step()  # given up, as uploads are after a day: from the beginning


def _next_part(job: Job, after: int, bytes_of: Bytes) -> tuple[bytes, int, bool]:
    """Return the next bytes, the number of the last text in them, and whether there are more."""
    found: list[bytes] = []
    size, more = 0, True
    while more and size < PART_BYTES:
        texts, more = jobs.texts_after(job, after, limit=PIECES_READ)
        for place, (number, text) in enumerate(texts, 1):
            found.append(bytes_of(text))
            size, after = size + len(found[-1]), number
            if size >= PART_BYTES:
                more = more or place < len(texts)
                break
    return b"".join(found), after, more


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]


def _key(job: Job, name: str) -> str:
    return f"exports/{job.tenant_id}/{job.id}/{name}"


def _pieces(job: Job) -> str:
    return f"pieces/{job.tenant_id}/{job.id}/"
