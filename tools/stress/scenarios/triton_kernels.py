"""Triton's Python layer: kernels that are launched, tuned and registered by all threads at once."""

import pickle
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import triton
from triton._C.libtriton import ir
from triton.compiler import ASTSource, make_backend
from triton.experimental import gluon
from triton.experimental.gluon._runtime import GluonASTSource
from triton.runtime import _async_compile, jit

from stress import triton_driver
from stress.scenario import Finding, Operation, Scenario, same

# the package has an object of this name, too
drivers = sys.modules["triton.runtime.driver"]
_KERNELS = range(4)
_BLOCK = 128
_CREATED_SECONDS = 0.001
_NAMES = 2000
_LOOK_UPS = 500
_DEVICES = 20


class Stress(Scenario):
    """Threads meet at what Triton makes at the first use of a kernel, in every round anew."""

    round_seconds = 0.1

    def set_up(self) -> None:
        self.driver = triton_driver.use_driver()
        self.functions = triton_driver.kernels(self.setting.scratch, _KERNELS)
        drivers._create_driver = self._create_driver
        self.created, self.submitted, self.compiled, self.finalized = map(
            triton_driver.Once, ("created", "submitted", "compiled", "finalized")
        )
        vars(self.functions).update({f"constant{number}": number for number in range(_NAMES)})
        self.executor = ThreadPoolExecutor(4)
        triton.knobs.runtime.jit_post_compile_hook = self._after_compile
        # into Triton's cache on disk, so that rounds need not compile
        self._fresh()
        for number in _KERNELS:
            self._launch_one(number)
        self.lowered = {number: self._lower_one(number) for number in _KERNELS}
        self._fresh()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "launch": self._launch,
            "tune": self._tune,
            "driver": self._driver,
            "register": self._register,
            "look up": self._look_up,
            "compile in the background": self._background,
            "a device's caches": self._caches,
            "Gluon's caches": self._gluon,
            "lower": self._lower,
            "set names": self._set_names,
            "pickle": self._pickle,
        }

    def between_rounds(self, random: Random) -> None:
        self._fresh()

    def _fresh(self) -> None:
        for once in (
            self.created,
            self.submitted,
            self.compiled,
            self.finalized,
            self.driver.utils.once,
        ):
            once.forget()
        self.kernels = [triton.jit(self._function(number)) for number in _KERNELS]
        self.tuned = triton.autotune(
            configs=[triton.Config({"BLOCK": block}) for block in (64, 128)],
            key=["n"],
            restore_value=["y_ptr"],
            prune_configs_by={"early_config_prune": self._prune},
            do_bench=self._bench,
        )(triton.jit(self._function(0)))
        self.gluon = gluon.jit(self._function(1))
        self.config = drivers.DriverConfig()
        self.mode = _async_compile.AsyncCompileMode(self.executor)

    def _function(self, number: int) -> Any:
        return getattr(self.functions, f"kernel{number}")

    def _after_compile(self, *, fn: Any, **rest: Any) -> None:
        # an autotuned kernel is compiled for each of its configurations
        if fn.jit_function in self.kernels:
            self.compiled.happens(fn.name)

    def _launch(self, random: Random) -> None:
        self._launch_one(random.choice(_KERNELS))

    def _launch_one(self, number: int) -> None:
        x, y = triton_driver.Tensor(), triton_driver.Tensor()
        self.kernels[number][(1,)](x, y, 100, BLOCK=_BLOCK)

    def _tune(self, random: Random) -> None:
        n = 16 * random.randrange(1, 30) + 1
        x, y = triton_driver.Tensor(), triton_driver.Tensor()
        self.tuned[(1,)](x, y, n)
        same(self.tuned.cache[n, "torch.float32", "torch.float32"].kwargs, {"BLOCK": 64}, "tuned")

    def _bench(self, kernel_call: Any, quantiles: Any) -> list[float]:
        kernel_call()
        # shorter for the smaller block, whose call is the first
        self.tuned.benched = getattr(self.tuned, "benched", 0) + 1
        return [self.tuned.benched] * 3

    def _prune(self, configs: list[Any], named: Any, **rest: Any) -> list[Any]:
        if named is None or named["x_ptr"].owner != threading.get_ident():
            raise Finding("configurations are pruned for another call's arguments")
        return configs

    def _create_driver(self) -> object:
        self.created.happens("the driver")
        time.sleep(_CREATED_SECONDS)
        return object()

    def _driver(self, random: Random) -> None:
        config = self.config
        if config.active is not config.default:
            raise Finding("the active driver is another one than the default")

    def _register(self, random: Random) -> None:
        triton.jit(self._function(random.choice(_KERNELS)))

    def _look_up(self, random: Random) -> None:
        name = f"stress_kernels:kernel{random.choice(_KERNELS)}"
        for _ in range(_LOOK_UPS):
            same(jit._triton_jit_function_registry[name].arg_names[0], "x_ptr", "its argument")

    def _background(self, random: Random) -> None:
        name = f"kernel {random.randrange(8)}"

        def compiled() -> str:
            self.submitted.happens(name)
            return name

        made = self.mode.submit(name, compiled, self.finalized.happens)
        same(made.result(), name, "a kernel that is compiled in the background")

    def _caches(self, random: Random) -> None:
        kernel = self.kernels[random.choice(_KERNELS)]
        # threads meet at those that come next
        for device in range(_DEVICES):
            if kernel.device_caches[device] is not kernel.device_caches[device]:
                raise Finding("a device has two caches")

    def _gluon(self, random: Random) -> None:
        first = random.randrange(1 << 20)
        for device in range(first, first + _DEVICES):
            self.gluon.device_caches[device]
            same(self.gluon.ASTSource, GluonASTSource, "what a Gluon kernel is compiled from")

    def _lower(self, random: Random) -> None:
        number = random.choice(_KERNELS)
        same(self._lower_one(number), self.lowered[number], f"kernel{number} in Triton's IR")

    def _lower_one(self, number: int) -> str:
        backend = make_backend(triton_driver.TARGET)
        options = backend.parse_options({})
        signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "BLOCK": "constexpr"}
        source = ASTSource(self.kernels[number], signature, {"BLOCK": _BLOCK})
        context = ir.context()
        ir.load_dialects(context)
        backend.load_dialects(context)
        implementation, modules = (
            backend.get_codegen_implementation(options),
            backend.get_module_map(),
        )
        return str(source.make_ir(triton_driver.TARGET, options, implementation, modules, context))

    def _pickle(self, random: Random) -> None:
        """As torch does with a kernel that it compiles in another process."""
        kernel = triton.jit(self._function(random.choice(_KERNELS)))
        for name in ("fn", "__globals__", "used_global_vals", "_hash_lock"):
            setattr(kernel, name, None)
        same(pickle.loads(pickle.dumps(kernel)).src, kernel.src, "a pickled kernel's source")

    def _set_names(self, random: Random) -> None:
        """As a module does that is still being imported, or that counts something."""
        names, first = vars(self.functions), random.randrange(1 << 20)
        for number in range(_NAMES):
            names[f"name{first}_{number}"] = number
            del names[f"name{first}_{number}"]
