"""The workers beside the site."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from flawscope.site.judges import Judges, command
from together import soon

LOOP = "import signal, sys, time\n"


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def writes(path: Path, code: str) -> list[str]:
    """A program that notes its number, and goes on with this code."""
    note = f"import os, sys, time\nopen({str(path)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
    return [sys.executable, "-c", note + code]


def test_a_worker_that_ends_begins_anew_and_pages_say_so(tmp_path: Path) -> None:
    note, said, trouble = tmp_path / "note", [], {}  # type: ignore[var-annotated]
    with Judges({"grey": writes(note, "sys.exit(3)")}, trouble=trouble, say=said.append, pause=0.01):
        assert soon(lambda: len(lines(note)) >= 3, 30)
        assert "the judge has ended (code 3)" in trouble["grey"]
    assert "the judge of grey has ended (code 3); it begins anew in 0.01 seconds" in said[0]
    assert "0.02 seconds" in said[1]  # slower each time


def test_one_that_is_well_is_ended_with_the_site(tmp_path: Path) -> None:
    note, end = tmp_path / "note", tmp_path / "end"
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as `challenge judge` does
        f"try:\n  open({str(note)!r}, 'a').write(str(os.getpid()))\n  time.sleep(600)\n"
        f"except KeyboardInterrupt:\n  open({str(end)!r}, 'w').write('put back')"
    )
    trouble = {"grey": "it had ended"}
    program = writes(tmp_path / "began", code)  # the note comes when it is ready for what ends it
    with Judges({"grey": program}, trouble=trouble, store="sqlite:///x", steady=0.1):
        assert soon(lambda: lines(note), 30)
        assert soon(lambda: not trouble, 30)  # it is well again
        time.sleep(0.1)
    assert end.read_text() == "put back"  # as by Ctrl-C: what it held waits again
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines(note)[0]), 0)


def test_the_store_is_not_among_the_words_that_everybody_sees(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = f"open({str(note)!r}, 'w').write(os.environ['FLAWSCOPE_STORE'] + str(sys.argv))"
    with Judges({"grey": writes(tmp_path / "n", code)}, trouble={}, store="postgresql://me:hunter2@db/x", pause=60):
        assert soon(lambda: lines(note), 30)
    assert lines(note)[0].startswith("postgresql://me:hunter2@db/x[")
    assert command(tmp_path)[-4:] == ["challenge", "judge", str(tmp_path), "--watch"]
