"""The whole story of two teams as people see it, in a browser: from the link of the first organiser to the final board.

One team sits at desks; the other one has phones and no JavaScript. FLAWSCOPE_SHOTS=FOLDER keeps a picture of each page.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse battery"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
SECONDS = 120
PAGES = ("", "team", "submissions", "board", "final")
SERVE = "from flawscope.cli.app import main; main()"


class Somebody:
    """A person before a browser of their own."""

    def __init__(self, browser: Any, url: str, shots: Path, who: str, *, phone: bool = False) -> None:
        self.url, self.shots, self.who, self.taken = url, shots, who, 0
        self.context = browser.new_context(
            viewport=PHONE if phone else DESK, java_script_enabled=not phone, is_mobile=phone, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def go(self, address: str) -> Somebody:
        self.page.goto(address if "://" in address else f"{self.url}{address}")
        return self

    def fill(self, **fields: str) -> Somebody:
        for label, text in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(text)
        return self

    def press(self, name: str) -> Somebody:
        with self.page.expect_navigation():  # a click alone waits for nothing: the page before would be read
            self.page.get_by_role("button", name=name, exact=True).click()
        return self

    def follow(self, name: str) -> Somebody:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.click()
        return self

    def sees(self, words: str) -> Somebody:
        """What a person finds on the page, in one piece."""
        text = self.text()
        assert words.lower() in text.lower(), text
        return self

    def text(self) -> str:
        return re.sub(r"\s+", " ", str(self.page.locator("body").inner_text()))

    def waits_for(self, words: str, *, reload: bool) -> Somebody:
        """Until the page says so: by itself, or because it is asked for anew."""
        until = time.monotonic() + SECONDS
        while words not in self.text():
            assert time.monotonic() < until, self.text()
            self.page.wait_for_timeout(300)
            if reload:
                self.page.reload()
        return self

    def shot(self, name: str) -> Somebody:
        """A picture, and a look at what no page may have: a part beyond its right edge."""
        width = self.page.viewport_size["width"]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
        self.taken += 1
        self.page.screenshot(path=self.shots / f"{self.who}-{self.taken:02d}-{name}.png", full_page=True)
        return self

    def sign_up(self) -> Somebody:
        self.go("/").follow("Sign up").fill(Name=self.who, Password=PASSWORD, The_same_again=PASSWORD)
        return self.shot("sign-up").press("Sign up").sees(f"Welcome, {self.who}.")

    def hand_in(self, file: Path, note: str = "") -> Somebody:
        self.go("/c/grey/submissions").fill(Note=note)
        self.page.get_by_label("Bundle", exact=True).set_input_files(file)
        return self.press("Hand in")

    def download(self, role: str, name: str) -> bytes:
        with self.page.expect_download() as started:
            self.page.get_by_role(role, name=name, exact=True).first.click()
        return Path(started.value.path()).read_bytes()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="THE SITE IS NOT TESTED IN A BROWSER: no playwright")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("THE SITE IS NOT TESTED IN A BROWSER: there is none (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def served(contest: Path, sandbox: None) -> Iterator[tuple[str, str]]:
    """A site with its judge, in processes of their own: its address, and the link of the first organiser."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as kit:
        kit.writestr("handout/README.md", "how to begin")
    (contest / "grey-starter-kit.zip").write_bytes(stream.getvalue())
    line = [sys.executable, "-c", SERVE, "challenge", "serve", str(contest), "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said: list[str] = []
        while not any("Ctrl-C" in each for each in said):
            said.append(process.stdout.readline())
            assert said[-1], said
        text = re.sub(r"\s+", "", "".join(said))  # a narrow terminal breaks lines
        url, link = re.search(r"http://127[\d.:]+", text), re.search(r"http://127[\d.:]+/setup/[\w-]{32}", text)
        assert url and link, said
        yield url[0], link[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_the_story_of_two_teams(
    served: tuple[str, str], browser: Any, make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    url, link = served
    shots = Path(os.environ.get("FLAWSCOPE_SHOTS", tmp_path / "shots"))
    shots.mkdir(parents=True, exist_ok=True)
    good = make_bundle(thresholds=(0.5,), name="good.flawscope")
    other = make_bundle(thresholds=(0.55,), name="second.flawscope")
    poor = make_bundle(thresholds=(0.9,), name="poor.flawscope")
    nothing = tmp_path / "photo.flawscope"
    nothing.write_bytes(b"no bundle")

    def person(who: str, *, phone: bool = False) -> Somebody:
        return Somebody(browser, url, shots, who, phone=phone)

    # The link of the terminal makes the first organiser, and is good for one.
    olga = person("Olga").go(link).fill(Name="Olga", Password=PASSWORD, The_same_again=PASSWORD).shot("setup")
    olga.press("Make the account").sees("You organise the challenges of this site.").shot("home")
    person("Stranger").go(link).sees("this link is good no more").shot("setup-again")

    # Four people, two teams: one code goes by link, the other one is typed.
    ada, bob = (person(name).sign_up() for name in ("Ada", "Bob"))
    cem, dua = (person(name, phone=True).sign_up() for name in ("Cem", "Dua"))
    kit = ada.go("/c/grey").shot("challenge").download("link", "Starter kit")
    assert zipfile.ZipFile(io.BytesIO(kit)).namelist() == ["handout/README.md"]
    ada.go("/c/grey").follow("Create a team, or join one").shot("no-team")
    ada.fill(Name_of_the_team="Wire").press("Create").sees("The team Wire is there.").shot("team")
    invitation = re.search(r"http://\S+/c/grey/team\?code=\S+", ada.text())
    assert invitation
    bob.go(invitation[0]).press("Join").sees("You are in the team Wire.")
    cem.go("/c/grey/team").fill(Name_of_the_team="Étoile <b>&").press("Create").shot("team")
    code = re.search(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}\b", cem.text())
    assert code
    dua.go("/c/grey/team").fill(Code="aaaa-bbbb-cccc").press("Join").sees("no team of this challenge has this code")
    dua.shot("wrong-code").fill(Code=code[0].upper()).press("Join").sees("You are in the team Étoile <b>&.")

    # Bundles: one is none, the others are judged. One page refreshes itself, one is asked for anew.
    ada.hand_in(nothing).sees("is no bundle").shot("refused")
    ada.hand_in(good, "the first").sees("Submission 1 is in the queue.").shot("queue")
    ada.waits_for("The board shows", reload=False).shot("judged")
    cem.hand_in(poor, "we try").sees("Submission 2 is in the queue.").waits_for("The board shows", reload=True)
    cem.shot("judged")
    bob.hand_in(other).sees("by Bob").waits_for("Judged. The board stays as it is.", reload=False)
    bob.page.get_by_label("Stands for Wire").select_option("1")
    bob.press("Choose").sees("Submission 1 stands for your team").shot("chosen")

    # The board, for everybody; the final one says when it comes.
    visitor = person("Visitor", phone=True).go("/c/grey/board").sees("Wire").sees("Étoile <b>&").shot("board")
    ada.go("/c/grey/board").sees("Wire (your team)").shot("board")
    visitor.go("/c/grey/final").shot("final-before")
    assert "Wire" not in visitor.text()
    visitor.go("/help").shot("help").go("/c/grey/office").sees("there is no such page")
    dua.go("/c/grey/submissions").sees("poor.flawscope").shot("history")
    assert "good.flawscope" not in dua.text()

    # The organiser looks at the office, and closes.
    olga.go("/c/grey").follow("Office").sees("Wire").shot("office").go("/people").shot("people")
    olga.go("/c/grey/office").follow("Close now").fill(Reason="all have handed in").shot("close").press(
        "Yes, close now"
    )
    olga.sees("The challenge is closed.").sees("all have handed in")
    kept = zipfile.ZipFile(io.BytesIO(olga.download("button", "Download everything (zip)")))
    assert {"board.csv", "final.csv", "submissions.csv", "people.csv", "log.csv"} <= set(kept.namelist())
    final = kept.read("final.csv").decode()
    assert final.index("Wire") < final.index("Étoile") and "Cem" in kept.read("people.csv").decode()

    # The final ranking; nothing is taken any more.
    ada.go("/c/grey/final").sees("Final board").sees("Wire (your team)").shot("final")
    cem.go("/c/grey/final").sees("Étoile <b>& (your team)").shot("final")
    cem.go("/c/grey/submissions").sees("The deadline has passed: this is settled.").shot("closed")
    assert cem.page.get_by_role("button", name="Hand in").count() == 0
    dua.go("/account").shot("account").press("Log out").sees("You are logged out.").go("/account").sees("Log in")

    # The pages at the other width (each shot looks at it); and no browser had anything to complain about.
    for who, width in ((ada, PHONE), (cem, DESK), (olga, PHONE)):
        who.page.set_viewport_size(width)
        for each in PAGES if who is not olga else ("office", "office/deadline"):
            who.go(f"/c/grey/{each}".rstrip("/")).shot(f"{each.replace('/', '-') or 'front'}-{width['width']}")
    for who in (olga, ada, bob, cem, dua):
        assert not [each for each in who.wrong if "404" not in each and "400" not in each], who.wrong
