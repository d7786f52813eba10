"""One input gives one wheel, byte for byte: in any folder, from a warm build tree or a cold one."""

import hashlib

from tests.small_project import Project, git

ADDED = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_added"};
PyMODINIT_FUNC PyInit__added(void) {
    PyObject *module = PyModule_Create(&definition);
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
    return module;
}
"""
EXTENSIONS = 'Extension("greeter._greet", ["greeter/_greet.c"])'


def wheels(project):
    """sha256 of each current wheel of a project, by file name."""
    result = project.run("wheelhouse")
    assert result.code == 0, result.text
    house = project.folder / "results/wheelhouse/cpu"
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in house.glob("*.whl")}


def elsewhere(project, folder):
    """The same project in a folder of another name and depth, with nothing built."""
    folder.mkdir(parents=True)
    other = Project(folder / "a-longer-name", project.python)
    other.config = project.config
    (other.folder / "patches").symlink_to(project.folder / "patches")
    return other


def commit(project, message):
    """Commit what stands in the upstream checkout, and write the commit down as a patch."""
    work, target = project.upstreams / "greeter", project.folder / "patches/greeter"
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "-m", message)
    number = f"{len(list(target.glob('*.patch'))) + 1}"
    git(work, "format-patch", "-1", "--start-number", number, "-o", str(target))


def test_a_wheel_is_the_same_in_any_folder_and_from_a_warm_tree(project, tmp_path):
    (project.folder / "patches/greeter").mkdir(parents=True)
    assert wheels(project) == wheels(elsewhere(project, tmp_path / "first"))

    package = project.upstreams / "greeter/greeter"
    setup = package.parent / "setup.py"
    (package / "extra.py").write_text("EXTRA = 1\n")
    (package / "moved.py").write_text("MOVED = 1\n")
    (package / "_added.c").write_text(ADDED)
    plain = setup.read_text()
    more = f'{EXTENSIONS}, Extension("greeter._added", ["greeter/_added.c"])'
    setup.write_text(plain.replace(EXTENSIONS, more))
    commit(project, "Add files")
    assert wheels(project) == wheels(elsewhere(project, tmp_path / "second"))

    # a file that is gone leaves nothing in the wheel, and one with another name no second copy
    (package / "extra.py").unlink()
    (package / "moved.py").rename(package / "renamed.py")
    (package / "_added.c").unlink()
    (package / "_greet.c").rename(package / "_greeting.c")
    setup.write_text(plain.replace("greeter/_greet.c", "greeter/_greeting.c"))
    commit(project, "Delete and rename files")
    assert wheels(project) == wheels(elsewhere(project, tmp_path / "third"))
