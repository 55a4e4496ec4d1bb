"""Writing again what conversations are searched by, as a job: for those that are older than the search."""

from chalicelib.conversations import store
from chalicelib.conversations.listing import ListConversations, list_conversations
from chalicelib.conversations.models import Conversation
from chalicelib.core.table import transact
from chalicelib.events.models import SYSTEM
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

INDEX_JOB = "conversation.index"
A_STEP = 7  # conversations, each with a condition, its number and at most ten words: a transaction has 100 writes


def start_indexing(tenant_id: str) -> Job:
    """Start the job for a tenant, or for its test data. Doing it again writes the same rows again."""
    job, writes = jobs.starting(tenant_id, INDEX_JOB, {}, SYSTEM)
    transact(writes)
    jobs.started(job)
    return job


def index_next(job: Job) -> Step:
    """Write the rows of the next conversations, as they are when these are committed.

    The one whose activity is oldest comes first: what changes meanwhile moves to where the walk has still to come.
    """
    query = ListConversations(sort="last_message_at", limit=A_STEP, cursor=job.cursor)
    page = list_conversations(job.tenant_id, query)
    # Read anew, because a list may be a moment behind: what it shows could be a subject that is none any more.
    found = store.find_all(job.tenant_id, [each.id for each in page.rows]).values()
    live = [each for each in found if isinstance(each, Conversation)]
    writes = [write for each in live for write in store.indexing(each)]
    return Step(writes, done=len(live), finished=page.next_cursor is None, cursor=page.next_cursor)
