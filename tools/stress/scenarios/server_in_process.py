"""The server of one process: engine core in a thread, and event loops in several others."""

import asyncio
import itertools
import os
import threading

from stress.scenarios import server

_LOOPS = 2


class Stress(server.Stress):
    """As `server`, without other processes, and with several event loops that share the engine."""

    def set_up(self) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        self.turn = itertools.count()
        self.others: list[tuple[asyncio.AbstractEventLoop, threading.Thread]] = []
        self.further: list[tuple[server.Http, object]] = []
        super().set_up()

    async def _start(self) -> None:
        await super()._start()
        for index in range(1, _LOOPS):
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name=f"server-{index}", daemon=True)
            thread.start()
            self.others.append((loop, thread))
            further = asyncio.run_coroutine_threadsafe(self._serve(index), loop)
            self.further.append(await asyncio.wrap_future(further))
        self.ports = [self.http.port, *(http.port for http, _ in self.further)]

    async def _serve(self, index: int) -> tuple[server.Http, object]:
        engine = self.engine.for_event_loop(index)
        return await server.Http.start(engine, self.setting.model), engine

    async def _stop(self) -> None:
        for (loop, _), (http, engine) in zip(self.others, self.further, strict=True):
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(http.stop(), loop))
            engine.shutdown()  # type: ignore[attr-defined]
        await super()._stop()

    def tear_down(self) -> None:
        super().tear_down()
        for loop, thread in self.others:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _port(self) -> int:
        return self.ports[next(self.turn) % len(self.ports)]
