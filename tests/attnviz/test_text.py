import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attnviz.text import EncodedText, Vocabulary, encode_text, holds_tokens, tokenize, words


def slices(text):
    return [text[start:end] for start, end in tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't like it.", ["I", "don't", "like", "it", "."]),
        ("O'Brien’s rock'n'roll", ["O'Brien’s", "rock'n'roll"]),
        ("'tis goin' on", ["'", "tis", "goin", "'", "on"]),
        ("Good...or not?!", ["Good", "...", "or", "not", "?", "!"]),
        ("8.5/10, $1,000.50.", ["8.5", "/", "10", ",", "$", "1,000.50", "."]),
        ("well-made (sort of)", ["well", "-", "made", "(", "sort", "of", ")"]),
        ("“not” bad—really", ["“", "not", "”", "bad", "—", "really"]),
        ("a_b _so_", ["a", "_", "b", "_", "so", "_"]),
        ("one<br />two<br>three<BR/>four<br\n/>five", ["one", "two", "three", "four", "five"]),
        ("<<<<<br />x", ["<<<<", "x"]),
        ("<i>so</i> <3", ["<", "i", ">", "so", "<", "/", "i", ">", "<", "3"]),
        ("<pad> <unk>", ["<", "pad", ">", "<", "unk", ">"]),
        ("这部电影很好。", ["这", "部", "电", "影", "很", "好", "。"]),
        ("東京のX線", ["東", "京", "の", "X", "線"]),
        ("cafe\u0301 na\u00efve", ["cafe\u0301", "na\u00efve"]),
        ("हिन्दी फ़िल्म", ["हिन्दी", "फ़िल्म"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("שלום, עולם", ["שלום", ",", "עולם"]),
        ("👍🏽👎 👨‍👩‍👧!", ["👍🏽", "👎", "👨‍👩‍👧", "!"]),
        ("🇩🇪🇫🇷 ❤️ 1️⃣", ["🇩🇪", "🇫🇷", "❤️", "1️⃣"]),
        ("a\u200b\ufeffb \x96c\x00 \ud800", ["a", "b", "c"]),
        ("x" * 300, ["x" * 300]),
    ],
)
def test_tokens(text, expected):
    assert slices(text) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("DON’T", "don't"),
        ("don`t", "don't"),
        ("cafe\u0301", "caf\u00e9"),
        ("…", "..."),
        ("!!!!!!!", "!!!"),
        ("!!", "!!"),
        ("aaaaa", "aaaaa"),
        ("1111", "1111"),
        ("—", "--"),
        ("İ", "i\u0307"),
    ],
)
def test_normal_form(token, expected):
    assert words(token) == [expected]


hostile = st.text() | st.text("ab'’.,!<>br/ -_8\u0301\u200d\u200b👍🏽🇩字\n\x85", max_size=60)


@given(hostile)
@example("ǅ'’x\u0301<br /><br")
@settings(deadline=None)  # the first example compiles the pattern
def test_spans_cut_the_original_text_in_order_and_lose_nothing_visible(text):
    spans = tokenize(text)

    ends = [0, *(end for _, end in spans)]
    assert all(last <= start < end for last, (start, end) in zip(ends, spans, strict=False))
    assert len(words(text)) == len(spans)
    assert holds_tokens(text) == bool(spans)
    for start, end in spans:
        assert not any(character.isspace() for character in text[start:end])
        assert words(text[start:end])[0] == words(text)[spans.index((start, end))]
    kept = "".join(text[start:end] for start, end in spans)
    gone = list(re.sub(r"<[bB][rR]\s{0,4}/?>", " ", text))
    for character in kept:
        if character in gone:
            gone.remove(character)
    assert all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in gone)


@pytest.mark.parametrize("text", ["<br" * 20_000, "<" * 50_000, "a'" * 50_000, "\u0301a" * 50_000])
def test_hostile_texts_take_linear_time(text):
    assert tokenize(text)[-1][1] == len(text)


def test_vocabulary_is_built_by_count_then_code_point():
    texts = ["b b b a a", "c a c d d", "e"]

    vocabulary = Vocabulary.build(texts, size=5)

    assert vocabulary.words == ("<pad>", "<unk>", "a", "b", "c")
    assert Vocabulary.build(reversed(texts), size=5) == vocabulary
    assert Vocabulary.build(texts, size=99).words[2:] == ("a", "b", "c", "d")
    assert Vocabulary.build(texts, size=99, minimum_count=3).words[2:] == ("a", "b")
    assert Vocabulary.build(texts, size=99, minimum_count=1).words[2:] == ("a", "b", "c", "d", "e")


def test_words_and_ids():
    vocabulary = Vocabulary(("<pad>", "<unk>", "good", "bad"))

    ids = vocabulary.encode(["bad", "Bad", "good"])

    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 1, 2]
    assert vocabulary.decode(ids) == ["bad", "<unk>", "good"]
    assert vocabulary.encode([]).shape == (0,)
    assert (len(vocabulary), "bad" in vocabulary, "x" in vocabulary) == (4, True, False)
    for outside in (4, -1):
        with pytest.raises(IndexError, match=r"ids 0 to 3, but .* from -?\d to"):
            vocabulary.decode(np.array([2, outside]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "starts with <pad> and <unk>"),
        (("<unk>", "<pad>"), "starts with <pad> and <unk>"),
        (("<pad>", "<unk>", "a", "a"), "'a' is there 2 times"),
        (("<pad>", "<unk>", ""), "word 2 is ''"),
        (("<pad>", "<unk>", "a\nb"), "word 2 is 'a\\\\nb'"),
    ],
)
def test_vocabulary_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(given)


def test_building_refuses():
    with pytest.raises(TypeError, match=r"one str. Pass \[text\]"):
        Vocabulary.build("good good", size=9)
    with pytest.raises(ValueError, match="size=2"):
        Vocabulary.build(["a a"], size=2)
    with pytest.raises(ValueError, match="no word at least 2 times among 3 different"):
        Vocabulary.build(["a b c"], size=9)


def test_saved_words_come_back(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("before", encoding="utf-8")
    vocabulary = Vocabulary(("<pad>", "<unk>", "café", "字", "👍🏽", "می\u200cخواهم", "#"))

    vocabulary.save(path)

    assert path.read_bytes().startswith("<pad>\n<unk>\ncafé\n".encode())
    assert Vocabulary.load(str(path)) == vocabulary
    assert [file.name for file in tmp_path.iterdir()] == ["words.txt"]


def test_a_vocabulary_that_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("before", encoding="utf-8")

    with pytest.raises(UnicodeEncodeError):
        Vocabulary(("<pad>", "<unk>", "\ud800")).save(path)

    assert path.read_text(encoding="utf-8") == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["words.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut off"),
        (b"<pad>\n<unk>\ngood\nba", "cut off"),
        (b"good\nbad\n", "starts with"),
        (b"<pad>\n<unk>\n\n", "word 2 is ''"),
        (b"<pad>\r\n<unk>\r\n", "starts with"),
        (b"\x80\x04\x95\n", "UTF-8"),
    ],
)
def test_a_damaged_vocabulary_is_named(tmp_path, content, message):
    path = tmp_path / "words.txt"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=rf"words\.txt is not a vocabulary.*{message}"):
        Vocabulary.load(path)


VOCABULARY = Vocabulary(("<pad>", "<unk>", "not", "bad", ",", "good"))
TEXT = "  Not BAD,<br />not good!"


def test_encoded_text():
    encoded = encode_text(TEXT, VOCABULARY)

    assert isinstance(encoded, EncodedText)
    assert encoded.ids.dtype == np.int64
    assert encoded.ids.tolist() == [2, 3, 4, 2, 5, 1]
    assert encoded.spans.dtype == np.int32
    assert encoded.spans.tolist() == [[2, 5], [6, 9], [9, 10], [16, 19], [20, 24], [24, 25]]
    assert (encoded.original_length, encoded.truncated, encoded.unknown_count) == (6, False, 1)


@pytest.mark.parametrize(
    ("limit", "keep", "ids", "first"),
    [
        (4, "end", [4, 2, 5, 1], [9, 10]),
        (4, "start", [2, 3, 4, 2], [2, 5]),
        (6, "end", [2, 3, 4, 2, 5, 1], [2, 5]),
        (1, "end", [1], [24, 25]),
    ],
)
def test_a_long_text_keeps_the_part_that_was_asked_for(limit, keep, ids, first):
    encoded = encode_text(TEXT, VOCABULARY, limit=limit, keep=keep)

    assert encoded.ids.tolist() == ids
    assert encoded.spans[0].tolist() == first
    assert (encoded.original_length, encoded.keep) == (6, keep)
    assert encoded.truncated == (limit < 6)


def test_the_end_is_kept_unless_asked_otherwise():
    assert encode_text(TEXT, VOCABULARY, limit=1).ids.tolist() == [1]


def test_unknown_words_only_are_encoded_as_such():
    encoded = encode_text("Quite splendid", VOCABULARY)

    assert encoded.ids.tolist() == [1, 1]
    assert encoded.unknown_count == 2


@pytest.mark.parametrize("text", ["", "  \n\t ", "<br /><br />", "\u200b\ufeff", "\x00"])
def test_a_text_without_tokens_is_refused(text):
    with pytest.raises(ValueError, match="at least one word or mark"):
        encode_text(text, VOCABULARY)


def test_encoding_refuses_what_it_cannot_keep():
    with pytest.raises(ValueError, match="limit=0"):
        encode_text("good", VOCABULARY, limit=0)
