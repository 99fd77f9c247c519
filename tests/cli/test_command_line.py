"""How the command line starts and ends: imports, exit statuses, messages, JSON and completion."""

import json
import operator
import os
import re
import signal
import subprocess
import sys

import pytest

import breastcls as bc
from breastcls.cli.command_line import command_line
from breastcls.cli.exit_statuses import MEANINGS, ExitStatus

HEAVY = {"tensorflow", "keras", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "rich", "jinja2", "PIL", "cv2"}


def run(*words, **options):
    command = [sys.executable, "-m", "breastcls", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def test_help_imports_nothing_heavy():
    code = f"""
import sys
from breastcls.cli.command_line import command_line
for words in (["--help"], ["train", "--help"], ["predict", "--hlp"]):
    command_line.main(words, standalone_mode=False)
print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1] == "[]"
    assert "Usage: breastcls train [OPTIONS] DATA" in result.stdout


def test_a_process_ends_with_the_status_and_without_noise(easy_table, easy_root):
    words = ("audit", easy_table, easy_table, "--root", easy_root, "--no-pixels", "--quiet")
    leak = run(*words)
    assert (leak.returncode, leak.stderr) == (ExitStatus.LEAK, "")
    assert "100% of the test images (48 of 48)" in leak.stdout
    reader = subprocess.Popen(
        [sys.executable, "-m", "breastcls", "backbones"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    reader.stdout.close()
    assert (reader.wait(60), reader.stderr.read()) == (ExitStatus.CLOSED_PIPE, b"")


def test_every_exit_status_has_one_meaning():
    assert set(MEANINGS) == set(ExitStatus)
    assert len(set(MEANINGS.values())) == len(ExitStatus)


@pytest.mark.parametrize("words", [("--json",), ()])
def test_an_error_of_the_library_has_a_message_and_no_traceback(call, words):
    result = call("check", "nowhere", *words, status=ExitStatus.ERROR)
    assert result.stderr.startswith("Error: The folder nowhere does not exist.")
    assert "Traceback" not in result.stderr
    if words:
        assert result.json["command"] == "check"
        assert result.json["status"] == 1
        assert result.json["error"]["type"] == "LayoutError"


def test_traceback_shows_where_an_error_was_raised(call):
    assert "Traceback (most recent call last)" in call("check", "nowhere", "--traceback", status=1).stderr


def test_a_message_names_the_options_that_arguments_are(call, easy_table):
    result = call("audit", easy_table, easy_table, "--where", "centre=Lyon", "--root", "elsewhere", status=1)
    assert result.stderr.rstrip().endswith(
        "There is no column 'centre'. Existing columns: path, label, case, slide, magnification, subtype, x, y, source."
    )
    result = call("check", easy_table, status=1)
    assert "On the command line: --root." in result.stderr


@pytest.mark.parametrize("words", [("tran",), ("audit",), ("train", "--epoch", 3), ("train", "x", "--epochs", "few")])
def test_wrong_usage_has_a_status_of_its_own(call, words):
    result = call(*words, "--json", status=ExitStatus.USAGE)
    assert "--help`." in result.stderr
    assert result.json["status"] == 64


def test_interruptions_have_the_statuses_of_their_signals(call, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("breastcls.list_backbones", interrupt, raising=False)
    assert call("backbones", status=ExitStatus.INTERRUPTED).stderr == "Error: Interrupted.\n"
    monkeypatch.setattr("breastcls.load_breakhis", interrupt, raising=False)
    words = ("train", "images", "--format", "breakhis")
    assert call(*words, status=ExitStatus.INTERRUPTED).stderr.endswith("The same command with --resume continues.\n")
    assert command_line.commands["predict"].resumption.endswith("the same command continues.")

    def terminate(*_):
        raise SystemExit(128 + signal.SIGTERM)

    monkeypatch.setattr("breastcls.list_backbones", terminate, raising=False)
    assert call("backbones", status=ExitStatus.TERMINATED).stderr == "Error: Terminated.\n"
    monkeypatch.setattr("breastcls.load_breakhis", terminate, raising=False)
    result = call(*words, "--json", status=ExitStatus.TERMINATED)
    assert result.stderr.endswith("Error: Terminated. The same command with --resume continues.\n")
    assert result.json["status"] == 143


def test_an_unknown_error_is_called_a_bug(call, monkeypatch):
    monkeypatch.setattr("breastcls.list_backbones", lambda: 1 / 0, raising=False)
    result = call("backbones", status=ExitStatus.BUG)
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: division by zero\nThis is a bug in breastcls" in result.stderr


def test_no_colour_where_it_is_not_wanted(monkeypatch):
    from breastcls.cli.terminal import Terminal

    shown = []
    monkeypatch.setattr("click.echo", lambda text, err, color: shown.append(color))
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal().fail("x")
    monkeypatch.setenv("NO_COLOR", "")
    Terminal().fail("x")
    assert shown == [False, None]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    script = run(env={**os.environ, "_BREASTCLS_COMPLETE": f"{shell}_source"})
    assert "_BREASTCLS_COMPLETE" in script.stdout
    if shell == "fish":
        words = {"COMP_WORDS": "breastcls cross-validate --fold", "COMP_CWORD": "--fold"}
    else:
        words = {"COMP_WORDS": "breastcls cross-validate --fold", "COMP_CWORD": "2"}
    found = run(env={**os.environ, **words, "_BREASTCLS_COMPLETE": f"{shell}_complete"})
    assert "--folds" in found.stdout


def test_json_of_lists(call):
    entries = call("backbones", "--json").json["results"]["backbones"]["entries"]
    assert {"name", "licence", "imagenet"} <= set(entries[0])
    assert json.loads(call("recipes", "--json").stdout)["status"] == 0


def test_commands_are_those_of_the_documentation():
    assert list(command_line.commands) == [
        "demo", "check", "audit", "split", "train", "cross-validate", "evaluate", "report", "predict", "explain",
        "compare", "export", "backbones", "recipes", "init",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [("backbones",), ("recipes",), ("--help",), ("train", "--help")])
def test_lists_and_help_fit_a_terminal_of_80_columns(call, words):
    assert max(map(len, call(*words).stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [
        ("explain", "method", "explanation.list_methods"),
        ("train", "augment", "augmentation.list_policies"),
        ("train", "stain", "stain.list_normalizers"),
    ],
)
def test_help_lists_what_can_be_chosen(command, option, names):
    [found] = [one.help for one in command_line.commands[command].params if one.name == option]
    listed = re.split(r", | or ", found.rstrip(".").split(": ")[1])
    # Examples in docstrings register a method.
    assert [name for name in operator.attrgetter(names)(bc)() if name != "saliency"] == listed


def test_sentences_are_wrapped_in_a_terminal_and_tables_are_not(monkeypatch):
    import io

    from breastcls.cli.terminal import wrap_lines

    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    text = "A sentence that is longer than the screen has columns.\n  - so is this item of a list of several items\n"
    wide = f"column  {'x' * 50}  more\n/{'folder/' * 8}file.png is a path"
    assert wrap_lines(text + wide, io.StringIO()) == text + wide
    lines = wrap_lines(text + wide, Screen()).splitlines()
    assert lines[:4] == [
        "A sentence that is longer than the",
        "screen has columns.",
        "  - so is this item of a list of several",
        "    items",
    ]
    assert "\n".join(lines[4:]) == wide
