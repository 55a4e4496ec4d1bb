"""An export is the table at one moment, and what is made from it is that table."""

import gzip
import json

import pytest

from bench.kill.load import Ledger, Said
from bench.regions import restore
from bench.regions.restore import Drill
from chalicelib.core.items import to_attributes
from local.engines import aws_client, create_table, start_dynoxide
from local.environment import TABLE

META = {"pk": "tn_1#conv_1", "sk": "meta", "pos": 2, "dpos": 1, "seq": 1, "st": "open", "b": b"\0\xff", "s": {"a"}}
MESSAGE = {"pk": "tn_1#conv_1", "sk": "m#1", "pos": 2, "seq": 1, "id": "msg_1", "n": {"deep": [1, "x"]}}
LATER = {"pk": "tn_1#conv_1", "sk": "m#2", "pos": 3, "seq": 2, "id": "msg_2"}


def put(engine, *rows):
    client = aws_client("dynamodb", engine.endpoint)
    for row in rows:
        client.put_item(TableName=TABLE, Item=to_attributes(row))


@pytest.fixture
def moment(tmp_path):
    """A table copied while it is in use, and what had been acknowledged."""
    engine = start_dynoxide(tmp_path / "table.sqlite")
    create_table(engine.endpoint, TABLE)
    put(engine, META, MESSAGE)
    ledger = Ledger()
    ledger.note("c-1", Said("conv_1", "msg_1", 1))
    found = restore._moment(ledger, tmp_path / "table.sqlite", tmp_path / "copy.sqlite")
    ledger.note("c-2", Said("conv_1", "msg_2", 2))
    put(engine, LATER)
    engine.stop()
    return found


def test_a_moment_has_what_was_there_and_nothing_later(moment, tmp_path):
    acknowledged, copy = moment
    drill = Drill(acknowledged, 2)
    assert restore._export(drill, copy, tmp_path / "export.gz")
    assert (drill.items, list(drill.acknowledged)) == (2, ["c-1"])
    restore._import(tmp_path / "export.gz", tmp_path / "new.sqlite")
    engine = start_dynoxide(tmp_path / "new.sqlite")
    rows = sorted(restore._items(engine), key=lambda item: item["sk"]["S"])
    assert rows == [to_attributes(row) for row in (MESSAGE, META)]
    assert list(restore._lost(drill, engine.endpoint)) == []
    assert len(list(restore._without_event(drill, engine.endpoint))) == 1
    put(engine, {**META, "dpos": 2})
    assert list(restore._without_event(drill, engine.endpoint)) == []
    engine.stop()


def test_a_moment_at_which_all_was_dispatched_proves_nothing(moment, tmp_path):
    _, copy = moment
    engine = start_dynoxide(copy)
    put(engine, {**META, "dpos": 2})
    engine.stop()
    assert not restore._export(Drill(moment[0], 1), copy, tmp_path / "export.gz")


@pytest.mark.parametrize("change", [{"seq": 2}, {"id": "msg_9"}, {"pk": "tn_1#conv_2"}])
def test_a_message_that_is_gone_or_not_as_it_was_acknowledged_is_named(moment, tmp_path, change):
    engine = start_dynoxide()
    create_table(engine.endpoint, TABLE)
    put(engine, META, {**MESSAGE, **change})
    (problem,) = restore._lost(Drill(moment[0], 1), engine.endpoint)
    assert problem.startswith("c-1 was acknowledged")
    engine.stop()


def test_an_export_has_a_line_of_json_for_each_item(moment, tmp_path):
    restore._export(Drill(moment[0], 1), moment[1], tmp_path / "export.gz")
    with gzip.open(tmp_path / "export.gz", "rt") as lines:
        assert {json.loads(line)["Item"]["sk"]["S"] for line in lines} == {"meta", "m#1"}
