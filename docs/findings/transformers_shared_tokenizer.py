"""Reproducer for transformers-shared-tokenizer.md: `python FILE [SECONDS]`.

Needs transformers and tokenizers, no model. Exit status 1 says that a plain encode was wrong.
"""

import sys
import threading
import time
from collections import Counter

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

WORDS = [f"w{number}" for number in range(64)]
TEXT = " ".join(WORDS)
backend = Tokenizer(WordLevel({word: number for number, word in enumerate([*WORDS, "?"])}, "?"))
backend.pre_tokenizer = Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?", pad_token="?")

end = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 5)
plain = tokenizer(TEXT)["input_ids"]
cut = tokenizer(TEXT, truncation=True, max_length=7)["input_ids"]
counts = [Counter() for _ in range(4)]


def work(number: int) -> None:
    count = counts[number]
    while time.monotonic() < end:
        try:
            if number % 2:
                right = tokenizer(TEXT)["input_ids"] == plain
                count["encode right" if right else "encode WRONG"] += 1
            else:
                got = tokenizer(TEXT, truncation=True, max_length=7)["input_ids"]
                count["truncate right" if got == cut else "truncate WRONG"] += 1
        except Exception as error:
            count[f"{type(error).__name__}: {error}"] += 1


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
total = sum(counts, Counter())
print(f"GIL {'on' if sys._is_gil_enabled() else 'off'}: {dict(total)}")
sys.exit(int(total["encode WRONG"] > 0))
