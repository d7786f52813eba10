"""What a build takes in of other projects, read from CMake files in the forms that vLLM uses."""

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.external_projects import Build, read_build

MAIN = """
if(VLLM_TARGET_DEVICE STREQUAL "cpu")
  include(${CMAKE_CURRENT_LIST_DIR}/cmake/cpu_extension.cmake)
endif()
if(VLLM_GPU_LANG STREQUAL "CUDA")
  set(CUTLASS_REVISION "v4.7.1")  # also the GIT_TAG
  if(VLLM_CUTLASS_SRC_DIR)
    FetchContent_Declare(cutlass SOURCE_DIR ${VLLM_CUTLASS_SRC_DIR})
  else()
    FetchContent_Declare(
        cutlass
        GIT_REPOSITORY https://example.org/cutlass.git
        # Please keep this in sync
        GIT_TAG ${CUTLASS_REVISION}
        GIT_SHALLOW TRUE)
  endif()
endif()
"""
CPU = """
find_isa(${CPUINFO} "asimd" ASIMD_FOUND)
if (ENABLE_X86_ISA OR (ASIMD_FOUND AND NOT APPLE_SILICON_FOUND) OR POWER9_FOUND)
  if(ASIMD_FOUND)
    FetchContent_Populate(arm_compute GIT_REPOSITORY https://example.org/acl.git GIT_TAG v52)
  endif()
  if(FETCHCONTENT_SOURCE_DIR_ONEDNN)
    FetchContent_Declare(oneDNN SOURCE_DIR ${FETCHCONTENT_SOURCE_DIR_ONEDNN})
  else()
    if(ASIMD_FOUND AND NOT APPLE_SILICON_FOUND)
      FetchContent_Declare(oneDNN GIT_REPOSITORY https://example.org/o.git GIT_TAG 9c5be1cc)
    else()
      FetchContent_Declare(oneDNN GIT_REPOSITORY https://example.org/o.git GIT_TAG v3.13)
    endif()
  endif()
endif()
"""
PLAIN = """
if (DEFINED ENV{FLASH_MLA_SRC_DIR})
  set(FLASH_MLA_SRC_DIR $ENV{FLASH_MLA_SRC_DIR})
endif()
if(FLASH_MLA_SRC_DIR)
  FetchContent_Declare(flashmla SOURCE_DIR ${FLASH_MLA_SRC_DIR} CONFIGURE_COMMAND "")
else()
  FetchContent_Declare(
        flashmla
        GIT_REPOSITORY https://example.org/FlashMLA
        GIT_TAG a8f794d1251cbfd88a5011445dd5582289c727e4
        GIT_PROGRESS TRUE
        CONFIGURE_COMMAND "")
endif()
FetchContent_MakeAvailable(flashmla)
"""
POPULATED = """
if(DEFINED ENV{DEEPGEMM_SRC_DIR})
  set(DEEPGEMM_SRC_DIR $ENV{DEEPGEMM_SRC_DIR})
endif()
if(DEEPGEMM_SRC_DIR)
  set(deepgemm_SOURCE_DIR "${DEEPGEMM_SRC_DIR}")
else()
  set(_REPO "https://example.org/DeepGEMM.git")
  #[[ set(_TAG "of a comment") ]]
  set(_TAG "0820030756945b2daec208e8e8255268360f337d")
  if(EXISTS "${_deepgemm_src}/deep_gemm/_C.py")
    set(deepgemm_SOURCE_DIR "${_deepgemm_src}")
  else()
    FetchContent_Populate(deepgemm
      SOURCE_DIR "${_deepgemm_src}"
      GIT_REPOSITORY "${_REPO}"
      GIT_TAG "${_TAG}"
      GIT_SUBMODULES "third-party/cutlass" "third-party/deep_jit"
      GIT_PROGRESS TRUE)
  endif()
endif()
install(CODE "set(X \\"\\${CMAKE_INSTALL_PREFIX}/vllm/\\")" ALL_COMPONENTS)
"""
BY_DEVICE = """
if (DEFINED ENV{TRITON_KERNELS_SRC_DIR})
  FetchContent_Declare(triton_kernels SOURCE_DIR $ENV{TRITON_KERNELS_SRC_DIR})
else()
  if (VLLM_TARGET_DEVICE STREQUAL "rocm")
    set(TRITON_GIT "https://example.org/rocm-triton.git")
    set(TRITON_TAG "669b31acc1dd1b3fd93286afd5db67f65d9f7557")
  else()
    set(TRITON_GIT "https://example.org/triton.git")
    set(TRITON_TAG "v3.5.1")
  endif()
  FetchContent_Declare(triton_kernels GIT_REPOSITORY ${TRITON_GIT} GIT_TAG ${TRITON_TAG}
                       SOURCE_SUBDIR python/triton_kernels/triton_kernels)
endif()
"""


def read(tmp_path, **projects):
    """What a source with these files of projects takes in."""
    (tmp_path / "cmake/external_projects").mkdir(parents=True)
    (tmp_path / "cmake/cpu_extension.cmake").write_text(projects.pop("cpu", CPU))
    main = projects.pop("main", MAIN)
    for name, text in projects.items():
        (tmp_path / f"cmake/external_projects/{name}.cmake").write_text(text)
        main += f"include(cmake/external_projects/{name}.cmake)\n"
    (tmp_path / "CMakeLists.txt").write_text(main)
    build = read_build(tmp_path)
    return build.external_projects, build.tags


def test_projects_are_read_in_the_order_in_which_a_build_comes_to_them(tmp_path):
    projects, tags = read(tmp_path, deepgemm=POPULATED, flashmla=PLAIN, triton=BY_DEVICE)
    assert [*projects] == ["deepgemm", "flashmla", "triton"]
    deepgemm, flashmla, triton = projects.values()
    assert deepgemm.repository == "https://example.org/DeepGEMM.git"
    assert deepgemm.commit == "0820030756945b2daec208e8e8255268360f337d"
    assert deepgemm.variable == "DEEPGEMM_SRC_DIR"
    assert deepgemm.submodules == ("third-party/cutlass", "third-party/deep_jit")
    assert (flashmla.commit[:8], flashmla.submodules, flashmla.folder) == ("a8f794d1", None, ".")
    assert (triton.repository, triton.commit) == ("https://example.org/triton.git", "v3.5.1")
    assert triton.folder == "python/triton_kernels/triton_kernels"
    assert tags == {"cutlass": "v4.7.1", "onednn": "v3.13"}


def test_a_variant_has_the_extensions_that_its_build_comes_to(tmp_path):
    (tmp_path / "cmake").mkdir()
    (tmp_path / "cmake/cpu_extension.cmake").write_text(
        "define_extension_target(_C DESTINATION vllm)\n"
        "if(ENABLE_X86_ISA)\ndefine_extension_target(_C_AVX2)\nendif()\n"
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "include(cmake/utils.cmake)\n"
        "define_extension_target(\n  spinloop DESTINATION vllm)\n"
        'if(NOT VLLM_TARGET_DEVICE STREQUAL "cuda" AND\n'
        '   NOT VLLM_TARGET_DEVICE STREQUAL "rocm")\n'
        '  if(VLLM_TARGET_DEVICE STREQUAL "cpu")\n'
        "    include(${CMAKE_CURRENT_LIST_DIR}/cmake/cpu_extension.cmake)\n"
        "  endif()\n  return()\nendif()\n"
        "define_extension_target(_C_stable_libtorch)\n"
        'if(VLLM_GPU_LANG STREQUAL "HIP")\n  define_extension_target(_rocm_C)\nendif()\n'
    )
    (tmp_path / "cmake/utils.cmake").write_text(
        "macro(define_extension_target NAME)\nPython_add_library(${NAME})\nendmacro()\n"
    )
    assert read_build(tmp_path).extensions == {
        "cuda": ("spinloop", "_C_stable_libtorch"),
        "cpu": ("spinloop", "_C", "_C_AVX2"),
    }


def test_a_file_that_no_build_comes_to_is_no_project(tmp_path):
    (tmp_path / "cmake/external_projects").mkdir(parents=True)
    (tmp_path / "cmake/external_projects/old.cmake").write_text("(")
    (tmp_path / "CMakeLists.txt").write_text(
        'if(VLLM_GPU_LANG STREQUAL "HIP")\ninclude(cmake/external_projects/old.cmake)\nendif()'
    )
    assert read_build(tmp_path) == Build({}, {}, {})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "cmake/external_projects/new.cmake: one git repository is to be named in it, and it"),
        (PLAIN + PLAIN.replace("a8f7", "b8f7"), "one git repository is to be named in it, and"),
        (PLAIN.replace("a8f794d", "${TAG}"), "line 8: fetchcontent_declare: the file alone does"),
        (PLAIN.replace("GIT_TAG a8", "# a8"), "GIT_TAG is not given, so that any commit could"),
        (PLAIN.replace("GIT_REPOSITORY", "URL"), "it downloads what is no git repository"),
        ("ExternalProject_Add(new URL x)\n" + PLAIN, "line 1: externalproject_add: it downloads"),
        (f"file(DOWNLOAD https://example.org/x x)\n{PLAIN}", "line 1: file: it downloads what"),
        (PLAIN.replace("FLASH_MLA_SRC_DIR", "FOLDER"), "one variable ENV{…_SRC_DIR} is to name"),
        (f"macro(get)\n{PLAIN}\nendmacro()\nget()", "it stands in a macro, which is not"),
        ("foreach(a b)\n" + PLAIN, "foreach is not closed"),
        (PLAIN + "endif()", "line 16: endif: there is no `if` before it"),
        (PLAIN.removesuffix(")\n"), "line 15: fetchcontent_makeavailable: its brackets are not"),
        ('set(TAG "x)', "line 1: this is no CMake"),
        ("set TAG", "line 1: this is no CMake"),
    ],
)
def test_what_is_not_understood_is_one_line_with_its_place(tmp_path, text, line):
    with pytest.raises(UserError) as raised:
        read(tmp_path, new=text)
    message = str(raised.value)
    assert line in message and message.startswith("cmake/external_projects/new.cmake: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "changed",
    [
        'if(UNKNOWN)\nset(_TAG "of another")\nendif()\n',
        'string(REPLACE "0820" "0821" _TAG "${_TAG}")\n',
        'foreach(a b)\nset(_TAG "${a}")\nendforeach()\n',
    ],
)
def test_a_commit_that_may_be_another_is_not_guessed(tmp_path, changed):
    text = POPULATED.replace("  if(EXISTS", f"{changed}  if(EXISTS")
    with pytest.raises(UserError, match=r"the file alone does not say what \$\{_TAG\} is"):
        read(tmp_path, deepgemm=text)


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ('NOT VLLM_GPU_LANG STREQUAL "CUDA"', "second"),
        ('(VLLM_GPU_LANG STREQUAL "HIP" OR UNKNOWN) AND OFF', "second"),
        ('VLLM_GPU_LANG STREQUAL "CUDA" OR UNKNOWN', "first"),
        ('"${VLLM_TARGET_DEVICE}" STREQUAL "cuda" AND VLLM_GPU_LANG', "first"),
    ],
)
def test_a_condition_that_is_decided_is_followed(tmp_path, condition, taken):
    text = f'if({condition})\nset(T "first")\nelse()\nset(T "second")\nendif()\n'
    project = POPULATED.replace('"${_TAG}"', "${T}")
    assert read(tmp_path, deepgemm=text + project)[0]["deepgemm"].commit == taken


def test_a_project_that_is_missing_or_is_not_named_plainly_is_said(tmp_path):
    main = tmp_path / "CMakeLists.txt"
    main.write_text("include(cmake/external_projects/gone.cmake)")
    with pytest.raises(UserError, match=r"gone\.cmake is missing, and the build includes it"):
        read_build(tmp_path)
    main.write_text("foreach(p a)\ninclude(cmake/external_projects/${p}.cmake)\nendforeach()")
    with pytest.raises(UserError, match=r"^CMakeLists.txt: line 2: include: which project "):
        read_build(tmp_path)
