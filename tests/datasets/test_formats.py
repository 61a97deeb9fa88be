"""Readers, each on a few rows in the format of the published files."""

import gzip
import io
import json
import struct
import tarfile

import numpy as np
import pytest

from steepest.datasets import formats


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["zipped", "plain"])
def test_images_come_in_four_files_of_bytes(pack):
    x, y = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2), np.array([7, 0, 9], dtype=np.uint8)
    arrays = formats.idx_images([pack(idx(x)), pack(idx(y)), pack(idx(x[:1])), pack(idx(y[:1]))])
    assert np.array_equal(arrays["x"], x)
    assert np.array_equal(arrays["y"], y)
    assert (arrays["x_test"].shape, arrays["y_test"].shape) == ((1, 2, 2), (1,))
    with pytest.raises(ValueError, match="images and labels differ"):
        formats.idx_images([idx(x), idx(y[:2]), idx(x), idx(y)])
    with pytest.raises(ValueError, match="IDX"):
        formats.idx(b"\0\0\x0d\x01" + bytes(8))


def test_people_have_numbers_and_categories_with_names():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {name: [i, i + 1, i] for i, name in enumerate(formats.ADULT_NUMBERS)}
    columns |= {name: ["b", "a", "?"] for name in formats.ADULT_CATEGORIES}
    table = pyarrow.table(columns | {"income": ["<=50K", ">50K", "<=50K"]})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="brotli")
    arrays = formats.adult([buffer.getvalue()])
    assert arrays["numbers"].tolist()[1] == [1, 2, 3, 4, 5, 6]
    assert arrays["categories"][:, 0].tolist() == [2, 1, 0]
    assert formats.lines(arrays["names"]) == ["?\ta\tb"] * 8
    assert arrays["y"].tolist() == [0, 1, 0]


def test_ratings_are_the_same_from_whichever_file():
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = (
        b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n22\t377\t1\t878887116\n"
    )
    buffer = io.BytesIO()
    names = ("user_id", "movie_id", "rating", "timestamp")
    parquet.write_table(
        pyarrow.table(dict(zip(names, ([196, 22], [242, 377], [3, 1], [881250949, 878887116]), strict=True))), buffer
    )
    a, b = formats.ratings_table([table]), formats.ratings_parquet([buffer.getvalue()])
    c = formats.ratings_lines([table.partition(b"\n")[2]])
    assert a["rating"].tolist() == [3, 1]
    for name in a:
        assert np.array_equal(a[name], b[name])
        assert np.array_equal(a[name], c[name])
        assert a[name].dtype == b[name].dtype == c[name].dtype


def test_a_series_is_read_from_a_program_that_is_not_run():
    program = b'"""Says [1, 2] somewhere."""\nraise SystemExit\ndef load():\n    return np.array([22262., 21756])\n'
    assert formats.literal_series([program])["y"].tolist() == [22262.0, 21756.0]
    with pytest.raises(ValueError, match="no series"):
        formats.literal_series([b"x = 1"])


def test_posts_have_words_and_a_group_numbered_by_the_alphabet():
    head = "Category\tText\nd\tstring\nclass\t\n\n"
    train = f'{head}sci.space\tto the moon\nalt.atheism\tre "quiz\n'.encode()
    test = f"{head}sci.space\tto mars\n".encode()
    arrays = formats.newsgroups([train, test])
    assert formats.lines(arrays["groups"]) == ["alt.atheism", "sci.space"]
    assert formats.lines(arrays["text"]) == ["to the moon", 're "quiz']
    assert arrays["y"].tolist() == [1, 0]
    assert formats.lines(arrays["text_test"]) == ["to mars"]
    assert arrays["y_test"].tolist() == [1]


def test_rated_sentences_lie_in_an_archive():
    rows = b"1\t2.26666666667\tA film to be ''seen''.\r\n2\t-1.5\tDull;\tand long.\r\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        item = tarfile.TarInfo("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        item.size = len(rows)
        archive.addfile(item, io.BytesIO(rows))
    arrays = formats.snippets([buffer.getvalue()])
    assert formats.lines(arrays["text"]) == ["A film to be ''seen''.", "Dull;\tand long."]
    assert arrays["score"].tolist() == [2.26666666667, -1.5]


def test_chinese_reviews_come_in_a_file_a_class():
    arrays = formats.two_classes(["不好\n很差\n".encode(), "很好\n".encode()])
    assert formats.lines(arrays["text"]) == ["不好", "很差", "很好"]
    assert arrays["y"].tolist() == [0, 0, 1]


def test_plays_lose_their_marks_and_their_trailing_blanks():
    arrays = formats.plays([b"# Hamlet\n\n## ACT I\n\n\n\n**BERNARDO**  \nWho's _there_?  \n", b"**LEAR**\nBlow.\n"])
    played = arrays["text"].tobytes().decode().split("\f")
    assert played == ["Hamlet\n\n ACT I\n\nBERNARDO\nWho's there?\n", "LEAR\nBlow.\n"]


def test_poems_are_joined_from_their_verses():
    file = json.dumps([{"author": "x", "paragraphs": ["气和玉烛，", "睿化著鸿明。"]}, {"paragraphs": ["缇管一阳生。"]}])
    assert formats.lines(formats.poems([file.encode()])["text"]) == ["气和玉烛，睿化著鸿明。", "缇管一阳生。"]
