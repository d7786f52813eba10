"""Who writes on a terminal: the screen, or Snakemake itself."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest

from snakedev.plan.screen import Screen, take

USUAL = {"quiet": None, "verbose": False, "debug_dag": False, "printshellcmds": False}


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def taken(monkeypatch, stream: io.StringIO, name: str = "DefaultStreamHandler", **asked: object):
    """The handler that writes on standard error, ``stream``, in the end."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    log = logging.Logger("snakemake")
    handler = logging.StreamHandler(stream)
    handler.name = name
    log.addHandler(handler)
    take(log, SimpleNamespace(**{**USUAL, "show_failed_logs": False, **asked}))
    (there,) = log.handlers
    return there


def test_snakemakes_lines_give_way_on_a_terminal_only(monkeypatch):
    assert isinstance(taken(monkeypatch, Terminal()), Screen)
    assert not isinstance(taken(monkeypatch, io.StringIO()), Screen)


@pytest.mark.parametrize("asked", [{"quiet": {"rules"}}, {"verbose": True}, {"name": "mine"}])
def test_who_asks_for_other_lines_gets_them(monkeypatch, asked):
    assert not isinstance(taken(monkeypatch, Terminal(), **asked), Screen)
