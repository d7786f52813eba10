"""pyzmq and msgspec: one context for all threads, sockets of one thread each, as in vLLM."""

import itertools
import threading
from collections.abc import Mapping
from random import Random

import msgspec
import zmq

from stress.scenario import Operation, Scenario, same

_TIMEOUT = 20_000  # milliseconds
_INBOX = "inproc://stress-inbox"


class Message(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """What is sent: as vLLM's requests to its engine are."""

    number: int
    name: str
    values: list[int]
    more: dict[str, float] | None = None


class Stress(Scenario):
    """Threads ask a thread that answers, over sockets and a codec that they share or make."""

    def set_up(self) -> None:
        self.context = zmq.Context(io_threads=2)
        self.encoder, self.decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Message)
        self.names = itertools.count()
        self.local = threading.local()
        router = self.context.socket(zmq.ROUTER)
        router.bind(_INBOX)
        self.stop = self.context.socket(zmq.PAIR)
        self.stop.bind("inproc://stress-stop")
        self.server = threading.Thread(target=self._serve, args=(router,), daemon=True)
        self.server.start()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "ask": self._ask,
            "fresh pair": self._fresh_pair,
            "codec": self._codec,
        }

    def tear_down(self) -> None:
        self.stop.send(b"")
        self.server.join()
        self.stop.close()
        self.context.destroy(linger=0)

    def _serve(self, router: zmq.Socket) -> None:
        stop = self.context.socket(zmq.PAIR)
        stop.connect("inproc://stress-stop")
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(stop, zmq.POLLIN)
        while stop not in dict(poller.poll()):
            identity, *frames = router.recv_multipart(copy=False)
            router.send_multipart([identity, *frames], copy=False)
        stop.close()
        router.close()

    def _socket(self) -> zmq.Socket:
        """This thread's own socket to the one that answers."""
        if not hasattr(self.local, "socket"):
            self.local.socket = self._made(zmq.DEALER)
            self.local.socket.connect(_INBOX)
        return self.local.socket

    def _made(self, kind: int) -> zmq.Socket:
        made = self.context.socket(kind)
        made.rcvtimeo = made.sndtimeo = _TIMEOUT
        return made

    def _message(self, random: Random) -> Message:
        number = random.randrange(1 << 40)
        values = [random.randrange(1 << 16) for _ in range(random.randrange(200))]
        return Message(number, f"request-{number}", values, {"t": number / 7})

    def _ask(self, random: Random) -> None:
        socket, sent = self._socket(), self._message(random)
        socket.send_multipart([b"add", self.encoder.encode(sent)], copy=random.random() < 0.5)
        kind, body = socket.recv_multipart(copy=False)
        same(kind.bytes, b"add", "the answer's kind")
        same(self.decoder.decode(body.buffer), sent, "the answer")

    def _fresh_pair(self, random: Random) -> None:
        address = f"inproc://stress-{next(self.names)}"
        with self._made(zmq.PULL) as pull, self._made(zmq.PUSH) as push:
            pull.bind(address)
            push.connect(address)
            sent = [self._message(random) for _ in range(5)]
            for message in sent:
                push.send(self.encoder.encode(message))
            same([self.decoder.decode(pull.recv()) for _ in sent], sent, "what was sent")

    def _codec(self, random: Random) -> None:
        sent = self._message(random)
        same(self.decoder.decode(self.encoder.encode(sent)), sent, "a message decoded")
