"""Kits made of real series on real repositories: which patches can be sent, and as what."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.reports.upstream.page import headline
from tests.unit.bump.bench import FILES, other
from tests.unit.repositories import git


def test_a_draft_is_a_commit_that_a_clone_of_upstream_takes(kit, tmp_path):
    kit.say(1, "Upstream: keeps 20.\n\nUpstream-Status: Pending\nUpstream-Title: [Fix] Name it")
    tip = kit.moves_on(other("line 2\n", "line two\n", "a.txt"))
    made = kit.make()
    first = made.drafts[0]
    assert made.place == f"main at {tip[:12]}"
    assert [draft.state for draft in made.drafts] == ["ready", "ready"]
    assert headline([made]) == "2 of 2 patches are ready to send, 2 for tiny."

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", kit.upstream, clone)
    git(clone, "am", "--3way", first.mail)
    assert "line 20 of a.txt\n" in (clone / "a.txt").read_text()
    # what is said to us alone is not said to upstream
    assert git(clone, "log", "-1", "--format=%B") == "Name a.txt\n\nBecause."
    text = Path(first.text).read_text()
    assert "Name a.txt.\n\nToday: keeps 20." in text and "Upstream-Status" not in text
    assert git(kit.tree, "log", "--format=%s", first.branch).splitlines()[0] == "Name a.txt"
    assert git(kit.tree, "show", "--format=", "--stat", first.branch).startswith("a.txt")
    # the series has the trailers, and the branch has not
    assert "Upstream-Title: [Fix] Name it" in first.range_diff


def test_a_source_that_has_files_elsewhere_gives_a_mail_for_the_repository(kit, tmp_path):
    kit.ask(url=str(kit.upstream), paths={"a": "lib/a", "a.": "lib/python/a."})
    (kit.upstream / "lib/python").mkdir(parents=True)
    git(kit.upstream, "mv", "a.txt", "lib/python/a.txt")
    kit.moves_on({})
    draft = kit.draft(1)
    assert draft.state == "ready"
    assert "\n lib/python/a.txt | 2 +-\n" in Path(draft.mail).read_text()
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", kit.upstream, clone)
    git(clone, "am", draft.mail)
    assert "line 20 of a.txt\n" in (clone / "lib/python/a.txt").read_text()


def test_commands_sign_and_name_the_title(kit):
    kit.ask(url="https://forge.invalid/tiny/tiny.git", sign_off=True)
    draft = kit.draft(1)
    assert draft.commands[3] == "git commit --amend --no-edit --reset-author --signoff"
    assert draft.commands[2] == f"git am --3way {draft.mail}"
    assert draft.state == "ready"
    (rule,) = draft.rules
    assert (rule.rule, rule.met) == ("DCO", None)


def test_where_git_does_not_answer_the_newest_release_counts(kit):
    kit.ask(url=str(kit.upstream.with_name("nowhere")))
    kit.bench.publish("1.1", other("line 20\n", "line twenty\n", "a.txt"))
    made = kit.make()
    assert made.place == "release 1.1"
    assert "nowhere" in made.notes[0]
    assert [draft.state for draft in made.drafts] == ["conflict", "ready"]


def test_a_conflict_names_its_files(kit):
    kit.moves_on(other("line 20\n", "line twenty\n", "b.txt"))
    draft = kit.draft(2)
    assert (draft.state, draft.why) == ("conflict", "it conflicts with upstream in b.txt")
    assert draft.branch is None and draft.mail is None


def test_what_upstream_has_is_not_sent(kit):
    kit.moves_on(other("line 20\n", "line 20 of a.txt\n", "a.txt"))
    draft = kit.draft(1)
    assert (draft.state, draft.why) == ("upstream", "upstream has that change")


@pytest.mark.parametrize(
    ("said", "state", "why"),
    [
        ("Inappropriate [for one machine]", "ours", "it is ours only: for one machine"),
        ("Denied [#7]", "ours", "upstream does not want it: #7"),
        ("Backport [1.1]", "upstream", "upstream has it: 1.1"),
        ("Submitted [#8]", "submitted", "#8"),
    ],
)
def test_a_status_says_what_is_left_out(kit, said, state, why):
    kit.say(1, f"Upstream-Status: {said}")
    draft = kit.draft(1)
    assert (draft.state, draft.why) == (state, why)


def test_a_patch_without_a_status_is_not_ready(kit):
    kit.say(1, "Reviewed-by: nobody")
    draft = kit.draft(1)
    assert draft.state == "open"
    assert "write a line `Upstream-Status: Pending`" in draft.why


def test_a_repo_without_an_address_is_not_ready(kit):
    (kit.bench.patches / "upstream.yaml").unlink()
    assert "write patches/tiny/upstream.yaml" in kit.draft(1).why


def test_code_wants_a_test_where_upstream_says_so(kit):
    kit.ask(url=str(kit.upstream), tested=["a"], tests=["tests/"])
    told = "it changes code, brings none, and names none of upstream's (`Covered-By: FILE`)"
    assert kit.draft(1).why == f"a test: {told}"
    files = {"a.txt": FILES["a.txt"].replace("line 9\n", "line nine\n"), "tests/a.py": "assert 1\n"}
    files["a.txt"] = files["a.txt"].replace("line 20\n", "line 20 of a.txt\n")
    kit.also(3, files, "Name nine", "Upstream-Status: Pending")
    draft = kit.draft(3)
    assert (draft.state, draft.tests) == ("ready", ("tests/a.py",))
    assert "`pytest tests/a.py`" in Path(draft.text).read_text()


def test_a_title_has_upstreams_form(kit):
    kit.ask(url=str(kit.upstream), title=r"\[\w+\] ")
    kit.say(2, "Upstream-Status: Pending\nUpstream-Title: [Fix] Name b")
    first, second = kit.make().drafts
    assert (first.state, second.state) == ("open", "ready")
    assert first.why == "the title's form: 'Name a.txt' does not begin as asked"


def test_a_patch_stands_on_those_alone_that_it_needs(kit):
    text = FILES["a.txt"].replace("line 20\n", "line 20 of all\n")
    kit.also(3, {"a.txt": text}, "Name all", "Upstream-Status: Pending")
    draft = kit.draft(3)
    assert draft.state == "waits"
    assert draft.stands_on == (kit.patch(1).name,)
    # and says so where what it needs never goes upstream
    kit.say(1, "Upstream-Status: Inappropriate [for one machine]")
    assert kit.draft(3).why == f"it stands on {kit.patch(1).name}, which upstream does not get"


def test_a_patch_may_say_what_it_depends_on(kit):
    kit.say(2, "Upstream-Status: Pending\nDepends-On: Name a.txt")
    draft = kit.draft(2)
    assert (draft.state, draft.stands_on) == ("waits", (kit.patch(1).name,))
    log = git(kit.tree, "log", "--format=%s", f"newest..{draft.branch}")
    assert log.splitlines() == ["Name b.txt", "Name a.txt"]


def test_a_status_that_is_none_is_told_before_anything_is_asked(kit):
    kit.say(2, "Upstream-Status: Pendig")
    with pytest.raises(UserError) as told:
        kit.make()
    assert str(told.value).endswith(
        "0002-Name-b.txt.patch: Upstream-Status: 'Pendig' is none: one of Pending, Submitted, "
        "Accepted, Backport, Denied, Inactive-Upstream, Inappropriate (did you mean 'Pending'?)"
    )
    kit.say(2, "Upstream-Status: Inappropriate")
    with pytest.raises(UserError, match="says why or where in brackets"):
        kit.make()
    assert "looking up" not in kit.bench.said


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ({}, "upstream.yaml: url: this key is missing"),
        ({"url": "x", "brunch": "main"}, "brunch: unknown key: one of branch, folder, paths, "),
        ({"url": "x", "title": "["}, "title: no regular expression: "),
        ({"url": "x", "tests": "tests/"}, "tests: 'tests/' is not a list: put it in brackets"),
    ],
)
def test_what_is_wrong_in_upstream_yaml_is_a_line(kit, rules, line):
    kit.ask(**rules)
    with pytest.raises(UserError) as told:
        kit.make()
    assert line in str(told.value) and "\n" not in str(told.value)


def test_upstreams_own_template_is_filled_in(kit):
    template = "<!-- read -->\n## Summary\n<!-- say what -->\n\n## Test plan\n<!-- how -->\n\n---\n"
    kit.moves_on({".github/PULL_REQUEST_TEMPLATE.md": template + "- [ ] I read the rules\n"})
    text = Path(kit.draft(1).text).read_text()
    assert "## Summary\n\nName a.txt.\n" in text
    assert "## Test plan\n\nNot tested beyond a build.\n\n---\n- [ ] I read the rules\n" in text
    assert text.startswith("Because.\n")  # it has no place for why


def test_upstream_s_own_tests_are_enough_where_a_patch_names_them(kit):
    kit.ask(url=str(kit.upstream), tested=["a"], tests=["tests/"])
    kit.say(1, "Upstream-Status: Pending\nCovered-By: b.txt")
    draft = kit.draft(1)
    assert draft.state == "ready"
    assert "Upstream's own tests hold what it leaves as it is: `pytest b.txt`" in (
        Path(draft.text).read_text()
    )
    kit.say(1, "Upstream-Status: Pending\nCovered-By: b.txt, tests/gone.py")
    told = "its message names tests/gone.py, which upstream does not have"
    assert kit.draft(1).why == f"a test: {told}"
