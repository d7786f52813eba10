"""What a build sees: its folders at fixed paths, and no variable that nobody named."""

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.environments.environment import EnvironmentRecord
from snakedev.machine.probe import Machine, Tool, probe
from snakedev.machine.sandbox import Sandbox, permitted
from snakedev.machine.sanitizer import is_instrumented
from snakedev.store.layout import Layout
from snakedev.store.specs import WheelSpec
from snakedev.wheels import variables as build_variables
from tests.unit.wheels.tiny import SANITIZED, SPEC


@pytest.fixture
def layout(tmp_path) -> Layout:
    """Results with a build environment."""
    layout = Layout(tmp_path / "results")
    environment = layout.environment("build-any", SPEC.environment_key)
    venv.create(environment, symlinks=True)
    record = EnvironmentRecord(
        key=SPEC.environment_key,
        name="build-any",
        lock="build-any.lock",
        lock_digest="",
        python="3.14.0",
        packages=(),
        wheels=(),
        cuda_toolkit=None,
        conflicts=(),
        bytes=0,
        seconds=0.0,
    )
    record.write(environment / "env.json")
    return layout


def seen(layout: Layout, machine: Machine, *, fixed_paths: bool, spec: WheelSpec = SPEC):
    """A build's places and variables."""
    folder = layout.build("any", "tiny") / "tree-key"
    (folder / "root").mkdir(parents=True)
    environment = layout.environment("build-any", SPEC.environment_key)
    sandbox = Sandbox(folder / "root", fixed_paths=fixed_paths, cut_network=False)
    places = build_variables.place(spec, layout, folder, environment, sandbox)
    variables = build_variables.make(
        spec, layout, machine, places, 2, nvcc_threads=3, compiler_cache=True
    )
    return places, variables


@pytest.fixture
def machine(tmp_path) -> Machine:
    return probe(tmp_path / "machine.json")


def test_a_build_sees_no_path_of_the_results(layout, machine, monkeypatch):
    if not permitted(fixed_paths=True):
        pytest.skip("this kernel permits no mount namespaces")
    monkeypatch.setenv("SECRET", "1")
    places, variables = seen(layout, machine, fixed_paths=True)
    assert variables["PLACE"] == "/snakedev/environment/share"
    assert variables["TREE"] == "/snakedev/build/tree"
    assert "SECRET" not in variables
    showing = {name for name, value in variables.items() if str(layout.root) in value}
    # what no compiler sees: whose build it is, and where ccache keeps its files
    assert showing <= {"SNAKEDEV_BUILD_FOLDER", "CCACHE_DIR"}
    code = "import sys, sysconfig; print(sys.prefix, sysconfig.get_path('include'))"
    command = places.sandbox.command(places.environment / "bin/python", "-c", code)
    said = subprocess.check_output(command, cwd=places.real_folder, env=variables, text=True)
    assert said.startswith("/snakedev/environment /snakedev/interpreter/include/python3")


def test_nothing_outside_the_key_decides_what_a_build_sees(layout, machine, monkeypatch):
    _, usual = seen(layout, machine, fixed_paths=True)
    for name, value in {"LANG": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "TERM": "vt100"}.items():
        monkeypatch.setenv(name, value)
    shutil.rmtree(layout.build("any", "tiny"))
    assert seen(layout, machine, fixed_paths=True)[1] == usual


def test_what_the_user_passes_on_is_no_template(layout, machine):
    passed = {
        "CFLAGS": "-DA=${A} $(date) -DB={b}",
        "CPPFLAGS": "-I$HOME/include",
        "CMAKE_ARGS": "-DCMAKE_INSTALL_RPATH=${ORIGIN}/../lib;$ORIGIN -DX=${environment}",
        "LDFLAGS": "-Wl,-rpath,${ORIGIN}/../lib",
    }
    _, variables = seen(
        layout, machine, fixed_paths=True, spec=SPEC.model_copy(update={"passed": passed})
    )
    assert {name: variables[name] for name in passed} == passed
    assert variables["PLACE"] == "/snakedev/environment/share"


def test_builds_at_the_same_paths_have_temporary_files_of_their_own(layout, machine):
    places, variables = seen(layout, machine, fixed_paths=True)
    assert variables["TMPDIR"] == "/snakedev/build/tmp"
    assert (places.real_folder / "tmp").is_dir()


def test_where_paths_are_real_the_compiler_and_its_cache_are_told(layout, machine):
    places, variables = seen(layout, machine, fixed_paths=False)
    assert places.folder == places.real_folder.resolve()
    assert f"-ffile-prefix-map={places.folder}=/snakedev/build" in variables["CFLAGS"]
    if shutil.which("ccache"):
        assert variables["CCACHE_BASEDIR"] == str(places.folder)
    assert Path(variables["TMPDIR"]).is_dir()


def test_threads_of_nvcc_and_jobs_are_passed_on(layout, machine):
    _, variables = seen(layout, machine, fixed_paths=True)
    assert (variables["NVCC_THREADS"], variables["MAX_JOBS"]) == ("3", "2")


def test_c_and_c_plus_plus_are_compiled_with_the_interpreter_s_sanitizer(layout, machine, tmp_path):
    passed = {"CFLAGS": "-O1", "LDFLAGS": "-s"}
    spec = SPEC.model_copy(update={"interpreter": SANITIZED, "passed": passed})
    _, variables = seen(layout, machine, fixed_paths=False, spec=spec)
    assert variables["CFLAGS"].startswith("-O1 -fsanitize=thread -g -O1 -ffile-prefix-map=")
    assert variables["CXXFLAGS"].startswith("-fsanitize=thread -g -O1 -ffile-prefix-map=")
    assert variables["LDFLAGS"] == "-s -fsanitize=thread"
    # the build runs on that interpreter, whose own races are not the build's
    assert "report_bugs=0" in variables["TSAN_OPTIONS"]


def test_what_rust_builds_is_not_instrumented(layout, machine):
    rust = {"cc": "gcc 12", "rustc": "rustc 1"}
    spec = SPEC.model_copy(update={"interpreter": SANITIZED, "compilers": rust})
    _, variables = seen(layout, machine, fixed_paths=True, spec=spec)
    assert "sanitize" not in variables["CFLAGS"] + variables.get("LDFLAGS", "")
    assert "report_bugs=0" in variables["TSAN_OPTIONS"]


def test_without_a_sanitizer_nothing_is_told(layout, machine):
    _, variables = seen(layout, machine, fixed_paths=True)
    assert not {"TSAN_OPTIONS", "LDFLAGS"} & variables.keys()


@pytest.mark.parametrize("sanitized", [True, False])
def test_what_heeds_the_flags_is_instrumented(layout, machine, tmp_path, sanitized):
    spec = SPEC.model_copy(update={"interpreter": SANITIZED if sanitized else {}})
    _, variables = seen(layout, machine, fixed_paths=False, spec=spec)
    source, library = tmp_path / "counting.c", tmp_path / "counting.so"
    source.write_text("long counter; long count(void) { return counter++; }\n")
    command = f'"$CC" $CFLAGS -fPIC -shared "{source}" $LDFLAGS -o "{library}"'
    subprocess.run(["sh", "-c", command], env=variables, check=True)
    assert is_instrumented(library) == sanitized


def test_rocm_is_where_its_toolkit_says_or_that_is_one_line(layout, machine, tmp_path):
    rocm = tmp_path / "rocm"
    spec = SPEC.model_copy(update={"variant": "rocm", "toolkit": rocm})
    with pytest.raises(UserError, match=f"variants.rocm.toolkit: {rocm} has no bin/hipcc"):
        seen(layout, machine, fixed_paths=True, spec=spec)
    (rocm / "bin").mkdir(parents=True)
    (rocm / "bin/hipcc").touch()
    shutil.rmtree(layout.build("any", "tiny"))
    _, variables = seen(layout, machine, fixed_paths=True, spec=spec)
    assert "CUDA_HOME" not in variables


def test_the_arguments_of_compilers_are_kept(layout, machine):
    tools = {"cc": Tool(path=Path("/usr/bin/gcc"), arguments=("-m64", "-DA=b c"), identity="x")}
    machine = machine.model_copy(update={"tools": machine.tools | tools})
    _, variables = seen(layout, machine, fixed_paths=True)
    assert variables["CC"] == "/usr/bin/gcc -m64 '-DA=b c'"


def test_nvcc_is_told_of_another_host_compiler(layout, machine):
    spec = SPEC.model_copy(update={"variant": "cuda", "toolkit": Path("/srv/cuda")})
    _, variables = seen(layout, machine, fixed_paths=True, spec=spec)
    assert not {"CUDAHOSTCXX", "NVCC_CCBIN"} & variables.keys()
    shutil.rmtree(layout.build("any", "tiny"))
    host = {"cudahostcxx": Tool(path=Path("/opt/gcc/bin/g++"), identity="g++ 13")}
    machine = machine.model_copy(update={"tools": machine.tools | host})
    _, variables = seen(layout, machine, fixed_paths=True, spec=spec)
    assert variables["CUDAHOSTCXX"] == variables["NVCC_CCBIN"] == "/opt/gcc/bin/g++"


def test_cuda_s_toolkit_is_the_one_that_is_named(layout, machine):
    spec = SPEC.model_copy(update={"variant": "cuda", "toolkit": Path("/srv/cuda")})
    _, variables = seen(layout, machine, fixed_paths=True, spec=spec)
    assert (variables["CUDA_HOME"], variables["CUDACXX"]) == ("/srv/cuda", "/srv/cuda/bin/nvcc")
