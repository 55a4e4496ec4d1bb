"""Whether a tenant's rows agree with each other, as `docs/data-model.md` says they must.

Written from that page, not from the product's code. It looks at rows once everything is dispatched: every event of an
aggregate is there and has been dispatched, every list, guard and word leads to something that says so itself and the
other way round, and every count is a recount.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from ulid import ULID

from chalicelib.core.clock import rfc3339
from chalicelib.core.items import Item
from chalicelib.events.models import opened_in

Problems = Iterator[str]
STATUSES = ("open", "pending", "snoozed", "closed")


@dataclass
class Books:
    """A tenant's rows by partition (without the tenant) and sort key; people and guards apart."""

    tenant_id: str
    tenant: dict[str, dict[str, Item]] = field(default_factory=lambda: defaultdict(dict))
    people: dict[str, Item] = field(default_factory=dict)  # by user: where they belong
    slugs: dict[str, str] = field(default_factory=dict)

    def of(self, prefix: str) -> dict[str, Item]:
        """Return the `meta` rows of all aggregates of a kind, by id."""
        return {pk: rows["meta"] for pk, rows in self.tenant.items() if pk.startswith(prefix) and "meta" in rows}

    def live(self, prefix: str) -> dict[str, Item]:
        """Return those that are neither deleted nor merged."""
        return {pk: meta for pk, meta in self.of(prefix).items() if not _ended(meta)}

    def part(self, pk: str) -> dict[str, Item]:
        """Return a partition's rows by sort key."""
        return self.tenant.get(pk, {})

    def parts(self, prefix: str) -> dict[str, dict[str, Item]]:
        """Return the partitions that begin so, by the rest of their key."""
        return {pk.removeprefix(prefix): rows for pk, rows in self.tenant.items() if pk.startswith(prefix) and rows}


def audit(tenant_id: str, rows: Iterable[Item]) -> list[str]:
    """Return what is wrong; nothing must be."""
    books = Books(tenant_id)
    for row in rows:
        scope, _, pk = row["pk"].partition("#")
        if scope == tenant_id:
            books.tenant[pk][row["sk"]] = row
        elif scope == "U" and row["sk"] == "person":
            books.people[pk] = row
        elif scope == "G" and pk.startswith("slug#"):
            books.slugs[pk.removeprefix("slug#")] = row["tenant"]
    return [problem for check in CHECKS for problem in check(books)]


def _events(rows: dict[str, Item]) -> list[Item]:
    return [row for sk, row in rows.items() if sk[:2] in {"e#", "m#"}]


def _position(row: Item) -> int:
    position: int = row["pos"]
    return position


def _opened_at(conversation_id: str, rows: dict[str, Item]) -> int:
    """Return when a conversation was opened, in milliseconds: its event says it, and its id where that was removed."""
    said = [int(row["at"]) for row in _events(rows) if row.get("ty") == "conversation.created"]
    return said[0] if said else int(ULID.from_str(conversation_id.removeprefix("conv_")).timestamp * 1000)


def _ended(meta: Item) -> bool:
    return not {"gone", "into"}.isdisjoint(meta)


def aggregates(books: Books) -> Problems:
    """Every aggregate has all its events, in unbroken order, and all of them are dispatched."""
    for pk, rows in books.tenant.items():
        meta = rows.get("meta", {})
        found, wanted = sorted(_position(row) for row in _events(rows)), list(range(1, meta.get("pos", 0) + 1))
        # Of a deleted or merged one a job removes events, once they are dispatched.
        if found != wanted and not (_ended(meta) and set(found) < set(wanted)):
            yield f"{pk}: pos is {meta.get('pos')}, its events are {found}"
        if meta.get("dpos", 0) != meta.get("pos", 0) or {"p_pk", "p_sk", "pr"} & meta.keys():
            yield f"{pk}: not dispatched: dpos {meta.get('dpos')} of {meta.get('pos')}, {meta.get('p_pk')}"
        for sk, row in rows.items():
            if sk.startswith("e#") and sk != f"e#{row['pos']:010d}":
                yield f"{pk}: {sk} says it is {row['pos']}"


def log(books: Books) -> Problems:
    """Every event and message stands in the tenant's log, each in a place of its own."""
    rows_of = books.tenant.items()
    happened = [(pk, sk, row) for pk, rows in rows_of for sk, row in rows.items() if sk[:2] in {"e#", "m#"}]
    places = Counter(row["l_sk"] for _, _, row in happened if "l_sk" in row)
    yield from (f"log: {place} is taken {count} times" for place, count in places.items() if count > 1)
    for pk, sk, row in happened:
        unlisted = row.get("ty") in {"job.created", "job.continued", "file.discarded"}
        if not unlisted and not row.get("l_pk", "").startswith(f"{books.tenant_id}#log#"):
            yield f"{pk} {sk}: not in the log"


def conversations(books: Books) -> Problems:
    """A conversation's hot row says what its messages say."""
    for pk, meta in books.live("conv_").items():
        messages = [row for sk, row in sorted(books.part(pk).items()) if sk.startswith("m#")]
        if [row["seq"] for row in messages] != list(range(1, meta["seq"] + 1)):
            yield f"{pk}: seq is {meta['seq']}, its messages are {[row['seq'] for row in messages]}"
        public = [row for row in messages if not row.get("pr")]
        if meta.get("pub", 0) != len(public):
            yield f"{pk}: {meta.get('pub', 0)} public messages, counted {len(public)}"
        if public and "del" not in public[-1] and not _said(public[-1]).startswith(meta["lm"].rstrip("…")):
            yield f"{pk}: its last message is {meta['lm']!r}"
        if meta.get("dseq", 0) != meta["seq"]:
            yield f"{pk}: messages dispatched up to {meta.get('dseq', 0)} of {meta['seq']}"
        yield from _doubled(pk, messages)
        if "meta~info" not in books.part(pk):
            yield f"{pk}: no cold row"
        moved = {(f"id#{row['id']}", row["seq"]) for row in messages if "mv" in row}
        pointers = {(sk, row["seq"]) for sk, row in books.part(pk).items() if sk.startswith("id#")}
        yield from _differences(f"{pk}: pointer", {each for each in moved if each in pointers}, pointers)
        if "mf" in meta:
            yield f"{pk}: still merging from {meta['mf']}"
    for pk, rows in books.parts("conv_").items():
        if _ended(rows.get("meta", {})) and (left := sorted(sk for sk in rows if sk[:2] not in {"e#", "me"})):
            yield f"conv_{pk}: has ended, and left {left}"
    yield from _subjects(books)


def _subjects(books: Books) -> Problems:
    """A conversation stands under all words of its subject, or under none."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rows in books.parts("w#").values():
        for sk, row in rows.items():
            word, _, pk = sk.rpartition("#")
            found[pk, row["w"]].add(word)
    for (pk, words), under in found.items():
        subject = books.part(pk).get("meta~info", {}).get("subj")
        if under != set(words.split()) or not subject:
            yield f"{pk}: found by {sorted(under)}, its words are {words!r} of {subject!r}"


def _said(message: Item) -> str:
    """Return a message's text, or its first file's name where it has none."""
    said: str = message["c"] or message["fi"][0][1]
    return said


def _doubled(pk: str, messages: list[Item]) -> Problems:
    said = Counter((row["ai"], row["cm"]) for row in messages if "cm" in row)
    yield from (f"{pk}: {key} was said {count} times" for key, count in said.items() if count > 1)
    if len({row["id"] for row in messages}) != len(messages):
        yield f"{pk}: two messages have one id"


def places(books: Books) -> Problems:
    """A conversation stands in the lists of its status and assignee, and nowhere when it is not waiting to wake up."""
    for pk, meta in books.live("conv_").items():
        wanted = f"{books.tenant_id}#own#{meta['st']}#{meta.get('as', '-')}", pk
        if (meta["o_pk"], meta["o_sk"]) != wanted:
            yield f"{pk}: listed under {meta['o_pk']}, is {meta['st']} and {meta.get('as')}'s"
        if meta["a_pk"].rpartition("#")[0] != f"{books.tenant_id}#{meta['st']}" or not meta["a_sk"].endswith(f"#{pk}"):
            yield f"{pk}: listed under {meta['a_pk']}, is {meta['st']}"
        if ("sn" in meta) != (meta["st"] == "snoozed") or ("due" in books.part(pk)) != ("sn" in meta):
            yield f"{pk}: {meta['st']}, until {meta.get('sn')}, alarm {'due' in books.part(pk)}"
        if ("cl" in meta) != (meta["st"] == "closed"):
            yield f"{pk}: {meta['st']}, closed at {meta.get('cl')}"
    for prefix, kind in (("con_", "con"), ("com_", "com"), ("vis_", "vis"), ("fil_", "fil"), ("conv_", None)):
        for pk, meta in books.of(prefix).items():
            if not kind and not _ended(meta):
                continue
            name = _list_of(kind, meta)
            wanted_list = (f"{books.tenant_id}#{name}", pk) if name else None
            listed = (meta["a_pk"].rpartition("#")[0], meta["a_sk"]) if "a_pk" in meta else None
            if listed != wanted_list:
                yield f"{pk}: listed as {listed}, expected {wanted_list}"


def _list_of(kind: str | None, meta: Item) -> str | None:
    """Return the list an aggregate stands in: what is there, what waits to be, and what was merged."""
    if "into" in meta:
        return "merged"
    if kind == "fil" and (meta.get("status", "ready") != "ready" or ("gone" in meta and "a_pk" in meta)):
        return "wait"  # also of one that never was ready, and was deleted
    return None if _ended(meta) else kind


def facets(books: Books) -> Problems:
    """The lists of a visitor, widget, contact, company, team or tag hold the conversations that say so, and no others.

    A conversation is of its contact's company. So do a conversation's list of files and a contact's of visitors.
    """
    wanted = {(f"fil#{meta['conversation_id']}", pk) for pk, meta in books.live("fil_").items() if _attached(meta)}
    for pk, meta in books.live("conv_").items():
        info = books.part(pk).get("meta~info", {})
        tags = json.loads(info.get("tags", "[]"))
        values = [*((kind, meta.get(kind)) for kind in ("vis", "wgt", "con")), *(("tag", tag) for tag in tags)]
        values += [("com", info.get("com")), ("team", info.get("tm"))]
        company = books.part(meta.get("con", "-")).get("meta", {}).get("company_id")
        if info.get("com") != company:
            yield f"{pk}: of company {info.get('com')}, its contact of {company}"
        yield from (f"{pk}: has the tag {tag!r}, which there is not" for tag in tags if not books.part(f"u#tag#{tag}"))
        if "tm" in info and info["tm"] not in books.part("team"):
            yield f"{pk}: of team {info['tm']}, which there is not"
        wanted |= {(f"{kind}#{value}", pk) for kind, value in values if value}
    found = {(facet, pk) for facet, rows in books.parts("f#").items() for pk in rows}
    yield from _differences("facet", wanted, found)
    theirs = {(meta["con"], pk) for pk, meta in books.live("vis_").items() if "con" in meta}
    listed = {(pk, sk) for pk in books.of("con_") for sk in books.part(pk) if sk.startswith("vis_")}
    yield from _differences("contact's visitor", theirs, listed)


def _attached(file: Item) -> bool:
    return "conversation_id" in file


def files(books: Books) -> Problems:
    """A file is tied to a conversation, or swept some day; what messages bring is there and tied to theirs."""
    for pk, meta in books.of("fil_").items():
        waits = not _ended(meta) and not _attached(meta)
        if ("due" in books.part(pk)) != waits:
            yield f"{pk}: {meta.get('status')}, of {meta.get('conversation_id')}, due {'due' in books.part(pk)}"
        if _attached(meta) and (meta["status"] != "ready" or meta["conversation_id"] not in books.live("conv_")):
            yield f"{pk}: {meta['status']}, tied to {meta['conversation_id']}"
    for pk in books.live("conv_"):
        brought = {each[0] for row in _events(books.part(pk)) for each in row.get("fi", ())}
        for each in sorted(brought & books.live("fil_").keys()):
            if books.part(each)["meta"].get("conversation_id") != pk:
                yield f"{each}: sent in {pk}, tied to {books.part(each)['meta'].get('conversation_id')}"


def deliveries(books: Books) -> Problems:
    """Every event after an endpoint's creation that it wants is one delivery, done, with all its attempts."""
    events = [row for rows in books.tenant.values() for row in _events(rows) if "l_sk" in row]
    for whk, endpoint in books.part("whk").items():
        rows = books.part(whk)
        recorded = {sk.removeprefix("d#"): row for sk, row in rows.items() if sk.startswith("d#")}
        wanted = {row["l_sk"] for row in events if _wants(endpoint, row) and _moment(row) > endpoint["created_at"]}
        yield from (f"{whk}: {ulid} was never recorded" for ulid in sorted(wanted - recorded.keys()))
        told = {row["l_sk"] for row in events} | {ulid for ulid, row in recorded.items() if row["ty"] == "webhook.test"}
        yield from (f"{whk}: {ulid} never happened" for ulid in sorted(recorded.keys() - told))
        for ulid, row in recorded.items():
            tries = sorted(int(sk.rpartition("#")[2]) for sk in rows if sk.startswith(f"t#{ulid}#"))
            if tries != list(range(1, row.get("n", 0) + 1)):
                yield f"{whk}: {ulid} has had {row.get('n', 0)} attempts, recorded are {tries}"
            if row["st"] == "pending" or "p_pk" in row or row.get("ls"):
                yield f"{whk}: {ulid} is {row['st']}, due {row.get('p_sk')}, lease {row.get('ls')}"


def _wants(endpoint: Item, event: Item) -> bool:
    type_ = event.get("ty") or ("message.moved" if "mv" in event else "message.created")
    return not {"*", type_, f"{type_.partition('.')[0]}.*"}.isdisjoint(endpoint["events"])


def _moment(event: Item) -> int:
    """Return milliseconds: a message says where its author's type is when it was said."""
    found: int = event["at" if "ty" in event else "mt" if "mt" in event else "ct"]
    return found


def contacts(books: Books) -> Problems:
    """Guards, words, companies' lists and counts of notes are those of the contacts that are there."""
    guards, words, companies = set(), set(), set()
    for pk, meta in books.of("con_").items():
        notes = sum(sk.startswith("note_") for sk in books.part(pk))
        if notes != meta.get("note_count", 0):
            yield f"{pk}: {meta.get('note_count', 0)} notes, counted {notes}"
        if "into" in meta and "meta" not in books.part(meta["into"]):
            yield f"{pk}: merged into {meta['into']}, which is not there"
        if pk not in books.live("con_"):
            continue
        emails = [meta.get("email"), *meta.get("other_emails", [])]
        externals = [meta.get("external_id"), *meta.get("other_external_ids", [])]
        guards |= {("con-email", value, pk) for value in emails if value}
        guards |= {("con-ext", value, pk) for value in externals if value}
        words |= {(word, pk, meta.get("found_by"), meta.get("company_id")) for word in meta.get("found_by", "").split()}
        companies |= {(meta["company_id"], pk)} if "company_id" in meta else set()
    found_guards = {
        (kind, value, row["id"])
        for kind in ("con-email", "con-ext")
        for value, rows in books.parts(f"u#{kind}#").items()
        for row in rows.values()
    }
    yield from _differences("guard", guards, found_guards)
    found_words = {
        (*sk.rsplit("#", 1), row["w"], row.get("com"))
        for rows in books.parts("s#").values()
        for sk, row in rows.items()
    }
    yield from _differences("word", words, found_words)
    listed = {(pk, sk) for pk in books.of("com_") for sk in books.part(pk) if sk.startswith("con_")}
    yield from _differences("company's contact", companies, listed)


def guards(books: Books) -> Problems:
    """Domains, shortcuts and tags have their guards, first messages' guards a conversation, and the slug its tenant."""
    for kind, part, name in (("domain", "dom", "domain"), ("shortcut", "can", "shortcut"), ("tag", "tag", "name")):
        wanted = {(row[name], sk) for sk, row in books.part(part).items()}
        found = {(value, row["id"]) for value, rows in books.parts(f"u#{kind}#").items() for row in rows.values()}
        yield from _differences(kind, wanted, found)
    held = {value: row["job"] for value, rows in books.parts("u#tag#").items() for row in rows.values() if "job" in row}
    yield from (f"tag {name!r} is still held by {job}" for name, job in held.items())
    yield from (f"{pk} is still being renamed" for pk, row in books.part("tag").items() if "job_id" in row)
    opened = [row["conv"] for rows in books.parts("u#cmid#").values() for row in rows.values()]
    yield from (f"{pk}: a first message's guard leads nowhere" for pk in opened if "meta" not in books.part(pk))
    yield from (f"{pk} was begun by two first messages" for pk, count in Counter(opened).items() if count > 1)
    tenant = books.part("tenant").get("meta", {})
    if tenant.get("slug") and books.slugs.get(tenant["slug"]) != books.tenant_id:
        yield f"slug {tenant['slug']} is {books.slugs.get(tenant['slug'])}'s"


def counters(books: Books) -> Problems:
    """The lists' counters are what a recount gives, and so is what the events said."""
    counted: Counter[str] = Counter(f"conv_{meta['st']}" for meta in books.live("conv_").values())
    for name, prefix in (("visitors", "vis_"), ("contacts", "con_"), ("companies", "com_")):
        counted[name] = len(books.live(prefix))
    ready = [meta for meta in books.live("fil_").values() if meta["status"] == "ready"]
    counted |= Counter(files=len(ready), file_bytes=sum(meta["size"] for meta in ready))
    counted.update(opened_in(rfc3339(_opened_at(pk, books.part(pk)))[:7]) for pk in books.of("conv_"))
    kept: Counter[str] = Counter()
    for rows in books.parts("n#").values():
        kept.update({name: value for name, value in rows["-"].items() if name not in {"pk", "sk"}})
    for name in sorted({*counted, *kept}):
        if kept[name] != counted[name]:
            yield f"counter {name} is {kept[name]}, counted {counted[name]}"


def numbers(books: Books) -> Problems:
    """No two conversations or contacts have one number, and none has one that was not given out."""
    for prefix, name, kind in (("conv_", "no", "conv"), ("con_", "number", "con")):
        used = [meta[name] for meta in books.of(prefix).values() if name in meta]
        if len(set(used)) != len(used):
            yield f"numbers of {kind}: {sorted(used)}"
        if used and max(used) > books.part("number").get(kind, {}).get("n", 0):
            yield f"numbers of {kind}: {max(used)} was never given out"
    guarded = {(int(number), row["id"]) for number, rows in books.parts("u#conv-no#").items() for row in rows.values()}
    wanted = {(meta["no"], pk) for pk, meta in books.live("conv_").items()}
    merged = {(number, pk) for number, pk in guarded if "into" in books.part(pk).get("meta", {})}
    yield from _differences("number", wanted, guarded - merged)


def quotas(books: Books) -> Problems:
    """What is limited is counted right."""
    for kind in ("wgt", "dom", "can", "attr", "whk", "team"):
        kept, counted = books.part("quota").get(kind, {}).get("n", 0), len(books.part(kind))
        if kept != counted:
            yield f"quota of {kind} is {kept}, counted {counted}"


def members(books: Books) -> Problems:
    """The tenant's counts are its rows, and each member's own row says the same as the tenant's."""
    tenant, rows = books.part("tenant").get("meta", {}), books.part("member")
    joined = {sk: row["role"] for sk, row in rows.items() if sk.startswith("usr_")}
    counted = {
        "members": len(rows),  # who is invited has a place already
        "owners": sum(role == "owner" for role in joined.values()),
        "keys": len(books.part("key")),
    }
    for name, count in counted.items():
        if "name" in tenant and tenant[name] != count:
            yield f"tenant: {name} is {tenant[name]}, counted {count}"
    theirs = {user: row["in"][books.tenant_id] for user, row in books.people.items() if books.tenant_id in row["in"]}
    yield from _differences("membership", set(joined.items()), set(theirs.items()))
    if both := {sk for sk in rows if sk in books.part("invitation")}:
        yield f"invitations both open and closed: {both}"
    teams = {user for row in books.part("team").values() for user in row.get("members", ())}
    strangers = teams - joined.keys() if not books.tenant_id.endswith("~test") else set()
    yield from (f"{user} is in a team, and no member" for user in sorted(strangers))
    yield from (f"{user} is told of what happens, and no member" for user in books.part("notify") if user not in joined)


def jobs(books: Books) -> Problems:
    """No job is under way, and what a job was to do to merged contacts is done."""
    for pk, meta in books.of("job_").items():
        if meta["st"] != "completed" or "end" not in meta or meta["sg"] != meta["sgs"]:
            yield f"{pk}: {meta['kind']} is {meta['st']}, stage {meta['sg']} of {meta['sgs']}"
        if left := [sk for sk in books.part(pk) if sk.startswith("ids#")]:
            yield f"{pk}: has ended, and left {left}"


def _differences(what: str, wanted: AbstractSet[tuple[Any, ...]], found: AbstractSet[tuple[Any, ...]]) -> Problems:
    yield from (f"{what} {each} is missing" for each in sorted(wanted - found, key=str))
    yield from (f"{what} {each} leads nowhere" for each in sorted(found - wanted, key=str))


CHECKS: tuple[Callable[[Books], Problems], ...] = (
    *(aggregates, log, conversations, places, facets, contacts, files),
    *(guards, counters, numbers, quotas, members, jobs, deliveries),
)
