"""Steps of the jobs that delete or merge conversations: their files go with them."""

from collections.abc import Callable

from chalicelib.core.table import TEST_SUFFIX, Write
from chalicelib.events.models import SYSTEM
from chalicelib.files import s3_gateway, store
from chalicelib.files.models import File
from chalicelib.files.service import deleting
from chalicelib.jobs.models import Job, Step

FILES_A_STEP = 10
FOLDERS = ("files", "incoming", "exports", "pieces")  # of the bucket, each with a folder for every tenant


def delete_files(job: Job) -> Step:
    """Delete the next files of the conversation that the job's `conversation_id` names."""
    return _each(job, lambda file: deleting(file, SYSTEM), news=True)


def delete_objects(job: Job) -> Step:
    """Delete the next bytes of a tenant that is erased, and of its test data: a thousand objects a step."""
    spaces = (job.tenant_id, job.tenant_id + TEST_SUFFIX)
    prefixes = [f"{folder}/{space}/" for space in spaces for folder in FOLDERS]
    number = int(job.cursor or 0)
    number += s3_gateway.delete_some(prefixes[number])
    return Step(finished=number == len(prefixes), cursor=str(number))


def move_files(job: Job, into: str) -> Step:
    """Tie the next files of a merged conversation to the one that has its messages."""
    return _each(job, lambda file: store.moving(file, into), news=False)


def _each(job: Job, deal_with: Callable[[File], list[Write]], *, news: bool) -> Step:
    conversation_id = job.args["conversation_id"]
    file_ids, more = store.first_of_conversation(job.tenant_id, conversation_id, FILES_A_STEP)
    if not file_ids:
        return Step(finished=True)
    files = store.find_all(job.tenant_id, file_ids)
    writes: list[Write] = []
    for file_id in file_ids:
        if file := files.get(file_id):
            writes += deal_with(file)
        else:
            writes.append(store.forgetting(job.tenant_id, conversation_id, file_id))
    return Step(writes, done=len(file_ids), finished=not more, changed=tuple(files) if news else ())
