"""A small package named `vllm`, for tests of which jobs run.

It stands for the engine only there: the workflow builds it from its git repository with vLLM's
recipe, installs it, and runs snakedev/inside/answer.py on it, whose interface it has (front
end, engine core and worker are three processes that load vLLM's plugins). Its model writes the
bytes of its weights, one for each step, chosen by a compiled function. That real vLLM answers is
what tests/e2e shows.
"""

import json

from tests.small_project import Project

REVISIONS = ("1" * 40, "2" * 40)
"""The two revisions of the model that the hub has."""
REPO = "someone/tiny"


def model_files(weights: bytes) -> dict[str, bytes]:
    """The files of a model that the package loads."""
    config = {"architectures": ["Tiny"], "dtype": "float32", "max_position_embeddings": 128}
    return {"config.json": json.dumps(config).encode(), "model.safetensors": weights}


_SETUP = """
import os
from setuptools import Extension, setup
isas = os.environ["VLLM_CPU_ISA"]
setup(name="vllm", version=os.environ["VLLM_VERSION_OVERRIDE"], packages=["vllm"],
      ext_modules=[Extension("vllm._C", ["vllm/_C.c"], define_macros=[("ISAS", f'"{isas}"')])])
"""

_EXTENSION = """
#include <Python.h>
static PyObject *step(PyObject *self, PyObject *args) {
    Py_buffer weights; Py_buffer text; Py_ssize_t next = 7;
    if (!PyArg_ParseTuple(args, "y*y*", &weights, &text)) return NULL;
    for (Py_ssize_t i = 0; i < text.len; i++)
        next = (next * 31 + ((unsigned char *)text.buf)[i]) % weights.len;
    PyObject *token = PyLong_FromLong(((unsigned char *)weights.buf)[next]);
    PyBuffer_Release(&weights); PyBuffer_Release(&text);
    return token;
}
static PyMethodDef methods[] = {{"step", step, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static int fill(PyObject *module) { return PyModule_AddStringConstant(module, "isas", ISAS); }
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_C", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit__C(void) { return PyModuleDef_Init(&definition); }
"""

_ENGINE = '''
"""An engine of three processes that answers with bytes of its model's weights."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace


@dataclass
class SamplingParams:
    temperature: float = 0
    max_tokens: int = 16
    ignore_eos: bool = False


class LLM:
    def __init__(self, model, **engine):
        _load_plugins()
        processes = get_context("spawn")
        worker, worker_end = processes.Pipe()
        self.core, core_end = processes.Pipe()
        for name, target, arguments in (
            ("VllmWorker-0", _work, (worker_end, model)),
            ("EngineCore", _pass_on, (core_end, worker)),
        ):
            processes.Process(name=name, target=target, args=arguments, daemon=True).start()
        assert self.ask("ready", 0) == []

    def ask(self, text, tokens):
        self.core.send((text, tokens))
        return self.core.recv()

    def generate(self, prompts, parameters, use_tqdm=True):
        return [self.answer(prompt, parameters.max_tokens) for prompt in prompts]

    def answer(self, prompt, tokens):
        ids = self.ask(prompt, tokens)
        text = bytes(ids).decode("latin-1")
        answer = SimpleNamespace(text=text, token_ids=ids, finish_reason="length")
        return SimpleNamespace(prompt_token_ids=list(prompt.encode()), outputs=[answer])


def _load_plugins():
    for plugin in entry_points(group="vllm.general_plugins"):
        plugin.load()()


def _pass_on(front, worker):
    _load_plugins()
    while True:
        worker.send(front.recv())
        front.send(worker.recv())


def _work(core, model):
    from vllm._C import step

    _load_plugins()
    weights = (Path(model) / "model.safetensors").read_bytes()
    while True:
        text, tokens = core.recv()
        ids = []
        for _ in range(tokens):
            ids.append(step(weights, text.encode() + bytes(ids)))
        core.send(ids)
'''

FILES = {
    "setup.py": _SETUP,
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
    'build-backend = "setuptools.build_meta"\n',
    "requirements/cpu.txt": "greeter\npackaging\n",
    "vllm/__init__.py": "from vllm.engine import LLM, SamplingParams\n",
    "vllm/engine.py": _ENGINE,
    "vllm/_C.c": _EXTENSION,
}
"""The package's repository."""


def add_to(project: Project) -> None:
    """Add the package to a project, with the model and a smoke run."""
    project.add_repo("vllm", "vllm", FILES, required=True)
    project.write_lock("build-cpu", ["setuptools", "wheel"])
    project.write_lock("run-cpu", ["packaging"])
    project.config["models"]["tiny"] = {
        "repo": REPO,
        "revision": REVISIONS[0],
    }
    project.config["smoke"] = {
        "variants": ["cpu"],
        "models": ["tiny"],
        "max_tokens": 4,
        "prompts": [{"text": "Hello"}],
        "throughput": {"prompts": 2, "tokens": 4},
    }
