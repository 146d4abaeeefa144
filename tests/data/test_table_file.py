import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawscope.data.table_file import read_table
from flawscope.errors import DataError


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["file", "label", "note"], ["a b.png", "ok", "x"], ["c.png", "nok", "y z"]]
    table = read_table(write(tmp_path, "\n".join(delimiter.join(row) for row in rows)))
    assert table.delimiter == delimiter
    assert table.columns == ("file", "label", "note")
    assert table.column("file") == ["a b.png", "c.png"]


def test_blanks_and_no_header(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "images/a.png   1.0    mono\nimages/b.png   0.0    poly\n"))
    assert (table.delimiter, table.header) == ("whitespace", False)
    assert table.columns == ("column 1", "column 2", "column 3")
    assert table.column("column 2") == ["1.0", "0.0"]


def test_decimal_commas_do_not_mislead(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "file;p;q\na.png;0,5;0,1\nb.png;0,25;1,0\n"))
    assert table.delimiter == ";"
    assert table.column("p") == ["0,5", "0,25"]


def test_excels_hint_quotes_and_blank_lines(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'sep=;\r\nfile;note\r\n"a.png";"one; two"\r\n\r\nb.png; three \r\n'))
    assert table.rows == (("a.png", "one; two"), ("b.png", "three"))
    assert table.lines == (3, 5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_umlauts_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    table = read_table(write(tmp_path, "Datei;Größe\nTür.png;Maß\n".encode(encoding)))
    assert table.columns == ("Datei", "Größe")
    assert table.rows == (("Tür.png", "Maß"),)


def test_the_two_ways_to_write_an_umlaut_are_one_name(tmp_path: Path) -> None:
    for written, asked in (("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")):
        table = read_table(write(tmp_path, unicodedata.normalize(written, "Datei;Größe\na.png;weiß ö\n")))
        assert table.column(unicodedata.normalize(asked, "Größe")) == [unicodedata.normalize("NFC", "weiß ö")]


def test_ragged_rows_are_told_and_empty_cells_at_the_end_forgiven(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "file,label\na.png,ok\nb.png\nc.png,ok,more\nd.png,nok,,\n"))
    assert table.column("file") == ["a.png", "d.png"]
    assert [(bad.where, bad.reason) for bad in table.ragged] == [
        ("t.csv, row 3", "1 cells, the header has 2"),
        ("t.csv, row 4", "3 cells, the header has 2"),
    ]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(["ok", "nok", "0,5", "ä b", "1"]), min_size=3, max_size=3), min_size=3, max_size=9
    ),
    delimiter=st.sampled_from([";", "\t", "|"]),
)
def test_cells_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text("\n".join(delimiter.join(row) for row in [["x", "y", "z"], *rows]), encoding="utf-8")
    assert read_table(path).rows == tuple(tuple(row) for row in rows)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"PK\x03\x04\x00", "not a text table(?s:(?!UTF-16).)*$"),
        ("file;label\na.png;1\n".encode("utf-16-le"), "UTF-16 without its byte order mark(?s:.)*save the sheet as CSV"),
        (b"justoneword\nanother\n", "no delimiter found"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_table(write(tmp_path, content))


def test_missing_files_columns_and_wrong_delimiters(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "no.csv")
    path = write(tmp_path, "file,label,label\na.png,1,2\n")
    with pytest.raises(DataError, match="did you mean 'file'"):
        read_table(path).column("flie")
    with pytest.raises(DataError, match="several columns 'label'"):
        read_table(path).column("label")
    with pytest.raises(DataError, match="expected one character"):
        read_table(path, "comma")
