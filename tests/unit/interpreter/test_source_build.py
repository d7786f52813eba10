"""Building an interpreter from a git repository, with a stand-in for CPython that configures,
compiles and installs in a second; tests/e2e/test_sanitizer.py builds the real one."""

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import Interpreter, InterpreterGit
from snakedev.interpreter import source_build
from snakedev.store.layout import Layout
from tests.unit.repositories import commit, git, repository

PATCHLEVEL = '#define PY_VERSION              "3.14.2+"\n'
CONFIGURE = """#!/bin/sh
echo "configured with $*, $CC, $CFLAGS_NODIST"
for word; do case $word in --prefix=*) prefix=${word#--prefix=};; esac; done
sed "s|@prefix@|$prefix|; s|@CC@|$CC|" Makefile.in > Makefile
"""
MAKEFILE = """prefix=@prefix@
CC=@CC@
MODULE__SSL_STATE=yes
MODULE__CTYPES_STATE=yes
MODULE_ZLIB_STATE=yes
all: python
python.o: python.c
\t$(CC) -c python.c -o python.o
python: python.o
\t$(CC) -o python python.o
install: all
\tmkdir -p $(DESTDIR)$(prefix)/bin
\tcp python $(DESTDIR)$(prefix)/bin/python3.14t
\techo "Compiling 'bytecode' with $(COMPILEALL_OPTS)"
"""
FILES = {
    "Include/patchlevel.h": PATCHLEVEL,
    "configure": CONFIGURE,
    "Makefile.in": MAKEFILE,
    "python.c": "int main(void) { return 0; }\n",
    "Tools/tsan/suppressions_free_threading.txt": "race:known\n",
}


@pytest.fixture
def built(tmp_path, running):
    """Builds a repository's commit of these files, and returns what came of it."""
    upstream = tmp_path / "upstream"
    repository(upstream, {})

    def build(files, *, ref=None, sanitizer=None, compiler_cache=False):
        made = commit(upstream, files)
        git(upstream, "update-index", "--chmod=+x", "configure")
        made = commit(upstream)
        git(upstream, "tag", "--force", "v3.14.2")
        pin = InterpreterGit(url=str(upstream), ref=ref or made)
        wanted = Interpreter(provider="source", git=pin, sanitizer=sanitizer)
        layout = Layout(tmp_path / "results", sanitizer=sanitizer)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        digests, commit_id = source_build.build(
            wanted, layout, scratch, 2, running, compiler_cache=compiler_cache
        )
        assert commit_id == made and set(digests) == {"executable"}
        return scratch, (tmp_path / "job.log").read_text()

    return build


def test_a_tag_is_looked_up_configured_compiled_and_installed(built, tmp_path):
    home, log = built(FILES, ref="v3.14.2")
    assert (home / "bin" / "python3.14t").is_file()
    assert (home / "bin" / "python").resolve().name == "python3.14t"
    assert f"--prefix={tmp_path / 'results' / 'interpreter'}" in log
    assert "--disable-gil" in log and "--with-thread-sanitizer" not in log
    assert "=cpython" in log and "1 of 1 compilations" in log and "with -j2" in log
    assert not (tmp_path / "results/build/interpreter").exists()


def test_with_a_sanitizer_it_is_configured_so_and_keeps_the_known_races(built, tmp_path):
    home, log = built(FILES, sanitizer="thread")
    assert "--with-thread-sanitizer" in log
    assert f"--prefix={tmp_path / 'results' / 'interpreter-3.14t-thread'}" in log
    assert (home / "share/tsan/suppressions.txt").read_text() == "race:known\n"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"Include/patchlevel.h": PATCHLEVEL.replace("3.14.2+", "3.15.0a1")},
            r"is Python 3\.15\.0a1, and interpreter\.version asks for 3\.14: change one of them$",
        ),
        ({"Include/patchlevel.h": ""}, "is no CPython: it has no configure, or no version in"),
        (
            {"Makefile.in": MAKEFILE.replace("SSL_STATE=yes", "SSL_STATE=missing")},
            "^CPython cannot be built without the headers of OpenSSL: install them",
        ),
        (
            {"python.c": "int main(void) { return nothing; }\n"},
            r"(?s)^CPython does not build: make ended with .* +python.c:1:\d+: error",
        ),
        (
            {"configure": "#!/bin/sh\necho 'configure: error: no acceptable C compiler'\nexit 1\n"},
            r"(?s)does not build: configure ended with .*\n +configure: error: no acceptable C",
        ),
    ],
    ids=["version", "no CPython", "headers", "compilation", "configure"],
)
def test_what_does_not_build_says_why(built, changes, said):
    with pytest.raises(UserError, match=said):
        built(FILES | changes)


def test_a_ref_that_is_not_there_is_named(built):
    with pytest.raises(UserError, match=r"no branch or tag 'v3\.14\.3': did you mean 'v3.14.2'"):
        built(FILES, ref="v3.14.3")
