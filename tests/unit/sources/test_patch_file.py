"""Patch series: order, and what of a patch is its identity."""

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.patch_file import body, body_digest, describe, series

PATCH = b"""From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A. Tester <tester@example.org>
Date: Mon, 1 Jan 2024 00:00:00 +0000
Subject: [PATCH 1/2] Say hi instead of
 hello

A reason.
---
 greet.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/greet.c b/greet.c
index 1234567..89abcde 100644
--- a/greet.c
+++ b/greet.c
@@ -1,3 +1,3 @@ int main()
 {
-  puts("hello");
+  puts("hi");
 }
-- 
2.39.5

"""


def test_the_body_is_the_diff_alone():
    found = body(PATCH)
    assert found.startswith(b"diff --git a/greet.c b/greet.c\n--- a/greet.c\n")
    assert found.endswith(b" }\n")
    assert b"index " not in found and b"A reason" not in found and b"2.39.5" not in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"A reason.", b"Another reason."),
        (b"A. Tester", b"B. Tester"),
        (b"2.39.5", b"2.50.0"),
        (b"1234567..89abcde", b"1234567890..89abcdef01"),
    ],
)
def test_a_message_an_author_or_a_git_version_is_no_part_of_it(old, new):
    assert body(PATCH.replace(old, new)) == body(PATCH)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'puts("hi")', b'puts("hey")'),
        (b'+  puts("hi")', b'+   puts("hi")'),
        (b"@@ -1,3 +1,3 @@", b"@@ -2,3 +2,3 @@"),
        (b"index 1234567..89abcde 100644\n", b"old mode 100644\nnew mode 100755\n"),
    ],
)
def test_content_white_space_positions_and_modes_are(old, new):
    assert old in PATCH
    assert body(PATCH.replace(old, new)) != body(PATCH)


def test_a_series_is_in_name_order_with_those_of_one_origin_between(tmp_path):
    for name in (
        "0002-b.patch",
        "0001-a.patch",
        "git/0001-b.patch",
        "release/0003-c.patch",
        "x.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(PATCH)
    found = [path.name for path in series(tmp_path, "git")]
    assert found == ["0001-a.patch", "0001-b.patch", "0002-b.patch"]
    assert series(tmp_path / "none", "git") == ()


def test_a_patch_is_described(tmp_path):
    path = tmp_path / "0001-say-hi.patch"
    path.write_bytes(PATCH)
    found = describe(path)
    assert found.subject == "Say hi instead of hello"
    assert found.author == "A. Tester <tester@example.org>"
    assert found.files == ("greet.c",)


def test_a_file_that_is_no_patch_is_named(tmp_path):
    path = tmp_path / "0001-nothing.patch"
    path.write_bytes(b"nothing\n")
    with pytest.raises(UserError, match=r"0001-nothing.patch: no diff in it"):
        body_digest(path)
    path.write_bytes(body(PATCH))
    with pytest.raises(UserError, match="no From and Subject"):
        describe(path)
