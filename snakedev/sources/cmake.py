"""CMake files as far as facts of a source are read from them: the commands that a build comes to.

CMake is a language, and this is no interpreter of it. A condition is followed where the given
variables decide it; what depends on anything else may run or not. What a command says is read only
where it is certain, and raises UserError where it is not.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from snakedev.base.errors import UserError

_TOKEN = re.compile(
    r"""(?P<skip>[\s;]+|\#\[(?P<c>=*)\[.*?\](?P=c)\]|\#[^\n]*)
    |\[(?P<b>=*)\[\n?(?P<bracket>.*?)\](?P=b)\]
    |"(?P<quoted>(?:[^"\\]|\\.)*)"
    |(?P<bare>[()]|(?:[^\s()\#"\\;]|\\.|"(?:[^"\\]|\\.)*")+)""",
    re.DOTALL | re.VERBOSE,
)
_REFERENCE = re.compile(r"\$\{([^${}]+)\}")
_KEYWORD = re.compile(r"[A-Z][A-Z_]+")
_BLOCKS = {"foreach", "while", "function", "macro", "block"}
_TRUE = {"1", "ON", "YES", "TRUE", "Y"}
_FALSE = {"", "0", "OFF", "NO", "FALSE", "N", "IGNORE", "NOTFOUND"}


@dataclass(frozen=True)
class Argument:
    """An argument of a command, as it is written."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Command:
    """A command of a CMake file."""

    file: str
    line: int
    name: str
    """In lower case, as CMake does not tell them apart."""
    arguments: tuple[Argument, ...]
    block: str | None = None
    """The kind of loop or function that it stands in."""
    values: Mapping[str, str | None] = field(default_factory=dict)
    """What is set before it in its file, by variable; None for a value that is not certain."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The arguments as they are written."""
        return tuple(argument.text for argument in self.arguments)

    def wrong(self, what: str) -> UserError:
        """What of it cannot be read, with its place."""
        return UserError(f"{self.file}: line {self.line}: {self.name}: {what}")

    def after(self, keyword: str) -> tuple[str, ...] | None:
        """The arguments behind a keyword, up to the next; None where it is not given.

        Raises UserError where one is not certain.
        """
        if keyword not in self.texts:
            return None
        behind = self.arguments[self.texts.index(keyword) + 1 :]
        ends = (
            i for i, one in enumerate(behind) if not one.quoted and _KEYWORD.fullmatch(one.text)
        )
        return tuple(self.expanded(one.text) for one in behind[: next(ends, None)])

    def one_after(self, keyword: str) -> str | None:
        """The one argument behind a keyword; None where it is not given; raises as `after`."""
        given = self.after(keyword)
        if given is None:
            return None
        if len(given) != 1 or not given[0]:
            raise self.wrong(f"{keyword} has {len(given)} values, and one is understood")
        return given[0]

    def expanded(self, text: str) -> str:
        """A text with its variables replaced; raises UserError where one is not certain."""
        replaced = _expanded(text, self.values)
        if replaced is None:
            raise self.wrong(f"the file alone does not say what {text} is")
        return replaced


@dataclass(frozen=True)
class _Branch:
    """A branch of an `if`, as far as the given variables decide it."""

    may: bool
    """Whether it may run."""
    must: bool
    """Whether it does run."""
    rest: bool
    """Whether a later branch may run."""
    clear: bool
    """Whether no branch up to here runs."""

    @classmethod
    def first(cls, holds: bool | None) -> "_Branch":
        return cls(True, True, True, True).next(holds)

    def next(self, holds: bool | None) -> "_Branch":
        """The branch behind it, under a condition that holds, does not, or may (None)."""
        return _Branch(
            may=self.rest and holds is not False,
            must=self.clear and holds is True,
            rest=self.rest and holds is not True,
            clear=self.clear and holds is False,
        )


def reached(file: Path, name: str, given: Mapping[str, str]) -> Iterator[Command]:
    """The commands of a file that a build may come to, in order.

    ``name`` is the file's in errors; ``given`` are variables that have a value whatever the file
    sets. Raises UserError for what is no CMake.
    """
    values: dict[str, str | None] = dict(given)
    branches: list[_Branch] = []
    blocks: list[str] = []
    for command in _commands(file, name):
        kind = command.name
        if kind in ("elseif", "else", "endif") and not branches:
            raise command.wrong("there is no `if` before it")
        if kind == "if":
            branches.append(_Branch.first(_holds(command.arguments, values)))
        elif kind == "elseif":
            branches.append(branches.pop().next(_holds(command.arguments, values)))
        elif kind == "else":
            branches.append(branches.pop().next(True))
        elif kind == "endif":
            branches.pop()
        elif kind in _BLOCKS:
            blocks.append(kind)
        elif kind.removeprefix("end") in _BLOCKS:
            if not blocks or blocks.pop() != kind.removeprefix("end"):
                raise command.wrong("nothing of that kind is open")
        elif all(branch.may for branch in branches):
            yield replace(command, block=blocks[-1] if blocks else None, values=dict(values))
            certain = not blocks and all(branch.must for branch in branches)
            _assign(command, values, given, certain)
            if kind == "return" and certain:
                return
    if branches or blocks:
        raise UserError(f"{name}: {'an `if`' if branches else blocks[-1]} is not closed")


def _assign(
    command: Command, values: dict[str, str | None], given: Mapping[str, str], certain: bool
) -> None:
    """Note what a command makes of variables."""
    texts = command.texts
    if command.name != "set":
        # whatever it does with a variable that it is told the name of
        values.update(dict.fromkeys(set(texts) & set(values) - set(given), None))
    elif texts and texts[0] not in given:
        ends = (i for i, text in enumerate(texts) if text in ("CACHE", "PARENT_SCOPE"))
        value = _expanded(";".join(texts[1 : next(ends, None)]), values)
        if certain or texts[0] not in values:
            values[texts[0]] = value
        elif values[texts[0]] != value:
            values[texts[0]] = None


def _commands(file: Path, name: str) -> Iterator[Command]:
    """All commands of a file."""
    text = file.read_text(encoding="utf-8", errors="replace")
    called: str | None = None
    arguments: list[Argument] = []
    place = depth = begun = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise UserError(f"{name}: line {text.count(chr(10), 0, place) + 1}: this is no CMake")
        place = token.end()
        if token["skip"] is not None:
            continue
        bare = token["bare"]
        if depth == 0 and bare not in (None, "(", ")") and called is None:
            called, begun = bare.lower(), text.count("\n", 0, token.start()) + 1
            continue
        if called is None or (depth == 0 and bare != "("):
            line = text.count("\n", 0, token.start()) + 1
            raise UserError(f"{name}: line {line}: this is no CMake: {token[0][:40]!r}")
        depth += {"(": 1, ")": -1}.get(bare or "", 0)
        if depth == 0:
            yield Command(name, begun, called, tuple(arguments))
            called, arguments = None, []
        elif not (bare == "(" and depth == 1):
            quoted = token["quoted"] if bare is None else None
            shown = bare if bare is not None else quoted if quoted is not None else token["bracket"]
            arguments.append(Argument(shown, quoted=bare is None))
    if called is not None:
        raise UserError(f"{name}: line {begun}: {called}: its brackets are not closed")


def _expanded(text: str, values: Mapping[str, str | None]) -> str | None:
    """A text with its variables replaced; None where one is not certain."""
    known = {name: value for name, value in values.items() if value is not None}
    replaced = _REFERENCE.sub(lambda match: known.get(match[1], match[0]), text)
    return None if "$" in replaced else replaced


def _holds(arguments: tuple[Argument, ...], values: Mapping[str, str | None]) -> bool | None:
    """Whether a condition holds; None where the variables do not decide it."""
    rest = list(arguments)
    try:
        found = _any(rest, values)
    except IndexError:  # no condition that is understood here
        return None
    return None if rest else found


def _any(rest: list[Argument], values: Mapping[str, str | None]) -> bool | None:
    found = [_every(rest, values)]
    while rest and rest[0] == Argument("OR", False):
        rest.pop(0)
        found.append(_every(rest, values))
    return True if True in found else None if None in found else False


def _every(rest: list[Argument], values: Mapping[str, str | None]) -> bool | None:
    found = [_single(rest, values)]
    while rest and rest[0] == Argument("AND", False):
        rest.pop(0)
        found.append(_single(rest, values))
    return False if False in found else None if None in found else True


def _single(rest: list[Argument], values: Mapping[str, str | None]) -> bool | None:
    first = rest.pop(0)
    if first == Argument("NOT", False):
        inner = _single(rest, values)
        return None if inner is None else not inner
    if first == Argument("(", False):
        inner = _any(rest, values)
        if rest.pop(0) != Argument(")", False):
            raise IndexError
        return inner
    if first.quoted is False and first.text in _TESTS:
        rest.pop(0)
        return None
    if rest and not rest[0].quoted and _BINARY.fullmatch(rest[0].text):
        operator, second = rest.pop(0).text, rest.pop(0)
        left, right = _operand(first, values), _operand(second, values)
        if operator != "STREQUAL" or left is None or right is None:
            return None
        return left == right
    value = _operand(first, values)
    if value is not None and value.upper() in _TRUE | _FALSE:
        return value.upper() in _TRUE
    # a variable with any other value; a text would be the name of one
    return None if value is None or first.quoted or "$" in first.text else True


_TESTS = {
    *("DEFINED", "EXISTS", "COMMAND", "POLICY", "TARGET", "TEST"),
    *("IS_DIRECTORY", "IS_SYMLINK", "IS_ABSOLUTE", "IS_READABLE", "IS_WRITABLE", "IS_EXECUTABLE"),
}
_BINARY = re.compile(
    r"(STR|VERSION_|PATH_)?(EQUAL|LESS|GREATER|LESS_EQUAL|GREATER_EQUAL)|MATCHES|IN_LIST"
    r"|IS_NEWER_THAN"
)


def _operand(argument: Argument, values: Mapping[str, str | None]) -> str | None:
    """What stands on a side of a condition: a variable's value, where it is the name of one."""
    if argument.quoted or "$" in argument.text:
        return _expanded(argument.text, values)
    return values.get(argument.text, argument.text if _constant(argument.text) else None)


def _constant(text: str) -> bool:
    return text.upper() in _TRUE | _FALSE or text[:1].isdigit()
