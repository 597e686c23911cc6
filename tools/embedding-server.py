"""Serves all-MiniLM-L6-v2 as an OpenAI-compatible embedding endpoint on a free port of the loopback interface, with numpy alone.

    python3 tools/embedding-server.py MODEL_FOLDER [PYTHON_PACKAGES_FOLDER]

Prints one JSON line {"url": ".../v1", "model": ..., "dimensions": 384} when it is ready and ends when its standard input ends. It is made for measuring
search quality where no GPU and no machine-learning framework can be had, not for serving anybody.
"""
import json
import os
import sys
import threading
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if len(sys.argv) > 2:
    sys.path.insert(0, sys.argv[2])
import numpy as np  # noqa: E402  (found in the folder that was just named)

NAME = "all-MiniLM-L6-v2"
MAX_TOKENS = 256
MAX_BODY_BYTES = 16 * 1024 * 1024
CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2FA1F), (0xF900, 0xFAFF)]


def words_of(text):
    """As BERT reads uncased text: no accents, every CJK character and every sign by itself."""
    word = []
    for char in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(char)
        if category == "Mn" or char in "\0\ufffd":
            continue
        alone = any(low <= ord(char) <= high for low, high in CJK) or category.startswith("P") or (ord(char) < 128 and not char.isalnum() and char > " ")
        if alone or char.isspace() or category.startswith("C"):
            if word:
                yield "".join(word)
                word = []
            if alone:
                yield char
        else:
            word.append(char)
    if word:
        yield "".join(word)


class Tokeniser:
    def __init__(self, folder):
        with open(os.path.join(folder, "vocab.txt"), encoding="utf-8") as file:
            self.ids = {line.rstrip("\n"): number for number, line in enumerate(file)}

    def pieces(self, word):
        found, at = [], 0
        while at < len(word):
            for end in range(len(word), at, -1):
                number = self.ids.get(("##" if at else "") + word[at:end])
                if number is not None:
                    found.append(number)
                    at = end
                    break
            else:
                return [self.ids["[UNK]"]]
        return found

    def __call__(self, text):
        numbers = []
        for word in words_of(text):
            numbers += self.pieces(word) if len(word) <= 100 else [self.ids["[UNK]"]]
            if len(numbers) >= MAX_TOKENS - 2:
                break
        return [self.ids["[CLS]"], *numbers[: MAX_TOKENS - 2], self.ids["[SEP]"]]


def load_tensors(path):
    """The safetensors format: the length of a JSON header, the header, the bytes."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    kinds = {"F32": np.float32, "I64": np.int64, "F16": np.float16}
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            tensors[name] = np.frombuffer(data[begin:end], dtype=kinds[about["dtype"]]).reshape(about["shape"])
    return tensors


def erf(x):
    """Abramowitz and Stegun 7.1.26: right to 1.5e-7, which is what a float of 32 bits holds."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - poly * np.exp(-x * x))


class Model:
    def __init__(self, folder):
        self.tokenise = Tokeniser(folder)
        self.tensors = load_tensors(os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        self.layers, self.heads, self.width = config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"]

    def linear(self, x, name):
        return x @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]

    def norm(self, x, name):
        mean, spread = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(spread + 1e-12) * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def embed(self, text):
        ids = self.tokenise(text)
        table = self.tensors
        x = table["embeddings.word_embeddings.weight"][ids] + table["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + table["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        size = self.width // self.heads
        split = lambda y: y.reshape(len(ids), self.heads, size).transpose(1, 0, 2)  # noqa: E731
        for number in range(self.layers):
            layer = f"encoder.layer.{number}."
            query, key, value = (split(self.linear(x, f"{layer}attention.self.{part}")) for part in ("query", "key", "value"))
            weights = query @ key.transpose(0, 2, 1) / np.sqrt(size)
            weights = np.exp(weights - weights.max(-1, keepdims=True))
            mixed = (weights / weights.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), self.width)
            x = self.norm(x + self.linear(mixed, layer + "attention.output.dense"), layer + "attention.output.LayerNorm")
            inner = self.linear(x, layer + "intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
            x = self.norm(x + self.linear(inner, layer + "output.dense"), layer + "output.LayerNorm")
        mean = x.mean(0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


def handler_of(model):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):  # noqa: N802  (the name is the library's)
            try:
                size = int(self.headers.get("content-length", 0))
                if self.path != "/v1/embeddings" or not 0 < size <= MAX_BODY_BYTES:
                    return self.answer(400, {"error": {"message": "POST /v1/embeddings with a JSON body"}})
                texts = json.loads(self.rfile.read(size))["input"]
                texts = [texts] if isinstance(texts, str) else texts
                data = [{"object": "embedding", "index": n, "embedding": [float(v) for v in model.embed(text)]} for n, text in enumerate(texts)]
                return self.answer(200, {"object": "list", "model": NAME, "data": data})
            except (KeyError, TypeError, ValueError) as error:
                return self.answer(400, {"error": {"message": f"unreadable request: {error}"}})

        def answer(self, status, body):
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    return Handler


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(Model(sys.argv[1])))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/v1", "model": NAME, "dimensions": 384}), flush=True)
    sys.stdin.read()


main()
