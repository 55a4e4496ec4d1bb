"""`/v1/jobs`."""

from chalicelib.core.http import Api, Call
from chalicelib.core.http.access import TenantSuspendedError
from chalicelib.jobs import service
from chalicelib.jobs.models import Job, JobOut

api = Api("Jobs")


@api.get("/v1/jobs/{job_id}", scope="jobs:read", answer=JobOut, while_suspended=True, errors=(TenantSuspendedError,))
def retrieve_job(call: Call, job_id: str) -> Job:
    """Read how far a job is. Jobs are kept for 30 days after their end.

    The file of a job that has made one is for admins, and for API keys that may read what is in it.
    """
    return service.show_job(call.tenant_id, job_id, call.principal)
