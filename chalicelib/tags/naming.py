"""Tags by their names, as conversations get them: known ones are required to be there, unknown ones are made."""

from collections.abc import Collection

from chalicelib.core.table import ConditionFailedError, StaleError, Write
from chalicelib.tags import store
from chalicelib.tags.models import Tag
from chalicelib.tags.service import Actor, busy_error, new_tag, shown
from chalicelib.tenants import service as tenants


class Naming:
    """The tags that one change gives to conversations.

    Its first attempt takes them for known, which costs no read: the transaction requires it. The attempts after that
    look, and make what is missing in the very transaction.
    """

    def __init__(self, tenant_id: str, actor: Actor) -> None:
        self._tenant_id, self._actor = tenant_id, actor
        self._doubted = False
        self._made = False

    def writes(self, names: Collection[str], room: int) -> list[Write]:
        """Return the writes for these names; raises TagBusyError.

        Where unknown ones don't fit into the `room` that the transaction has left, they are made before it.
        """
        self._made = False
        if not names:
            return []
        if not self._doubted:
            self._doubted = True
            return self._requiring(names)
        guards, pos = store.find_guards(self._tenant_id, names)
        if busy := next((guard["job"] for guard in guards.values() if "job" in guard), None):
            raise busy_error(busy, "tags")
        missing = [new_tag(self._tenant_id, {"name": name}) for name in sorted(names) if name not in guards]
        if not missing:
            return self._requiring(names)
        making = self._making(missing, pos)
        if len(making) + len(guards) > room:
            self._commit(making)
            return self._requiring(names)
        self._made = True
        return [*making, *self._requiring(guards)]

    def committed(self) -> None:
        """Tell the dispatcher, after the commit, of tags that were made in it."""
        if self._made:
            tenants.notify_tenant(self._tenant_id)

    def _requiring(self, names: Collection[str]) -> list[Write]:
        return [store.requiring(self._tenant_id, name) for name in sorted(names)]

    def _making(self, tags: list[Tag], pos: int | None) -> list[Write]:
        told = [("tag.created", shown(tag)) for tag in tags]
        record = tenants.recording_all(self._tenant_id, pos, self._actor, told)
        return [*(write for tag in tags for write in store.creating(tag)), *record]

    def _commit(self, writes: list[Write]) -> None:
        try:
            tenants.commit(self._tenant_id, writes)
        except ConditionFailedError:
            raise StaleError from None


def all_known(tenant_id: str, names: Collection[str]) -> bool:
    """Tell whether all these names are tags', and none of them a job's. One read where there are names."""
    guards, _ = store.find_guards(tenant_id, names) if names else ({}, None)
    return len(guards) == len(names) and not any("job" in guard for guard in guards.values())
