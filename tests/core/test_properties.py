"""What holds for every input: cursors, tokens, ids, the table's wire format and keys, JSON, buckets."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chalicelib.core import clock, cursor, ids, strictjson, tokens
from chalicelib.core.cursor import Position
from chalicelib.core.errors import InvalidError, MalformedRequestError, NotFoundError, RateLimitedError
from chalicelib.core.items import from_attributes, to_attributes
from chalicelib.core.ratelimit import Bucket
from chalicelib.core.table import USERS, ForeignRowError, Key, Rows, rows_of, tenant_rows
from chalicelib.tenants import api_keys
from chalicelib.widgets import models as widgets
from tests.support.properties import anything_json, storable, text, tried, ulids

START = 1_800_000_000_000


class TestCursors:
    @tried(100)
    @given(text, text, text, st.integers(0, 10**9))
    def test_one_comes_back_as_it_was_made(self, tenant, name, after, seen):
        made = cursor.encode(tenant, name, Position(after, seen))
        assert re.fullmatch(r"[A-Za-z0-9_-]+", made)
        assert cursor.decode(tenant, name, made) == Position(after, seen)

    @tried(100)
    @given(text, text, text, text, text)
    def test_one_of_another_tenant_or_list_is_refused(self, tenant, name, other_tenant, other_name, after):
        assume((tenant, name) != (other_tenant, other_name))
        made = cursor.encode(tenant, name, Position(after, 1))
        with pytest.raises(InvalidError) as refused:
            cursor.decode(other_tenant, other_name, made)
        assert [(each.param, each.code) for each in refused.value.errors] == [("cursor", "invalid_cursor")]
        assert "Start again without it." in refused.value.errors[0].message

    @tried(150)
    @given(text, st.integers(0, 10**6), st.data())
    def test_one_with_a_changed_bit_is_refused(self, after, seen, data):
        made = cursor.encode("tn", "list", Position(after, seen))
        raw = bytearray(base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)))
        place = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[place // 8] ^= 1 << place % 8
        with pytest.raises(InvalidError):
            cursor.decode("tn", "list", base64.urlsafe_b64encode(raw).decode().rstrip("="))

    @tried(150)
    @given(st.text(max_size=80))
    @example("")
    @example("a")
    @example("é")
    @example("=" * 9)
    @example("\ud800")
    def test_anything_else_is_refused_and_nothing_worse(self, made):
        with pytest.raises(InvalidError):
            cursor.decode("tn", "list", made)

    @tried(40)
    @given(st.dictionaries(text, anything_json, max_size=3), st.dictionaries(text, anything_json, max_size=3))
    def test_a_lists_name_tells_filters_apart_and_nothing_else(self, one, other):
        same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
        assert (cursor.list_name("x", one) == cursor.list_name("x", other)) == same
        assert cursor.list_name("x", dict(reversed(one.items()))) == cursor.list_name("x", one)
        assert re.fullmatch(r"x:[0-9a-f]{16}", cursor.list_name("x", one))

    def test_a_time_is_a_filter_too(self):
        noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
        assert cursor.list_name("x", {"since": noon}) == cursor.list_name("x", {"since": noon})
        assert cursor.list_name("x", {"since": noon}) != cursor.list_name("x", {"since": noon + timedelta(seconds=1)})


parts = st.lists(st.binary(max_size=20), min_size=1, max_size=4)


class TestTokens:
    @tried(150)
    @given(text, parts)
    @example("p_", [b"\x00" * 16])
    @example("p_", [b"\xff" * 16])
    def test_one_comes_back_as_it_was_packed(self, prefix, given_parts):
        lengths = [len(part) for part in given_parts]
        token = tokens.pack(prefix, *given_parts)
        assert tokens.unpack(prefix, token, *lengths) == tuple(given_parts)
        assert re.fullmatch(r"[0-9A-Za-z]+", token.removeprefix(prefix))
        assert len(token) == len(tokens.pack(prefix, bytes(sum(lengths))))  # never longer or shorter

    def test_one_is_as_short_as_base_62_can_be(self):
        for size in range(4, 132):
            length = len(tokens.pack("", bytes(size - 4)))
            assert 62 ** (length - 1) < 256**size <= 62**length

    @tried(250)
    @given(st.binary(min_size=16, max_size=16), st.data())
    def test_a_typo_is_noticed(self, secret, data):
        token = tokens.pack("p_", secret)
        place = data.draw(st.integers(2, len(token) - 1))
        char = data.draw(st.sampled_from(tokens._DIGITS + "-_é ").filter(lambda each: each != token[place]))
        assert tokens.unpack("p_", token[:place] + char + token[place + 1 :], 16) is None

    @tried(100)
    @given(st.binary(min_size=16, max_size=16), st.integers(2, 28))
    def test_neighbours_in_the_wrong_order_are_noticed(self, secret, place):
        token = tokens.pack("p_", secret)
        turned = token[:place] + token[place + 1 : place + 2] + token[place] + token[place + 2 :]
        assume(turned != token)
        assert tokens.unpack("p_", turned, 16) is None

    @tried(150)
    @given(st.text(max_size=60))
    @example("p_" + "z" * 27)  # more than 20 bytes hold
    @example("p_" + "0" * 27)
    @example("p_aWgEPTl1tmebfsQzFP4bxwgy80W")  # the first number that 20 bytes do not hold
    def test_whatever_unpacks_is_what_was_packed(self, token):
        found = tokens.unpack("p_", token, 16)
        assert found is None or tokens.pack("p_", *found) == token

    @tried(100)
    @given(st.binary(min_size=16, max_size=16), st.text(max_size=3), st.text(min_size=1, max_size=3))
    def test_the_prefix_is_part_of_it(self, secret, before, after):
        token = tokens.pack("p_", secret)
        assert tokens.unpack("q_", "q_" + token[2:], 16) is None
        assert tokens.unpack("p_", token[2:], 16) is None
        assert tokens.unpack("p_", token + after, 16) is None
        assert before == "" or tokens.unpack("p_", before + token, 16) is None
        assert tokens.unpack("p_", token, 15) is None
        assert tokens.unpack("p_", token, 15, 1) == (secret[:15], secret[15:])

    @tried(100)
    @given(ulids, ulids, st.binary(min_size=24, max_size=24), st.sampled_from(["live", "test"]))
    def test_an_api_key_names_its_tenant_itself_and_its_mode(self, tenant, key, secret, mode):
        token = api_keys.token_of(mode, f"tn_{tenant}", f"key_{key}", secret)
        assert token.startswith(f"parley_{mode}_")
        found = tokens.unpack(api_keys.PREFIXES[mode], token, 16, 16, 24)
        assert found
        assert (ids.from_bytes("tn", found[0]), ids.from_bytes("key", found[1])) == (f"tn_{tenant}", f"key_{key}")
        other = {"live": "test", "test": "live"}[mode]
        assert tokens.unpack(f"parley_{other}_", token.replace(mode, other, 1), 16, 16, 24) is None

    @tried(100)
    @given(ulids, ulids, st.binary(min_size=8, max_size=8), st.booleans())
    def test_a_client_token_names_its_widget(self, tenant, widget, random, test_data):
        space = f"tn_{tenant}" + ("~test" if test_data else "")
        length = widgets._TOKEN_PARTS[-1]
        token = widgets.new_client_token(space, f"wgt_{widget}", (random * 8)[:length])
        assert widgets.read_client_token(token) == (space, f"wgt_{widget}")


class TestIds:
    @tried(100)
    @given(st.sampled_from(["tn", "usr", "conv"]), ulids)
    def test_an_id_comes_back_from_its_bytes(self, prefix, ulid):
        made = f"{prefix}_{ulid}"
        assert ids.is_id(prefix, made)
        assert ids.from_bytes(prefix, ids.to_bytes(made)) == made
        assert len(ids.to_bytes(made)) == 16

    @tried(150)
    @given(st.text(max_size=40))
    @example("conv_01JB3D2N6T8V4W5X7Y9Z0A1B2C\n")
    @example("conv_01jb3d2n6t8v4w5x7y9z0a1b2c")
    @example("conv_")
    def test_nothing_else_is_one(self, identifier):
        shaped = re.fullmatch(r"conv_[0-9A-HJKMNP-TV-Z]{26}", identifier) is not None
        assert ids.is_id("conv", identifier) == shaped

    @tried(100)
    @given(ulids)
    def test_an_id_of_one_kind_is_none_of_another(self, ulid):
        assert not ids.is_id("con", f"conv_{ulid}")
        assert not ids.is_id("conv", f"con_{ulid}")

    @tried(100)
    @given(st.lists(text, min_size=1, max_size=3), st.lists(text, min_size=1, max_size=3))
    def test_a_derived_id_follows_from_its_source_alone(self, one, other):
        assume(not any("\x00" in part for part in [*one, *other]))
        assert (ids.derived("evt", *one) == ids.derived("evt", *other)) == (one == other)
        assert ids.is_id("evt", ids.derived("evt", *one))


class TestItems:
    @tried(60)
    @given(st.dictionaries(text, storable, max_size=6))
    def test_an_item_comes_back_as_it_was_written(self, item):
        assert from_attributes(to_attributes(item)) == item

    @tried(100)
    @given(st.frozensets(text.filter(bool), min_size=1, max_size=5), st.binary(max_size=30))
    def test_so_do_sets_and_bytes(self, names, raw):
        assert from_attributes(to_attributes({"names": names, "raw": raw, "none": None})) == {
            "names": names,
            "raw": raw,
        }

    @pytest.mark.parametrize("value", [1.5, object(), None, 1j])
    def test_what_cannot_be_stored_is_a_type_error(self, value):
        with pytest.raises(TypeError, match="cannot be stored"):
            to_attributes({"a": [value]})

    def test_an_attribute_of_another_kind_is_a_type_error(self):
        with pytest.raises(TypeError, match="NS was not written by us"):
            from_attributes({"a": {"NS": ["1"]}})


class TestKeys:
    @tried(100)
    @given(ulids, text, text)
    @example("01JB3D2N6T8V4W5X7Y9Z0A1B2C", "f#tag#vip", "conv_1")
    def test_every_key_of_a_tenants_view_begins_with_the_tenant(self, ulid, pk, sk):
        rows = tenant_rows(f"tn_{ulid}")
        assert rows.key(pk, sk) == Key(f"tn_{ulid}#{pk}", sk)
        writes = [
            rows.putting(pk, sk, {"a": 1}),
            rows.updating(pk, sk, set_={"a": 1}),
            rows.deleting(pk, sk),
            rows.checking(pk, sk, exists=True),
        ]
        for write in writes:
            wire = write.params.get("Key") or {name: write.params["Item"][name] for name in ("pk", "sk")}
            assert wire == {"pk": {"S": f"tn_{ulid}#{pk}"}, "sk": {"S": sk}} == write.key.wire
        assert rows_of(writes[0].key.pk).scope == f"tn_{ulid}"
        assert rows_of(tenant_rows(f"tn_{ulid}~test").key(pk, sk).pk).scope == f"tn_{ulid}~test"
        assert rows_of(USERS.key(pk, sk).pk).scope == "U"

    @tried(100)
    @given(ulids, text)
    def test_a_view_reads_no_key_of_another(self, ulid, pk):
        rows = tenant_rows(f"tn_{ulid}")
        for scope in (f"tn_{ulid}~test", "U", f"tn_{ulid}x", ""):
            with pytest.raises(ForeignRowError):
                rows.batch_get([Rows(scope).key(pk, "meta")])

    @tried(100)
    @given(st.text(max_size=40))
    @example("U")
    @example("tn_01JB3D2N6T8V4W5X7Y9Z0A1B2C#x")
    @example("tn_01JB3D2N6T8V4W5X7Y9Z0A1B2C~live")
    def test_there_is_no_view_of_what_is_no_tenant(self, tenant):
        assume(not re.fullmatch(r"tn_[0-9A-HJKMNP-TV-Z]{26}(~test)?", tenant))
        with pytest.raises(NotFoundError):
            tenant_rows(tenant)


class TestJson:
    @tried(60)
    @given(anything_json)
    def test_json_we_wrote_is_read_as_it_was(self, value):
        try:
            assert strictjson.loads(json.dumps(value).encode()) == value
        except InvalidError:
            assert "\\u0000" in json.dumps(value)

    @tried(250)
    @given(st.one_of(st.binary(max_size=60), st.text(' {}[]",:0123456789eE+-.\\u\x00nultrfase\ud800', max_size=40)))
    @example(b"1e400")
    @example(b"[" * 100_000)
    @example(b'{"a":1,"a":2}')
    @example(b'"\\ud800"')
    @example(b"\xff")
    @example(b"9" * 5000)
    def test_anything_else_is_refused_and_nothing_worse(self, raw):
        sent = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")
        try:
            value = strictjson.loads(sent)
        except (MalformedRequestError, InvalidError):
            return
        json.dumps(value, allow_nan=False).encode()

    @pytest.mark.parametrize(("depth", "fine"), [(64, True), (65, False)])
    def test_64_levels_are_the_limit(self, depth, fine):
        raw = b"[" * depth + b"]" * depth
        if fine:
            strictjson.loads(raw)
        else:
            with pytest.raises(MalformedRequestError, match="nested too deeply"):
                strictjson.loads(raw)


class TestBuckets:
    @tried(100)
    @given(st.integers(1, 20), st.floats(0.01, 50), st.lists(st.integers(-2000, 5000), max_size=60))
    def test_nobody_takes_more_than_the_burst_and_what_has_come_since(self, burst, rate, pauses):
        now = latest = START
        with clock.reading(lambda: START):
            bucket = Bucket.parse(None, burst)
        taken, waits = 0, [1]
        for pause in pauses:
            now += pause
            latest = max(latest, now)
            with clock.reading(partial(int, now)):
                try:
                    bucket = Bucket.parse(str(bucket), burst).take(burst, rate)
                    taken += 1
                except RateLimitedError as refused:
                    waits.append(refused.retry_after or 0)
            assert taken <= burst + rate * (latest - START) / 1000 + 1e-6
            assert 0 <= bucket.level_milli <= burst * 1000
            assert min(waits) >= 1

    @tried(100)
    @given(st.integers(0, 10**6), st.integers(0, 10**14))
    def test_one_comes_back_as_it_was_stored(self, level, at):
        assert Bucket.parse(str(Bucket(level, at)), 7) == Bucket(level, at)
