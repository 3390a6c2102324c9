"""What a configuration's text may ask for: which files are read and how much is done, whatever it says."""

import contextlib
import http.server
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import jaxtyping
import pyparsing
import pytest
from pyhocon import config_parser

from imavatar.config import hocon, load_config
from imavatar.errors import ConfigError

SMALLEST = "dataset { subject_name = ada, train { sub_dir = [a] }, test { sub_dir = [b] } }\n"
SECONDS = 20.0
"""For what took minutes or did not end: the machine may be busy."""

# Every place and spelling in which pyhocon takes it for an include; {} is url("...") or package("...").
INCLUDES = {
    "plain": "include {}",
    "capitals": "INCLUDE {}",
    "white space": "include\t{}",
    "required": "include required({})",
    "required, with white space": "include required ( {} )",
    "in a section": "train {{ include {} }}",
    "after a setting": "train {{ seed = 1, include {} }}",
    "after a section": "train {{}} include {}",
    "after an include": 'include "ok.conf" include {}',
    "stuck to an include": 'include file("ok.conf")include {}',
    "in a list": "a = [include {}]",
    "as a value": "a = include {}",
    "after text": "a = x include {}",
    "after quotes": 'a = "x" include {}',
    "after three quotes": 'a = """x # " """ include {}',
    "after a substitution": "b = 1\na = ${{b}}include {}",
    "after a comment that a carriage return ends": "# comment\rinclude {}",
    "after a comment sign in quotes": '"#" = 1, include {}',
    "after a continued line": "a = b \\\ninclude {}",
    "within braces": "{{ include {} }}",
}


@pytest.fixture
def load(tmp_path):
    """Load a configuration from its text."""

    def load_text(text: str, name: str = "some.conf"):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load_config(path)

    return load_text


@pytest.fixture
def refusal(load):
    """The message with which a text is refused, in one line."""

    def message(text: str) -> str:
        # What is timed is what users run: without the checks of types that tests have.
        jaxtyping.config.update("jaxtyping_disable", True)
        start = time.monotonic()
        try:
            with pytest.raises(ConfigError) as caught:
                load(text)
        finally:
            jaxtyping.config.update("jaxtyping_disable", False)
        assert time.monotonic() - start < SECONDS
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000
        return str(caught.value)

    return message


@pytest.fixture
def server():
    """An address at which requests are counted: (URL, list of paths)."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"train.seed = 7")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/x.conf", requests
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("case", INCLUDES)
def test_nothing_is_requested_from_the_network(tmp_path, refusal, server, case):
    (tmp_path / "ok.conf").write_text("train.seed = 3\n")
    url, requests = server
    for written in (f'url("{url}")', f'url ( "{url}" )', f'"{url}"'):
        message = refusal(SMALLEST + INCLUDES[case].format(written))
        assert "some.conf: line" in message or "some.conf: include of http" in message
        assert not requests


@pytest.mark.parametrize("case", INCLUDES)
def test_no_module_is_imported(tmp_path, refusal, monkeypatch, case):
    (tmp_path / "ok.conf").write_text("train.seed = 3\n")
    monkeypatch.delitem(sys.modules, "this", raising=False)
    message = refusal(SMALLEST + INCLUDES[case].format('package("this.x:y.conf")'))
    assert "some.conf: line" in message or "some.conf: include of the package" in message
    assert "this" not in sys.modules


def test_the_message_names_the_line_and_says_what_to_do(refusal):
    assert "some.conf: line 3: include url(...) is not supported: nothing is read from the network" in refusal(
        SMALLEST + '\ninclude url("http://127.0.0.1:1/x")'
    )
    assert "some.conf: line 2: include package(...) is not supported: no Python package is imported" in refusal(
        SMALLEST + 'include package("this:x.conf")'
    )
    assert "include classpath(...) is not supported" in refusal('include classpath("x")')


def test_an_include_within_an_included_file_is_checked_likewise(tmp_path, refusal, server):
    url, requests = server
    (tmp_path / "inner.conf").write_text(f'\n\ninclude url("{url}")\n')
    assert "inner.conf: line 3: include url(...) is not supported" in refusal('include "inner.conf"\n' + SMALLEST)
    assert not requests


@pytest.mark.parametrize("seen", [True, False])
def test_pyhocon_itself_cannot_reach_what_an_include_names(tmp_path, refusal, server, monkeypatch, seen):
    """Even where the look-out before it has missed an include."""
    url, requests = server
    (tmp_path / "there.conf").write_text("train.seed = 3")
    monkeypatch.delitem(sys.modules, "this", raising=False)
    if not seen:
        monkeypatch.setattr(hocon._Reading, "_scan", lambda *_: iter(()))
    for include in (f'url("{url}")', f'"{url}"', 'package("this.x:y")', '"there.conf"', '"*.conf"', '"absent.conf"'):
        if not (seen and "there" in include):
            assert "some.conf: " in refusal(SMALLEST + f"include {include}")
    assert not requests and "this" not in sys.modules


@pytest.mark.parametrize("text", [SMALLEST, "a = = 1", 'include url("http://127.0.0.1:1/")', "a = ${a}"])
def test_the_libraries_are_left_as_they_were(load, text):
    before = (config_parser.ConfigFactory, config_parser.glob, pyparsing.ParserElement.DEFAULT_WHITE_CHARS)
    with contextlib.suppress(ConfigError):
        load(text)
    assert before == (config_parser.ConfigFactory, config_parser.glob, pyparsing.ParserElement.DEFAULT_WHITE_CHARS)


@pytest.mark.parametrize("include", ['"{}"', 'file("{}")', 'required("{}")', 'required(file("{}"))'])
def test_what_is_included_must_be_there(tmp_path, refusal, include):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for target, message in (
        ("nowhere.conf", "line 1: nowhere.conf: no such file"),
        ("folder/nowhere.conf", "line 1: folder/nowhere.conf: no such file"),
        ("folder", "line 1: folder: is a folder"),
        ("", "line 1: : is a folder"),
        ("pipe", "line 1: pipe: is no regular file"),
        ("/dev/zero", "line 1: /dev/zero: is no regular file"),
        ("*.conf", r"line 1: *.conf: wildcards are not supported"),
        ("some?conf", "line 1: some?conf: wildcards are not supported"),
        ("a\0b", "line 1: a\\x00b: cannot be read"),
        ("x" * 300, "cannot be read (File name too long)"),
    ):
        assert message in refusal(f"include {include.format(target)}\n{SMALLEST}")


@pytest.mark.parametrize("include", ['"{}"', 'file("{}")', 'required(file("{}"))', '"./{}"'])
def test_includes_are_relative_to_their_file_and_later_settings_win(tmp_path, load, include):
    (tmp_path / "sub?").mkdir()
    (tmp_path / "sub?" / "outer.conf").write_text(f"{SMALLEST}include {include.format('inner.conf')}\nplot.fps = 30\n")
    (tmp_path / "sub?" / "inner.conf").write_text("train { seed = 3, nepoch = 4 }\nplot.fps = 20\n")
    (tmp_path / "link").symlink_to("sub?")
    config = load('include "link/outer.conf"\ntrain.seed = 5\n')
    assert (config.train.seed, config.train.nepoch, config.plot.fps) == (5, 4, 30)
    assert load_config(tmp_path / "sub?" / "outer.conf").train.seed == 3


def test_sections_lists_and_substitutions_are_included(tmp_path, load):
    (tmp_path / "section.conf").write_text("seed = 3\nnepoch = ${plot.fps}\n")
    (tmp_path / "list.conf").write_text("[c, d]")
    text = SMALLEST + 'train { include "section.conf" }\nplot.fps = 9\ndataset.train.sub_dir = [include "list.conf"]'
    config = load(text)
    assert (config.train.seed, config.train.nepoch, config.dataset.train.sub_dir) == (3, 9, ("c", "d"))


def test_an_include_in_a_comment_or_in_text_is_none(load):
    config = load(
        SMALLEST + '# include "nowhere.conf"\n// include url("http://127.0.0.1:1/")\ntrain.seed = 3 # include "x"\n'
        'train.methodname = "include x"\nmodel.head_model = """include "x" """\n'
    )
    assert config.train.methodname == "include x" and config.model.head_model == 'include "x" '


def test_a_file_that_includes_itself_is_named_with_the_chain(tmp_path, refusal, monkeypatch):
    assert "some.conf: line 2: includes itself: " in refusal(SMALLEST + 'include "some.conf"')
    (tmp_path / "b.conf").write_text('\ninclude "./link.conf"\n')
    (tmp_path / "link.conf").symlink_to("some.conf")
    # A long path of the test's own folder would be cut in the message.
    monkeypatch.chdir(tmp_path)
    Path("some.conf").write_text('include "b.conf"\n')
    with pytest.raises(ConfigError) as caught:
        load_config("some.conf")
    message = str(caught.value)
    assert "b.conf: line 2: includes itself: " in message
    assert [part.rsplit("/", 1)[-1] for part in message.split(": ")[-1].split(" -> ")] == [
        "some.conf",
        "b.conf",
        "link.conf",
    ]


def test_errors_in_an_included_file_are_named_there(tmp_path, refusal):
    (tmp_path / "latin.conf").write_bytes(b"# Zo\xeb\n")
    assert "some.conf: line 1: latin.conf: is not UTF-8 text" in refusal('include "latin.conf"\n' + SMALLEST)
    (tmp_path / "broken.conf").write_text("a = 1\nb = = 2\n")
    assert "/broken.conf: line 2, column 5: " in refusal(SMALLEST + '\n\ninclude "broken.conf"\n')
    (tmp_path / "undefined.conf").write_text("\n\n\ttrain.seed = ${nothing}\n")
    message = refusal(SMALLEST + 'include "undefined.conf"\n')
    assert "/undefined.conf: line 3: ${nothing} is not defined" in message
    (tmp_path / "list.conf").write_text("[1, 2]")
    assert "some.conf: " in refusal(SMALLEST + 'include "list.conf"\n')


def test_files_with_a_byte_order_mark_are_read(tmp_path, load):
    (tmp_path / "inner.conf").write_text("\ufefftrain.seed = 3\r\n", encoding="utf-8")
    assert load(f'\ufeffinclude "inner.conf"\r\n{SMALLEST}').train.seed == 3


def test_a_configuration_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(SMALLEST,), daemon=True)
    writer.start()
    assert load_config(tmp_path / "pipe").dataset.subject_name == "ada"
    writer.join()


TOO_MUCH = {
    "many comments": ("# comment of a line\n" * 200_000, "more than 256 KB"),
    "one comment": ("#" * 300_000, "more than 256 KB"),
    "many settings": ("\n".join(f"train.k{i} = 1" for i in range(9000)), "line 1001: more than 1000 settings"),
    "many values": (f"a = [{'1,' * 100_000}]", "more than 20000 words"),
    "deep sections": ("a{" * 3000 + "}" * 3000, "line 1: brackets are nested more than 20 deep"),
    "deep lists": ("a = " + "[" * 3000 + "]" * 3000, "brackets are nested more than 20 deep"),
    "deep keys": (".".join("a" * 3000) + " = 1", "cannot be read as HOCON (RecursionError"),
    "many substitutions": ("a = 1\n" + "b = ${a}\n" * 101, "line 102: more than 100 substitutions"),
    "doubled text": (
        f"a0 = {'x' * 1000}\n" + "\n".join(f"a{i + 1} = ${{a{i}}}${{a{i}}}" for i in range(40)),
        "substitutions make more than 1048576 characters",
    ),
    "doubled sections": (
        "a0 { x = 1 }\n" + "\n".join(f"a{i + 1} {{ l = ${{a{i}}}, r = ${{a{i}}} }}" for i in range(40)),
        "substitutions make more than 1048576 characters",
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_a_text_that_asks_for_too_much_is_refused_soon(refusal, case):
    text, message = TOO_MUCH[case]
    assert message in refusal(text)


def test_includes_that_multiply_are_counted(tmp_path, refusal):
    for i in range(8):
        (tmp_path / f"f{i}.conf").write_text(f'include "f{i + 1}.conf"\n' * 8)
    (tmp_path / "f8.conf").write_text("")
    assert "more than 50 includes" in refusal('include "f0.conf"')
    (tmp_path / "large.conf").write_text("# " + "x" * 100_000)
    assert "some.conf: has more than 256 KB with what it includes" in refusal('include "large.conf"\n' * 3)
    for i in range(12):
        (tmp_path / f"d{i}.conf").write_text(f'a {{ include "d{i + 1}.conf" }}')
    assert "nested more than 20 deep" in refusal('include "d0.conf"')


def test_the_deepest_text_that_is_let_through_is_parsed(refusal):
    assert "unknown key a" in refusal(SMALLEST + "a{" * 20 + "}" * 20)
    assert "unknown key a" in refusal(SMALLEST + "a = " + "[" * 20 + "]" * 20)


CYCLES = [
    "a = ${a}",
    "a = ${b}\nb = ${a}",
    "a = ${b}\nb = ${c}\nc = ${a}",
    "a = [${a}, ${a}]",
    "a { b = ${a} }",
    "a { b = ${a} }\na += ${a}",
    "b { x = ${a} }\na = ${b}",
    "a = ${?b} q\nb.c = ${a}\nb = ${a}",
    "train.seed = ${train.nepoch}\ntrain.nepoch = ${train.seed}",
    "train = ${train}",
]


@pytest.mark.parametrize("text", CYCLES)
def test_substitutions_that_depend_on_themselves_are_named(refusal, text):
    message = refusal(text)
    assert "depends on itself" in message or "is not defined" in message
    assert "some.conf: line " in message


def test_substitutions_are_values_of_the_file_or_the_environment(load, monkeypatch):
    monkeypatch.setenv("SOME_FOLDER", "/data/x")
    config = load(
        SMALLEST + "train.exps_folder = ${SOME_FOLDER}/runs\ntrain.seed = ${plot.fps}\nplot.fps = 12\n"
        "train.methodname = quick\ntrain.methodname = ${train.methodname}_${dataset.subject_name} b\n"
        "model.head_model = ${?nothing}x\ndataset.train.sub_dir = ${dataset.test.sub_dir} [c]\n"
        "loss { alpha = 3 }\nloss = ${loss} { lbs_weight = 2 }\n"
    )
    assert config.train.exps_folder == "/data/x/runs" and config.train.seed == 12
    assert config.train.methodname == "quick_ada b" and config.model.head_model == "x"
    assert config.dataset.train.sub_dir == ("b", "c")
    assert (config.loss.alpha, config.loss.lbs_weight) == (3, 2)


def test_an_environment_variable_is_no_name_where_it_is_a_path(refusal, monkeypatch):
    monkeypatch.setenv("SOME_FOLDER", "/data/x")
    assert "train.methodname is '/data/x', expected a name" in refusal(SMALLEST + "train.methodname = ${SOME_FOLDER}")
    monkeypatch.setenv("SOME_FOLDER", "a\udc80b")
    assert "train.exps_folder is" in refusal(SMALLEST + "train.exps_folder = ${SOME_FOLDER}")


BROKEN = {
    "a key in quotes": ('train."a b" = 3', "line 2, column 7: expected =, : or { after a key"),
    "a key without a value": ("train", "line 2, column 6: expected =, : or { after a key"),
    "a quote that is not closed": ('train.seed = "3', 'line 2: a quote (") is opened and not closed'),
    "three quotes that are not closed": ('train.seed = """3', 'line 2: a quote (") is opened and not closed'),
    "an empty key": ('"" = 3', "line 2, column "),
    "a key with an escape sequence": ('"a\x1b[2J" = 3', r'unknown key "a\x1b[2J".'),
    "a bracket too many": ("}", "line 2, column 1: "),
    "a number of 5,000 digits": (f"train.seed = {'1' * 5000}", "train.seed is the number inf"),
    "a number of 400 digits": (f"loss.alpha = {'1' * 400}", "loss.alpha is inf, expected a finite number"),
    "a list and text": ("train.seed = [3] 4", "Token '4' of type str"),
    "a list and text, substituted": ("a = [3]\ntrain.seed = ${a} 4", "line 3: a value of several parts mixes"),
    "a null byte": ("\0 = 3", "line 2, column 1"),
    "a long text": (f'train.seed = "{"x" * 10_000}"', "expected a whole number"),
    "a long list": (f"train.alpha_milestones = {list(range(3000, 0, -1))}", "expected a list of ascending"),
    "a duration without end": (f"train.seed = {'9' * 400} days", "train.seed is the duration"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_text_is_one_line(refusal, case):
    text, message = BROKEN[case]
    assert message in refusal(SMALLEST + text)


def test_what_pyhocon_stumbles_over_names_the_file(refusal, monkeypatch):
    def stumble(*_):
        raise ZeroDivisionError("of pyhocon's")

    monkeypatch.setattr(hocon.ConfigParser, "parse", stumble)
    assert "some.conf: cannot be read as HOCON (ZeroDivisionError: of pyhocon's)" in refusal(SMALLEST)


@pytest.mark.parametrize("given", ["", "."])
def test_an_empty_path_is_explained(given):
    with pytest.raises(ConfigError, match=r"is a folder, expected a configuration file; is the path empty\?"):
        load_config(given)


def test_a_folder_and_an_endless_file_are_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"is a folder, expected a configuration file$"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="more than 256 KB"):
        load_config("/dev/zero")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / ("x" * 300))


def test_an_empty_conf_of_a_command_is_one_message():
    command = [sys.executable, "-c", "from imavatar.cli.exp_runner import exp_runner_main as m; m(['--conf', ''])"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 2
    assert "error: .: is a folder, expected a configuration file; is the path empty?" in done.stderr
    assert "Traceback" not in done.stderr
