"""`/v1/tags`."""

from chalicelib.core.http import Api, Call, Page, Role
from chalicelib.tags import service
from chalicelib.tags.models import CreateTag, ListTags, Tag, TagBusyError, TagExistsError, TagOut, UpdateTag

api = Api("Tags")


@api.get("/v1/tags", scope="tags:read", query=ListTags, answer=TagOut, paged=True)
def list_tags(call: Call, query: ListTags) -> Page[Tag]:
    """List tags, newest first.

    How many conversations have one says `pagination.total` of `GET /v1/conversations?tag=…&limit=1`.
    """
    return service.list_tags(call.tenant_id, query)


@api.post(
    "/v1/tags",
    role=Role.AGENT,
    scope="tags:write",
    body=CreateTag,
    answer=TagOut,
    status=201,
    errors=(TagExistsError, TagBusyError),
)
def create_tag(call: Call, body: CreateTag) -> Tag:
    """Create a tag. One that a conversation is given and that is not there yet is created by that, too."""
    return service.create_tag(call.tenant_id, call.principal.actor, body.given())


@api.get("/v1/tags/{tag_id}", scope="tags:read", answer=TagOut)
def retrieve_tag(call: Call, tag_id: str) -> Tag:
    """Retrieve a tag."""
    return service.get_tag(call.tenant_id, tag_id)


@api.patch(
    "/v1/tags/{tag_id}",
    role=Role.AGENT,
    scope="tags:write",
    body=UpdateTag,
    answer=TagOut,
    errors=(TagExistsError, TagBusyError),
)
def update_tag(call: Call, body: UpdateTag, tag_id: str) -> Tag:
    """Change a tag. With another name, the job that `job_id` names gives it to the conversations that have the tag.

    Until the job is done, the old name is found where it has not come by yet, and no conversation gets it anew (409
    `tag_busy`).
    """
    return service.update_tag(call.tenant_id, call.principal.actor, tag_id, body.given(), call.if_match)


@api.delete("/v1/tags/{tag_id}", role=Role.AGENT, scope="tags:write")
def delete_tag(call: Call, tag_id: str) -> None:
    """Delete a tag. A job takes it from the conversations that have it; until it is done, its name is not free."""
    service.delete_tag(call.tenant_id, call.principal.actor, tag_id, call.if_match)
