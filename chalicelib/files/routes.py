"""`/v1/files`, and the same for visitors: `/widget/v1/files`."""

from collections.abc import Mapping

from chalicelib.core.http import Api, Call, Page, Raw, Role
from chalicelib.core.http.forms import Upload
from chalicelib.files import service
from chalicelib.files.models import (
    REFUSALS,
    ActiveContentError,
    File,
    FileQuery,
    ListFiles,
    NotUploadedError,
    ProgramError,
    Started,
    StartedOut,
    StartUpload,
    Storage,
    StorageOut,
)
from chalicelib.files.showing import FileOut, download_url
from chalicelib.tenants.models import PlanLimitError

api = Api("Files")
visitor_api = Api("Widget", kinds=("visitor",), widget=True)

CLAIMS = (ActiveContentError, ProgramError)


@api.get("/v1/files", scope="files:read", query=ListFiles, answer=FileOut, paged=True)
def list_files(call: Call, query: ListFiles) -> Page[File]:
    """List files that are ready, newest first."""
    return service.list_files(call.tenant_id, query)


@api.post(
    "/v1/files",
    role=Role.AGENT,
    scope="files:write",
    upload=True,
    answer=FileOut,
    status=201,
    errors=(*REFUSALS, PlanLimitError),
)
def upload_file(call: Call, upload: Upload) -> File:
    """Upload a file of at most 4 MB, as multipart/form-data with one part named `file`.

    What a browser or a computer would run is refused. A file that no message has attached after 24 hours is deleted.
    """
    return service.upload_file(call.tenant_id, call.principal.actor, upload)


@api.get("/v1/files/usage", scope="files:read", answer=StorageOut)
def retrieve_file_usage(call: Call) -> Storage:
    """Read how many files the tenant keeps, and how many bytes they have."""
    return service.read_storage(call.tenant_id)


@api.post(
    "/v1/files/uploads",
    role=Role.AGENT,
    scope="files:write",
    body=StartUpload,
    answer=StartedOut,
    status=201,
    errors=(*CLAIMS, PlanLimitError),
)
def start_upload(call: Call, body: StartUpload) -> Started:
    """Begin an upload of at most 25 MB that goes directly to the storage.

    Post `fields` and then the file, in a part named `file`, to `url` within the hour; then complete the upload.
    """
    return service.start_upload(call.tenant_id, call.principal.actor, body.name, body.content_type, body.size)


@api.post(
    "/v1/files/{file_id}/complete",
    role=Role.AGENT,
    scope="files:write",
    answer=FileOut,
    errors=(*REFUSALS, NotUploadedError),
)
def complete_upload(call: Call, file_id: str) -> File:
    """Complete a direct upload. What was uploaded by now is looked at and kept; later uploads have no effect."""
    return service.complete_upload(call.tenant_id, file_id)


@api.get("/v1/files/{file_id}", scope="files:read", query=FileQuery, answer=FileOut, also={302: None})
def retrieve_file(call: Call, query: FileQuery, file_id: str) -> File | Raw:
    """Read about a file. With `download=1`, or with an `Accept` other than JSON, go to its bytes."""
    return _shown(call, query, service.get_file(call.tenant_id, file_id))


@api.delete("/v1/files/{file_id}", role=Role.AGENT, scope="files:write")
def delete_file(call: Call, file_id: str) -> None:
    """Delete a file. Links to it end within seconds; a message that brought it goes on naming it."""
    service.delete_file(call.tenant_id, file_id, call.principal.actor)


@visitor_api.post("/widget/v1/files", upload=True, answer=FileOut, status=201, errors=REFUSALS)
def upload_own_file(call: Call, upload: Upload) -> File:
    """Upload a file of at most 4 MB, as multipart/form-data with one part named `file`."""
    return service.upload_file(call.tenant_id, call.principal.actor, upload)


@visitor_api.post("/widget/v1/files/uploads", body=StartUpload, answer=StartedOut, status=201, errors=CLAIMS)
def start_own_upload(call: Call, body: StartUpload) -> Started:
    """Begin an upload of at most 25 MB that goes directly to the storage."""
    return service.start_upload(call.tenant_id, call.principal.actor, body.name, body.content_type, body.size)


@visitor_api.post("/widget/v1/files/{file_id}/complete", answer=FileOut, errors=(*REFUSALS, NotUploadedError))
def complete_own_upload(call: Call, file_id: str) -> File:
    """Complete a direct upload."""
    return service.complete_upload(call.tenant_id, file_id, owner=call.principal.actor)


@visitor_api.get("/widget/v1/files/{file_id}", query=FileQuery, answer=FileOut, also={302: None})
def retrieve_own_file(call: Call, query: FileQuery, file_id: str) -> File | Raw:
    """Read about a file that the visitor has sent, or has got in a conversation, also from another device of his."""
    visitor = call.principal
    return _shown(call, query, service.get_file_of_visitor(call.tenant_id, file_id, visitor.actor, visitor.contact_id))


def _shown(call: Call, query: FileQuery, file: File) -> File | Raw:
    if file.status != "ready" or not (query.wants_bytes or _wants_no_json(call.headers)):
        return file
    call.answer_headers["Location"] = download_url(file.tenant_id, file)
    return Raw("", "text/plain", 302)


def _wants_no_json(headers: Mapping[str, str]) -> bool:
    accepted = {each.partition(";")[0].strip().lower() for each in headers.get("accept", "*/*").split(",")}
    return not accepted & {"*/*", "application/*", "application/json", ""}
