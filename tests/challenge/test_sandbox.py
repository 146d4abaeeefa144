"""The sandbox holds, also against somebody who has taken over the whole process in it.

Each program below stands for that: it runs where the judge's own program runs, and does the worst it can.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy

from flawscope.challenge import sandbox as module
from flawscope.challenge.answers import BUNDLE, IMAGES
from flawscope.challenge.bounds import Bounds
from flawscope.challenge.sandbox import check_hidden, check_sandbox, run_inside
from flawscope.challenge.syscalls import FORBIDDEN, call_filter
from flawscope.challenge.views import SOURCE, python_view
from flawscope.errors import OutputError, SandboxError
from together import soon

BOUNDS = Bounds(cpu_seconds=20, wall_seconds=60, memory_bytes=2**30, output_bytes=100_000)
inside = pytest.mark.usefixtures("sandbox")


def does(code: str, contest: Path | None = None, bounds: Bounds = BOUNDS) -> str:
    """What a program in the sandbox says, or its last word if it fails."""
    shown = {}
    if contest:
        shown = {BUNDLE: contest / "challenge.json", IMAGES: contest / "hidden" / "public" / "images"}
    ended = run_inside(["-c", code], b"request", bounds, shown=shown)
    said = ended.said.strip().splitlines()
    return ended.answer.decode() if ended.code == 0 else said[-1] if said else ended.reason(bounds)


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of somebody who would hear it on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@inside
def test_it_sees_the_bundle_and_the_images_and_nothing_else_of_the_challenge(contest: Path) -> None:
    sqlite3.connect(contest / "store.sqlite").execute("CREATE TABLE secrets (word TEXT)").close()
    (contest / "submissions").mkdir()
    (contest / "submissions" / "other.flawscope").write_text("of somebody else")
    walk = "import os; print(*(os.path.join(a, f) for a, _, c in os.walk('/given') for f in c), sep='\\n')"
    seen = does(walk, contest).splitlines()
    assert sorted(seen) == [BUNDLE, *(f"{IMAGES}/{i:05d}.png" for i in range(24))]
    secrets = [contest / "store.sqlite", contest / "hidden" / "public" / "labels.csv", contest / "submissions"]
    places = [
        str(secret)
        for secret in (
            *secrets,
            "/etc/passwd",
            "/etc/shadow",
            "/var",
            "/run",
            "/usr/bin",
            "/usr/share",
            "/home",
            f"{IMAGES}/../labels.csv",
        )
    ]
    tried = f"import os\nfor p in {places!r}:\n try: os.stat(p); print('seen', p)\n except FileNotFoundError: pass"
    assert does(tried, contest) == ""
    everything = all_files(contest)
    assert BUNDLE in everything
    assert [path for path in everything if path.endswith(("labels.csv", "store.sqlite"))] == []


def all_files(contest: Path | None = None) -> list[str]:
    """Every file that can be found, but for what the kernel tells of itself."""
    code = (
        "import os\nfor a, b, c in os.walk('/'):\n b[:] = [d for d in b if (a + d) not in ('/proc', '/sys')]\n"
        " for f in c: print(os.path.join(a, f))\nprint('end')"
    )
    *files, end = does(code, contest, replace(BOUNDS, output_bytes=2**25)).splitlines()
    assert end == "end"
    return files


@inside
def test_it_sees_no_package_but_those_that_it_needs() -> None:
    view, files = python_view(), all_files()
    for other in (pytest, sqlalchemy, *([] if find_spec("elpv_dataset") is None else [import_module("elpv_dataset")])):
        place = Path(other.__file__ or "").parent
        assert place.is_dir() and [file for file in files if file.startswith(f"{place}/")] == []
        assert "ModuleNotFoundError" in does(f"import {other.__name__}; print('there')")
    inside = [file for file in files if "-packages/" in file]
    assert [file for file in inside if not any(Path(file).is_relative_to(each) for each in view.packages)] == []
    assert {"numpy", "onnxruntime", "pydantic", "PIL"} <= {each.name for each in view.packages}
    assert f"{SOURCE}/challenge/child.py" in files


@inside
def test_of_a_folder_of_packages_only_what_is_needed_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "python" / "lib" / "python3" / "site-packages"
    for name in ("needed", "other"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(f"print('{name}')")
    (packages.parent / "os.py").touch()
    view = python_view()
    view = replace(
        view,
        libraries=(*view.libraries, tmp_path / "python"),
        covered=(*view.covered, packages),
        packages=(*view.packages, packages / "needed"),
        roots=(*view.roots, packages),
    )
    monkeypatch.setattr(module, "python_view", lambda: view)
    assert does("import needed") == "needed\n"
    assert "ModuleNotFoundError" in does("import other")
    listed = f"import os; print(os.listdir({str(packages)!r}), os.path.exists({str(packages.parent / 'os.py')!r}))"
    assert does(listed) == "['needed'] True\n"
    assert "Read-only file system" in does(f"open({str(packages / 'x')!r}, 'w')")
    check_hidden(packages / "other")
    for place in (packages / "needed" / "c", packages.parent / "c"):
        with pytest.raises(SandboxError, match="which every submission sees"):
            check_hidden(place)


@inside
def test_it_cannot_change_what_it_is_given_nor_write_anywhere(contest: Path) -> None:
    places = [
        BUNDLE,
        f"{IMAGES}/00000.png",
        f"{IMAGES}/new",
        "/x",
        "/dev/x",
        "/given/x",
        f"{sys.base_prefix}/lib/x",
        *(f"{place}/x" for place in (*python_view().covered, *python_view().roots)),
        module.__file__,
    ]
    for place in places:
        assert "Error" in does(f"open({place!r}, 'w').write('x'); print('written')", contest), place
    anywhere = (
        "import os\nfor a, _, _ in os.walk('/'):\n try:\n  open(a + '/x', 'w'); print('written', a)\n"
        " except OSError: pass\nprint('end')"
    )
    assert does(anywhere, contest) == "end\n"


@inside
@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import os; os.fork(); print('two')", "PermissionError"),
        ("import subprocess; subprocess.run(['/usr/bin/true']); print('two')", "PermissionError"),
        ("import threading; threading.Thread(target=print).start(); print('two')", "can't start new thread"),
        ("import os; os.posix_spawn('/usr/bin/true', ['true'], {}); print('two')", "PermissionError"),
    ],
)
def test_it_stays_one_process(code: str, word: str) -> None:
    assert word in does(code)


@inside
def test_it_speaks_to_nobody(listener: int) -> None:
    for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"):
        code = f"import socket; s = socket.socket(socket.{family}, socket.SOCK_STREAM); print('speaks')"
        assert "PermissionError" in does(code), family
    code = f"import socket; socket.create_connection(('127.0.0.1', {listener}), 5); print('speaks')"
    assert "PermissionError" in does(code)
    assert "PermissionError" in does("import socket; socket.socketpair(); print('speaks')")


@inside
def test_there_is_no_network_even_without_the_filter_of_calls(listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {listener}), 5); print('speaks')"
    allow_all = b"\x06\x00\x00\x00\x00\x00\xff\x7f"
    monkeypatch.setattr(module, "call_filter", lambda: allow_all)
    assert "Network is unreachable" in does(code) or "ConnectionRefused" in does(code)
    assert does("import os; print(len([p for p in os.listdir('/') if p == 'proc']), os.getpid())").split()[1] == "2"


@inside
def test_it_cannot_fill_the_memory() -> None:
    assert does("x = bytearray(2 * 2**30); print('has it')") == "MemoryError"
    assert "PermissionError" in does("import os; os.memfd_create('x'); print('has it')")
    grow = "x = []\nwhile True: x.append(bytes(2**24))"
    assert does(grow) == "MemoryError"


@inside
def test_it_cannot_fill_the_disk() -> None:
    code = "import os\nfor _ in range(100): os.write({}, b'x' * 10_000)"
    ended = run_inside(["-c", code.format(1)], b"", BOUNDS)
    assert ended.reason(BOUNDS) == "it wrote more than 100,000 bytes"
    assert len(ended.answer) == 100_000
    assert "File too large" in does(code.format(1)) and "File too large" in does(code.format(0))
    ended = run_inside(["-c", code.format(2)], b"", BOUNDS)
    assert ended.code and len(ended.said) <= 4096
    sparse = "import os; os.lseek(1, 2**40, 0); os.write(1, b'x'); print('far')"
    assert "File too large" in does(sparse)


@inside
def test_it_cannot_run_for_ever() -> None:
    short = replace(BOUNDS, wall_seconds=1)
    assert does("import time; time.sleep(1000)", bounds=short) == "it ran longer than 1 seconds"
    assert does("while True: pass", bounds=replace(BOUNDS, cpu_seconds=1)) == "it used more than 1 seconds of CPU time"


@inside
def test_it_cannot_outlive_its_judge_nor_hurt_it() -> None:
    assert "ProcessLookupError" in does("import os; os.kill(os.getppid() or -1, 9); os.kill(-1, 9); print('alone')")
    assert does("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1)); print('more')").startswith("ValueError")
    assert does("import os; print(os.getuid(), os.getgid())") == "65534 65534\n"
    assert "Error" in does("import os; os.setuid(0); print('root')")
    assert "SIGSEGV" in does("import ctypes; ctypes.string_at(0)")
    home = "import os; print(sorted(set(os.environ) - {'LC_CTYPE', 'PWD'}))"
    assert does(home) == "['MKL_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PYTHONPATH']\n"


@inside
@pytest.mark.parametrize("slow", ["", "setpriv", "prlimit", "bwrap"])
def test_what_ends_the_judge_ends_it(slow: str, tmp_path: Path) -> None:
    """Killed outright, whatever is just being started: nothing of the sandbox is left behind."""
    name, reached = f"marked{slow}{os.getpid()}", tmp_path / "reached"
    if slow:  # a machine on which this program takes its time
        fake, waits = tmp_path / slow, f"touch {reached}\nfor i in 1 2 3 4 5 6 7 8 9 10; do /bin/sleep 0.2; done"
        fake.write_text(f'#!/bin/sh\n{waits}\nexec {shutil.which(slow)} "$@"\n')
        fake.chmod(0o755)
    code = (
        "from flawscope.challenge.sandbox import run_inside; from flawscope.challenge.bounds import Bounds;"
        f"run_inside(['-c', 'import time; time.sleep(300)', '{name}'], b'', Bounds())"
    )
    there = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    judge = subprocess.Popen([sys.executable, "-c", code], env=there)
    runs = f"-P -c import time; time.sleep(300) {name}"
    assert soon(reached.exists if slow else lambda: any(runs in line and "bwrap" not in line for line in _processes()))
    judge.kill()
    judge.wait()
    time.sleep(3 if slow else 0)
    assert soon(lambda: not any(name in line for line in _processes()), 20)


def _processes() -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in found if "run_inside" not in line]


@inside
def test_what_the_judge_does_meanwhile_ends_it_too() -> None:
    def tick() -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_inside(["-c", "import time; time.sleep(300)"], b"", BOUNDS, tick=tick)
    assert time.monotonic() - start < 250


@inside
def test_several_at_once() -> None:
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(does("print('here')"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["here\n"] * 3


# --- no sandbox, no judge -------------------------------------------------------------------------------------------


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    for missing in ("bwrap", "prlimit", "setpriv"):
        monkeypatch.setattr(shutil, "which", lambda name, missing=missing: None if name == missing else real(name))
        with pytest.raises(SandboxError, match=f"{missing} is not installed.*(?s:.)*nothing is judged"):
            check_sandbox()


def test_where_bubblewrap_may_not_work_its_words_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name, real=shutil.which: str(fake) if name == "bwrap" else real(name))
    with pytest.raises(SandboxError, match=r"No permissions to create new namespace(?s:.)*user namespaces"):
        check_sandbox()


@inside
def test_a_sandbox_that_does_not_hold_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "call_filter", lambda: b"\x06\x00\x00\x00\x00\x00\xff\x7f")  # allows every call
    with pytest.raises(SandboxError, match="nothing keeps it in"):
        check_sandbox()


def test_on_an_unknown_machine_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "call_filter", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(SandboxError, match="only for x86_64, aarch64"):
        check_sandbox()


def test_a_full_disk_is_the_judges_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="no space is left"):
        check_sandbox()


def test_a_challenge_among_the_programs_is_refused(tmp_path: Path) -> None:
    check_hidden(tmp_path)
    with pytest.raises(SandboxError, match="which every submission sees"):
        check_hidden(tmp_path, SOURCE / "challenge")


def test_the_filter_is_a_program_that_the_kernel_takes() -> None:
    for place, machine in enumerate(("x86_64", "aarch64")):
        content = call_filter(machine)
        assert content is not None
        calls = [row[place] for row in FORBIDDEN.values() if row[place] is not None]
        assert len(content) == 8 * (6 + 2 * len(calls) + 1)
        assert len(set(calls)) == len(calls)
    assert len({row[0] for row in FORBIDDEN.values()}) == len(FORBIDDEN)
