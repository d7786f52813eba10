"""Start `vllm serve` and ask it as a client does: `python3 serve.py FOLDER VLLM [ARGUMENT ...]`.

FOLDER and VLLM are those of run.py, which explains them; ARGUMENTs go to the server. Runs with an
ordinary Python 3.12 or later that has psutil; the client is the openai package beside that vLLM.
Prints one line of JSON: what it answered, tokens per second of 64 clients at once, and the state of
the GIL in each of the server's processes.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from snakedev.inside.bench.server import Server
from snakedev.inside.bench.turns import end
from snakedev.inside.plugin import snakedev_probe
from tools.gpu.run import interpreter, states, variables

_CLIENT = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
(model,) = client.models.list().data
def ask(prompt, tokens, **more):
    done = client.completions.create(
        model=model.id, prompt=prompt, max_tokens=tokens, temperature=0, **more)
    return done.choices[0].text, done.usage.completion_tokens
answers = [ask(prompt, 16)[0] for prompt in json.loads(sys.argv[2])]
said = client.chat.completions.create(model=model.id, max_tokens=24, temperature=0, messages=[
    {"role": "user", "content": "What is the capital of France?"}])
timed = lambda n: ask(f"{n}. Once upon a time", 64, extra_body={"ignore_eos": True})[1]
with ThreadPoolExecutor(64) as pool:
    list(pool.map(timed, range(64)))
    started = time.perf_counter()
    tokens = sum(pool.map(timed, range(256)))
    seconds = time.perf_counter() - started
print(json.dumps({"answers": answers, "chat": said.choices[0].message.content,
    "tokens_per_second": round(tokens / seconds)}))
"""


def serve(options: argparse.Namespace, arguments: list[str]) -> dict:
    """What the server answers; raises TurnError with the end of its log when it does not start."""
    environment = variables(options.folder, options.vllm)
    environment |= dict(setting.split("=", 1) for setting in options.set)
    python = interpreter(options.folder, options.vllm)
    model = options.model or options.folder / "model"
    common = [f"--model={model}", "--max-model-len=2048", "--max-num-seqs=512", *arguments]
    server = Server(options.vllm, python, common, environment, options.log.absolute())
    try:
        server.wait()
        asked = json.loads((options.folder / "manifest.json").read_bytes())["request"]["prompts"]
        client = [python, "-c", _CLIENT, server.url, json.dumps(asked)]
        said = subprocess.run(client, env=environment, stdout=subprocess.PIPE, check=True)
        return {
            "vllm": options.vllm,
            "arguments": arguments,
            **json.loads(said.stdout),
            "processes": [
                states(one) for one in snakedev_probe.ask(environment[snakedev_probe.VARIABLE])
            ],
        }
    finally:
        end(server.process)


def main() -> None:
    """Serve, ask, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("vllm")
    parser.add_argument("--log", type=Path, default=Path("serve.log"))
    parser.add_argument("--model", type=lambda text: Path(text).absolute())
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options, arguments = parser.parse_known_args()
    print(json.dumps(serve(options, arguments)))


if __name__ == "__main__":
    main()
