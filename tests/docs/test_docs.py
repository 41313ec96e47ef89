"""The documentation is true: its links lead somewhere, its tests and commands exist, its first walk works."""

import ast
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from shouhao.kernel.clock import SystemClock
from shouhao.protocols.schedule_csv import read_schedule_csv
from shouhao.settings import PREFIX, Settings
from web.served import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
COMMANDS = dict(runpy.run_path(str(ROOT / "tools" / "reference.py"))["commands"]())
NEEDS_SHELL = pytest.mark.skipif(
    os.environ.get("SHOUHAO_TEST_REQUIRE") != "all" and not (shutil.which("bash") and shutil.which("curl")),
    reason="the walk is written for bash and curl",
)
SOON_S = 60.0


def text(page):
    return page.read_text(encoding="utf-8")


def named(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def walk(page, part):
    return re.findall(rf"^<!-- walk: {part} -->\n```sh\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def anchors(page):
    """The headings of a page, as they are linked to."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def invocations(page):
    """What a page has the command do: the words after `shouhao`, in code only."""
    code = "\n".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", text(page))])
    for line in code.splitlines():
        for said in re.findall(r"(?:^|[\s/])shouhao ((?:--settings \S+ )?[a-z][^#|&;<>]*)", line):
            yield re.sub(r"^--settings \S+ ", "", said).split()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_and_test_that_is_named_exists(page):
    for path, name in re.findall(r"`((?:src|tests|tools|docs|bench)/[\w./-]+)(?:::(\w+))?`", text(page)):
        assert (ROOT / path).exists(), path
        if name:
            assert re.search(rf"^ *(?:async )?def {name}\(", text(ROOT / path), re.MULTILINE), f"{path}::{name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=named)
def test_a_decision_is_short_and_names_the_test_that_holds_it(page):
    assert len(text(page).splitlines()) <= 60
    assert re.search(r"^## Held by\n\n`tests/", text(page), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_is_named_exists_with_its_options(page):
    for words in invocations(page):
        one, two = f"shouhao {words[0]}", f"shouhao {' '.join(words[:2])}"
        command = COMMANDS.get(two) or COMMANDS.get(one)
        assert command is not None, words
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, words


def test_commands_are_found_in_the_pages():
    found = {words[0] for page in PAGES for words in invocations(page)}
    assert {"up", "serve", "demo", "bench", "import", "db", "events", "channels", "staff"} <= found


def test_the_index_leads_to_every_page():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", text(index))}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts}
    assert pages - {index} <= linked


def test_both_readmes_tell_the_same_walk_and_the_same_figures():
    def bare(page, part):
        return [re.sub(r"\s+#.*", "", line) for block in walk(page, part) for line in block.splitlines()]

    english, chinese = READMES
    for part in ("server", "patient"):
        assert bare(english, part) == bare(chinese, part) != []
    rows = [re.search(r"<!-- FIGURES.*?<!-- /FIGURES -->", text(page), re.DOTALL)[0].splitlines() for page in READMES]
    assert len(rows[0]) == len(rows[1]) > 4
    assert [row.split("|")[2:] for row in rows[0][3:-1]] == [row.split("|")[2:] for row in rows[1][3:-1]]


def scanned():
    """Everything that is given away, tests apart."""
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if kept.returncode:
        return [path for path in [*PAGES, *(ROOT / "src").rglob("*.py")] if path.is_file()]
    paths = [ROOT / line for line in kept.stdout.splitlines() if not line.startswith("tests/")]
    return [path for path in paths if path.is_file()]


def test_nothing_names_a_registry_or_somebodys_machine():
    forbidden = re.compile(
        r"pypi\.org|pythonhosted|npmjs\.|docker\.io|ghcr\.io|/work/|/home/\w|/root/|/Users/\w|C:\\\\"
    )
    for path in scanned():
        found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{named(path)}: {found and found[0]}"


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=named)
def test_a_picture_is_whole_and_fetches_nothing(picture):
    drawn = text(picture).replace("http://www.w3.org/2000/svg", "")
    assert ET.fromstring(text(picture)).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file
    assert not re.search(r"http|<script|@font-face|@import|<image|url\((?!#)", drawn)


def test_the_example_schedule_goes_in_whole():
    file = read_schedule_csv((ROOT / "docs/examples/schedule.csv").read_bytes(), now_us=SystemClock().now_us())
    assert (file.bad, file.stopped, file.ignored_columns) == ((), None, ())
    assert [len(session.slots) for session in file.plan.sessions] == [16, 40, 8]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_settings_and_python_that_are_shown_are_real(page):
    for block in blocks(page, "toml"):
        assert set(tomllib.loads(block)) <= set(Settings.model_fields)
    for block in blocks(page, "python"):
        ast.parse(block)
    if "reference" in page.parts:  # written from the code, or about other fields
        return
    for name, default in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", text(page), re.MULTILINE):
        assert str(Settings.model_fields[name].default) == default, name


def test_the_whole_test_run_of_a_clean_machine_is_one_script():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert {"set -euo pipefail", "make test"} <= set(text(script).splitlines())
    assert "SHOUHAO_TEST_REQUIRE=all" in text(script)


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout that was set up, with nothing of anybody's settings."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return tmp_path, {**environment, "SHOUHAO_HOLD_S": "900"}


@pytest.fixture
def served(checkout):
    """`shouhao up` as the README starts it, on free ports; what turns its shell blocks to them."""
    folder, environment = checkout
    ports = {"8080": str(free_port()), "8081": str(free_port())}
    (block,) = walk(READMES[0], "server")
    command = block.splitlines()[-1].removesuffix(" | tee try.log").split()
    assert command[:2] == [".venv/bin/shouhao", "up"]
    command += ["--port", ports["8080"], "--console-port", ports["8081"], "--internal-port", str(free_port())]
    with (folder / "try.log").open("wb") as log, (folder / "errors.log").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=errors)
    try:
        for port in ports.values():
            _wait_for(int(port), process)
        yield folder, environment, lambda shell: re.sub(r"(?<=127\.0\.0\.1:)808[01]", lambda m: ports[m[0]], shell)
        process.terminate()
        assert process.wait(SOON_S) == 0, text(folder / "errors.log")
    finally:
        process.kill()
        process.wait()


def _wait_for(port, process):
    until = time.monotonic() + SOON_S
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nobody listens on {port}")


@NEEDS_SHELL
def test_the_first_walk_works_as_it_is_written(served):
    folder, environment, turned = served
    shell = "set -eu\n" + "\n".join(
        [*walk(READMES[0], "patient"), "echo ==", *walk(ROOT / "docs/tutorial.md", "staff")]
    )
    done = subprocess.run(
        ["bash", "-c", turned(shell)],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=SOON_S * 2,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, _, then = done.stdout.partition("==")
    for said in (
        '"state":"held"',
        "booking.already_booked",
        '{"state":"paid"}',
        '"state":"booked"',
        "-> try-events.csv",
    ):
        assert said in first, said
    wanted = [
        '"roles":["approver"',
        '"violations":[]',
        "Authorization: Bearer ",
        "X-Channel-Key: kiosk.",
        "booking.limit_reached",
        '"state":"used"',
        "booking.limit_reached",
        '"state":"returned"',
        "booking.restricted",
        '"field":"end"',
        "status 1",
        '"name":"张三"',
        '"kind":"viewed"',
    ]
    at = 0
    for said in wanted:
        assert said in then[at:], (said, then[at:])
        at = then.index(said, at) + len(said)
    assert "违反" not in done.stdout
    assert done.stdout.count("通过 ok") > 20
