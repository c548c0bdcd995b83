from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.pronunciation.lexicon_table import read_entries, read_table, regular_table
from asr.text.phones import PHONES

REGULAR_LINES = ["go G OW1", "Go G OW0 HH", "a'b B", "go", "go G QQ", "go G OW1X", "go BB B"]
OTHER_LINES = ["go  G OW1", "go G OW1 ", " go G OW0", "", "go\tG OW1", "go\x1fG OW1", "go G OW1\r"]
OTHER_LINES += ["go\xa0G OW1", "café K AE0", "go\x00 G OW1"]
LEXICON_LINES = st.lists(st.sampled_from([*REGULAR_LINES, *OTHER_LINES]), min_size=1, max_size=4)


@given(LEXICON_LINES, st.sampled_from(["", "\n"]))
def test_regular_lexicons_are_read_as_line_by_line(lines: list[str], end: str) -> None:
    table = regular_table("\n".join(lines) + end)
    rows = [line.split() for line in lines if line.strip()]
    right = all(len(row) > 1 and set(row[1:]) <= set(PHONES) for row in rows)
    expected = [(row[0].lower(), " ".join(row[1:])) for row in rows]
    assert table is None or (right and table.entries() == expected)
    if right and set(lines) <= set(REGULAR_LINES):
        assert table is not None and table.entries() == expected


@given(LEXICON_LINES)
def test_both_readers_of_a_lexicon_agree(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.txt"
    path.write_text("\n".join(lines), newline="")
    try:
        entries = read_entries(path)
    except ModelError as error:
        with pytest.raises(ModelError, match=re.escape(str(error))):
            read_table(path)
    else:
        assert read_table(path).entries() == entries
