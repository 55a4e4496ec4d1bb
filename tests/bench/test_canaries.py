"""The search for canary words finds them however they are stored."""

import base64
import zlib

import pytest

from bench.regions.canaries import search, words

CODES = ("eu1", "us1")


@pytest.fixture
def word():
    return words("us1", 1)[0]


def test_words_name_their_region_and_are_all_different():
    made = words("eu1", 1000)
    assert len(set(made)) == 1000
    assert all(each.startswith("canaryeu1") for each in made)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", [b"", b"x"])
def test_a_word_is_found_in_text_of_either_width(tmp_path, word, encoding, before):
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "table"
    file.write_bytes(before + f"said {word.upper()}!".encode(encoding))
    seen = search([tmp_path], CODES)
    assert seen.words == {word: {str(file)}}
    assert (seen.files, seen.bytes) == (1, file.stat().st_size)


def test_a_word_is_found_in_a_files_name(tmp_path, word):
    (tmp_path / f"{word}.txt").write_text("")
    assert search([tmp_path], CODES).words.keys() == {word}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_word_in_base64_gives_its_region_away(tmp_path, word, before):
    (tmp_path / "log").write_bytes(base64.b64encode(f"{before}{word}".encode()))
    seen = search([tmp_path], CODES)
    assert not seen.words
    assert seen.disguised == {"us1": {str(tmp_path / "log")}}


def test_what_it_cannot_see_is_not_claimed(tmp_path, word):
    # Compressed text is not found: that every word is found in its own region shows that nothing is stored so.
    (tmp_path / "log").write_bytes(zlib.compress(word.encode() * 100))
    seen = search([tmp_path], CODES)
    assert not seen.words
    assert not seen.disguised
