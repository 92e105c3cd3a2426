"""A real llama.cpp server, https://github.com/ggml-org/llama.cpp/tree/master/tools/server, and a model of a megabyte to put into it.

Run by the interpreter that has the libraries (https://pypi.org/project/xllamacpp and https://pypi.org/project/gguf), whose types are not at
hand here: ``write MODEL`` makes the model's file, ``serve MODEL PORT KEY …`` serves it on loopback. It knows nothing of rooroute.

The model's layer adds nothing, so that each token alone decides the next one. What it says depends on a prompt's last character: after a
full stop it says ``SAID``, after an exclamation mark ``ENDLESS`` words, after a question mark it calls two tools, as the template has it.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

SAID: Final = "Hello, Wörld 👋! A real server answers."
ENDLESS: Final = (" on", " and")
WINDOW: Final = 16_384
TRAINED_FOR: Final = 131_072
NAME: Final = "tiny"

_UNKNOWN, _CONTROL, _NORMAL, _BYTE = 2, 3, 1, 6
_BYTES: Final = [f"<0x{byte:02X}>" for byte in range(256)]
_WORDS: Final = ["Hello", ",", " Wörld", " ", "! A", " real", " server", " answers."]
_WAVE: Final = [_BYTES[byte] for byte in "👋".encode()]  # cut inside a character
_CALLS: Final = [
    '<tool_call>\n{"name": "', "get_weather", '", "arguments": ', '{"city": "', "Zürich", '"}', "}\n</tool_call>",
    "\n<tool_call>", '\n{"name": "get_time", ', '"arguments": {}', "}\n</tool", "_call>",
]  # fmt: skip
_WIDTH: Final = 320
_HEADS: Final = 10
_FORWARD: Final = 32
_SURE: Final = 3.0

TOKENS: Final = ["<unk>", "<s>", "</s>", *_BYTES, *_WORDS, *ENDLESS, *_CALLS]
CHAINS: Final = (
    [_BYTES[ord(".")], *_WORDS[:4], *_WAVE, *_WORDS[4:], "</s>"],
    [_BYTES[ord("!")], *ENDLESS, ENDLESS[0]],
    [_BYTES[ord("?")], *_CALLS, "</s>"],
)
# The way of Hermes 2 Pro, https://github.com/NousResearch/Hermes-Function-Calling: the server learns from it how calls are written.
TEMPLATE: Final = """
{%- for tool in tools or [] %}{{- tool | tojson }}{%- endfor %}
{%- for message in messages %}
  {%- if message.role == 'assistant' and message.tool_calls %}
    {%- for call in message.tool_calls %}
      {{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\n</tool_call>' }}
    {%- endfor %}
  {%- elif message.role == 'tool' %}{{- '<tool_response>' + message.content + '</tool_response>.' }}
  {%- else %}{{- message.content }}
  {%- endif %}
{%- endfor %}
"""


def write(path: str) -> None:
    """One layer of zeros, an embedding that gives each token a place of its own, and an output that names its successor."""
    gguf: Any = import_module("gguf")
    numpy: Any = import_module("numpy")
    place = {token: at for at, token in enumerate(TOKENS)}
    embedding = numpy.eye(len(TOKENS), _WIDTH, dtype=numpy.float32)
    output = numpy.zeros((len(TOKENS), _WIDTH), dtype=numpy.float32)
    for chain in CHAINS:
        for token, following in pairwise(chain):
            output[place[following], place[token]] = _SURE
    file = gguf.GGUFWriter(path, "llama")
    _describe(file)
    file.add_tensor("token_embd.weight", embedding)
    file.add_tensor("output.weight", output)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        file.add_tensor(f"{name}.weight", numpy.ones(_WIDTH, dtype=numpy.float32))
    small = _WIDTH // _HEADS
    shapes = {
        "attn_q": (_WIDTH, _WIDTH), "attn_k": (small, _WIDTH), "attn_v": (small, _WIDTH), "attn_output": (_WIDTH, _WIDTH),
        "ffn_gate": (_FORWARD, _WIDTH), "ffn_up": (_FORWARD, _WIDTH), "ffn_down": (_WIDTH, _FORWARD),
    }  # fmt: skip
    for name, shape in shapes.items():
        file.add_tensor(f"blk.0.{name}.weight", numpy.zeros(shape, dtype=numpy.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _describe(file: Any) -> None:
    file.add_name(NAME)
    file.add_context_length(TRAINED_FOR)
    file.add_embedding_length(_WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(_FORWARD)
    file.add_head_count(_HEADS)
    file.add_head_count_kv(1)
    file.add_rope_dimension_count(_WIDTH // _HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_tokenizer_model("llama")
    file.add_token_list([token.replace(" ", "\u2581").encode() for token in TOKENS])
    file.add_token_scores([0.0] * len(TOKENS))
    words = len(TOKENS) - 3 - len(_BYTES)
    file.add_token_types([_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * len(_BYTES), *[_NORMAL] * words])
    file.add_bos_token_id(TOKENS.index("<s>"))
    file.add_eos_token_id(TOKENS.index("</s>"))
    file.add_unk_token_id(TOKENS.index("<unk>"))
    file.add_chat_template(TEMPLATE.strip())


def serve(path: str, port: str, *keys: str) -> None:
    """Serve until killed. Like ``llama-server`` it answers from the beginning, and with 503 until the model is loaded."""
    xllamacpp: Any = import_module("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path = path
    settings.model_alias = {NAME}
    settings.hostnames = ["127.0.0.1"]
    settings.port = int(port)
    settings.api_keys = list(keys)
    settings.n_parallel = 2
    settings.n_ctx = WINDOW * settings.n_parallel
    settings.warmup = False
    settings.use_jinja = True
    server = xllamacpp.Server(settings)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    wish, model, *rest = sys.argv[1:]
    serve(model, *rest) if wish == "serve" else write(model)
