# SPDX-License-Identifier: Apache-2.0
"""The grammar of the command line (spec/cli.md section 1)."""

import pytest

from percale.cli.command import Arguments, Command, CommandFailed, Flag, read_arguments

FLAGS = (
    Flag("filename", "f", value="PATH"),
    Flag("output", "o", value="FORMAT"),
    Flag("all", "A"),
    Flag("recursive", "R"),
    Flag("seconds", value="N", number=True),
    Flag("prefix", value="P", repeated=True),
)


def read(*words, command="calicoctl get"):
    arguments = Arguments(command)
    read_arguments(words, FLAGS, arguments)
    return arguments


@pytest.mark.parametrize(
    "words", [("-f", "x"), ("-fx",), ("-f=x",), ("--filename", "x"), ("--filename=x",), ("-Rf", "x"), ("-Rfx",)]
)
def test_spellings_of_a_value(words):
    """A value stands behind a blank or an equals sign, and behind a short flag directly."""
    assert read(*words).text("filename") == "x"


def test_last_value_counts():
    """Of a flag given twice the last value counts, unless it is a repeated one."""
    arguments = read("-f", "a", "-f", "b", "--prefix", "c", "--prefix=d")
    assert arguments.text("filename") == "b"
    assert arguments.texts("prefix") == ["c", "d"]


def test_flags_stand_anywhere():
    """Flags and other words may be mixed."""
    arguments = read("wep", "-A", "name", "-o", "yaml")
    assert arguments.positionals == ["wep", "name"]
    assert arguments.switch("all")


def test_two_dashes_end_flags():
    """Behind two dashes nothing is a flag."""
    assert read("a", "--", "-A", "--bogus").positionals == ["a", "-A", "--bogus"]


def test_a_lone_dash_is_a_word():
    """A single dash is standard input, or a word."""
    arguments = read("-f", "-", "-")
    assert arguments.text("filename") == "-"
    assert arguments.positionals == ["-"]


def test_an_arrow_is_a_word():
    """The arrow of a flow is no flag."""
    assert read("a", "->", "b").positionals == ["a", "->", "b"]


def test_a_switch_can_be_off():
    """A switch takes a value behind an equals sign."""
    assert not read("--all=false").switch("all")
    assert read("--all=T").switch("all")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--bogus",), "unknown flag: --bogus"),
        (("--file", "x"), "unknown flag: --file"),
        (("-z",), "unknown shorthand flag: 'z' in -z"),
        (("-Az",), "unknown shorthand flag: 'z' in -Az"),
        (("-o",), "flag needs an argument: 'o' in -o"),
        (("--output",), "flag needs an argument: --output"),
        (("--=x",), "bad flag syntax: --=x"),
        (
            ("--seconds=x",),
            'invalid argument "x" for "--seconds" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (
            ("--all=maybe",),
            'invalid argument "maybe" for "-A, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
    ],
)
def test_refusals_are_calicoctls(words, text):
    """What cannot be read is refused in the words of calicoctl's parser."""
    with pytest.raises(CommandFailed) as failure:
        read(*words)
    assert failure.value.text == text


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("--seconds=x", 'invalid argument "x" for "--seconds" flag: not a whole number'),
        ("--seconds=1.5", 'invalid argument "1.5" for "--seconds" flag: not a whole number'),
        ("--seconds=" + "9" * 19, f'invalid argument "{"9" * 19}" for "--seconds" flag: too large a number'),
        ("--all=maybe", 'invalid argument "maybe" for "-A, --all" flag: neither true nor false'),
    ],
)
def test_refusals_in_our_name_are_ours(word, reason):
    """By its own name the program does not speak of the parser that calicoctl is made with."""
    with pytest.raises(CommandFailed) as failure:
        read(word, command="percale get")
    assert failure.value.text == reason


def test_a_large_number():
    """The largest number of 18 digits is still one."""
    assert read("--seconds=" + "9" * 18).number("seconds") == 10**18 - 1


@pytest.mark.parametrize(("command", "status"), [("percale get", 1), ("percale diff", 2)])
def test_status_of_a_command_line_that_cannot_be_read(command, status):
    """It is 1, but 2 where 1 means a difference."""
    with pytest.raises(CommandFailed) as failure:
        read("--bogus", command=command)
    assert failure.value.status == status


@pytest.mark.parametrize(
    ("least", "most", "received", "text"),
    [
        (2, 2, 1, "accepts 2 arg(s), received 1"),
        (2, 2, 3, "accepts 2 arg(s), received 3"),
        (3, None, 2, "requires at least 3 arg(s), only received 2"),
        (0, 1, 2, "accepts at most 1 arg(s), received 2"),
    ],
)
def test_number_of_words(least, most, received, text):
    """Too few and too many words are refused."""
    command = Command("about", least=least, most=most, example="x")
    with pytest.raises(CommandFailed) as failure:
        command.check_count(received)
    assert failure.value.text == text


@pytest.mark.parametrize(("least", "most", "received"), [(2, 2, 2), (3, None, 3), (3, None, 9), (0, 1, 0), (0, 1, 1)])
def test_right_number_of_words(least, most, received):
    """The last accepted numbers of words are accepted."""
    Command("about", least=least, most=most, example="x").check_count(received)
