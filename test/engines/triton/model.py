"""A model for Triton's Python backend that has the interface of Triton's vLLM backend, for tests of everything around a model.

It is: the same inputs, outputs, streaming, errors, cancellation, metrics and shutdown as `vllm_backend/src/model.py` has, with continuous
batching of at most `max_num_seqs` sequences and a step time of its own. Tokens are words, counted exactly, and depend on the prompt, the
`seed` and their position alone. It is not: a language model, an engine with weights or a KV cache of blocks, or a measure of speed.

Reads `model.json` beside it, as the vLLM backend does. Beside engine arguments it knows: `step_ms` of a decoding step, `prefill_ms` of each
prompt token, `load_seconds`, and `fail_to_load`, the words with which loading fails.
"""

import hashlib
import json
import os
import re
import threading
import time

import numpy as np
import triton_python_backend_utils as pb_utils

WORDS = "the sea is wide and its waves come home to shore while gulls cry over grey stones in morning light".split()
FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
INPUTS = [
    ("text_input", "TYPE_STRING", False),
    ("stream", "TYPE_BOOL", True),
    ("sampling_parameters", "TYPE_STRING", True),
    ("exclude_input_in_output", "TYPE_BOOL", True),
    ("return_finish_reason", "TYPE_BOOL", True),
    ("return_num_input_tokens", "TYPE_BOOL", True),
    ("return_num_output_tokens", "TYPE_BOOL", True),
]
OUTPUTS = [("text_output", "TYPE_STRING", -1), ("finish_reason", "TYPE_STRING", -1)] + [
    ("num_input_tokens", "TYPE_UINT32", 1),
    ("num_output_tokens", "TYPE_UINT32", -1),
]
# As vLLM's own defaults are.
DEFAULT_MAX_TOKENS = 16
DEFAULT_MAX_SEQUENCES = 256


def count_tokens(text):
    return max(1, len(re.findall(r"\w+|[^\w\s]", text)))


class Sequence:
    """One request on its way. Fails with ValueError where the request makes no sense."""

    def __init__(self, request, max_model_len):
        self.sender = request.get_response_sender()
        self.prompt = self._text(request, "text_input", "")
        self.stream = self._flag(request, "stream")
        exclude_input = self._flag(request, "exclude_input_in_output", None)
        if self.stream and exclude_input is False:
            raise ValueError("When streaming, `exclude_input_in_output` = False is not allowed.")
        self.prepend = not self.stream and not exclude_input
        self.wanted = {name for name, _, _ in INPUTS if name.startswith("return_") and self._flag(request, name)}
        parameters = json.loads(self._text(request, "sampling_parameters", "{}"))
        self.max_tokens = int(parameters.get("max_tokens") or DEFAULT_MAX_TOKENS)
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}.")
        if not 0 <= float(parameters.get("temperature", 1)):
            raise ValueError(f"temperature must be non-negative, got {parameters['temperature']}.")
        stop = parameters.get("stop") or []
        self.stop = [stop] if isinstance(stop, str) else stop
        self.input_tokens = count_tokens(self.prompt)
        if self.input_tokens > max_model_len:
            raise ValueError(f"The prompt (length {self.input_tokens}) is longer than the maximum model length of {max_model_len}.")
        self.max_tokens = min(self.max_tokens, max_model_len - self.input_tokens + 1)
        self.key = f"{parameters.get('seed')} {self.prompt}"
        self.ends_after = None if parameters.get("ignore_eos") else 24 + self._number("end") % 200
        self.began = time.monotonic()
        self.words = []
        self.text = ""
        self.sent_text = 0
        self.sent_tokens = 0
        self.reason = None

    @staticmethod
    def _text(request, name, absent):
        tensor = pb_utils.get_input_tensor_by_name(request, name)
        return absent if tensor is None else tensor.as_numpy().reshape(-1)[0].decode("utf-8")

    @staticmethod
    def _flag(request, name, absent=False):
        tensor = pb_utils.get_input_tensor_by_name(request, name)
        return absent if tensor is None else bool(tensor.as_numpy().reshape(-1)[0])

    def _number(self, what):
        return int.from_bytes(hashlib.blake2b(f"{what} {self.key}".encode(), digest_size=4).digest(), "big")

    def advance(self):
        """Makes the next token."""
        if self.ends_after is not None and len(self.words) >= self.ends_after:
            self.reason = "stop"
            return
        self.words.append(WORDS[self._number(len(self.words)) % len(WORDS)])
        self.text += (" " if self.text else "") + self.words[-1]
        found = [at for at in (self.text.find(word) for word in self.stop) if at >= 0]
        if found:
            self.text, self.reason = self.text[: min(found)], "stop"
        elif len(self.words) >= self.max_tokens:
            self.reason = "length"

    def send(self):
        """What is new, or when it is over and the request does not stream, all of it."""
        if not self.stream and not self.reason:
            return
        text = (self.prompt if self.prepend else "") + self.text[self.sent_text :]
        tensors = [pb_utils.Tensor("text_output", np.array([text.encode()], dtype=np.object_))]
        if "return_finish_reason" in self.wanted:
            tensors.append(pb_utils.Tensor("finish_reason", np.array([str(self.reason).encode()], dtype=np.object_)))
        if "return_num_input_tokens" in self.wanted:
            tensors.append(pb_utils.Tensor("num_input_tokens", np.array([self.input_tokens], dtype=np.uint32)))
        if "return_num_output_tokens" in self.wanted:
            tensors.append(pb_utils.Tensor("num_output_tokens", np.array([len(self.words) - self.sent_tokens], dtype=np.uint32)))
        self.sent_text, self.sent_tokens = len(self.text), len(self.words)
        self.sender.send(pb_utils.InferenceResponse(output_tensors=tensors), flags=FINAL if self.reason else 0)


class Metrics:
    """Those that the vLLM backend reports with REPORT_CUSTOM_METRICS, as far as tests read them."""

    def __init__(self, labels):
        kinds = pb_utils.MetricFamily
        self._families = []

        def metric(name, kind, **more):
            family = kinds(name=name, description=name, kind=kind)
            self._families.append(family)
            return family.Metric(labels=labels, **more)

        self.prompt_tokens = metric("vllm:prompt_tokens_total", kinds.COUNTER)
        self.generation_tokens = metric("vllm:generation_tokens_total", kinds.COUNTER)
        self.preemptions = metric("vllm:num_preemptions_total", kinds.COUNTER)
        self.running = metric("vllm:num_requests_running", kinds.GAUGE)
        self.waiting = metric("vllm:num_requests_waiting", kinds.GAUGE)
        self.cache_usage = metric("vllm:gpu_cache_usage_perc", kinds.GAUGE)
        self.latency = metric("vllm:e2e_request_latency_seconds", kinds.HISTOGRAM, buckets=[0.3, 1.0, 10.0, 60.0])


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        given = config.as_dict()
        names = {tensor["name"] for tensor in given["input"] + given["output"]}
        for name, kind, optional in INPUTS:
            if name not in names:
                config.add_input({"name": name, "data_type": kind, "dims": [1], **({"optional": True} if optional else {})})
        for name, kind, size in OUTPUTS:
            if name not in names:
                config.add_output({"name": name, "data_type": kind, "dims": [size]})
        config.set_model_transaction_policy({"decoupled": True})
        config.set_max_batch_size(0)
        return config

    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        with open(os.path.join(folder, "model.json"), encoding="utf8") as file:
            engine = json.load(file)
        time.sleep(float(engine.get("load_seconds", 0)))
        if "fail_to_load" in engine:
            raise ValueError(engine["fail_to_load"])
        self.step_seconds = float(engine.get("step_ms", 5)) / 1000
        self.prefill_seconds = float(engine.get("prefill_ms", 0.02)) / 1000
        self.max_sequences = int(engine.get("max_num_seqs", DEFAULT_MAX_SEQUENCES))
        self.max_model_len = int(engine.get("max_model_len", 8192))
        parameters = json.loads(args["model_config"]).get("parameters", {})
        reports = parameters.get("REPORT_CUSTOM_METRICS", {}).get("string_value", "").lower() == "true"
        self.metrics = Metrics({"model": args["model_name"], "version": args["model_version"]}) if reports else None
        self.changed = threading.Condition()
        self.waiting = []
        self.running = []
        self.ending = False
        self.engine = threading.Thread(target=self._run)
        self.engine.start()

    def execute(self, requests):
        for request in requests:
            try:
                sequence = Sequence(request, self.max_model_len)
            except Exception as error:
                failure = pb_utils.TritonError(f"Error generating stream: {error}")
                request.get_response_sender().send(pb_utils.InferenceResponse(error=failure), flags=FINAL)
                continue
            with self.changed:
                self.waiting.append(sequence)
                self.changed.notify()
        return None

    def finalize(self):
        """Ends when the last request has."""
        with self.changed:
            self.ending = True
            self.changed.notify()
        self.engine.join()

    def _run(self):
        due = time.monotonic()
        while True:
            with self.changed:
                while not self.waiting and not self.running:
                    self._measure(0, 0)
                    if self.ending:
                        return
                    self.changed.wait()
                admitted = self.waiting[: self.max_sequences - len(self.running)]
                del self.waiting[: len(admitted)]
                self.running += admitted
            prefilled = sum(sequence.input_tokens for sequence in admitted)
            due = max(due, time.monotonic()) + self.step_seconds + prefilled * self.prefill_seconds
            time.sleep(max(0, due - time.monotonic()))
            self._step(prefilled)

    def _step(self, prefilled):
        made = 0
        for sequence in self.running:
            if sequence.sender.is_cancelled():
                sequence.reason = "abort"
                cancelled = pb_utils.TritonError("Request was cancelled", pb_utils.TritonError.CANCELLED)
                sequence.sender.send(pb_utils.InferenceResponse(error=cancelled), flags=FINAL)
                continue
            before = len(sequence.words)
            sequence.advance()
            made += len(sequence.words) - before
            if sequence.reason and self.metrics:
                self.metrics.latency.observe(time.monotonic() - sequence.began)
            sequence.send()
        self.running = [sequence for sequence in self.running if not sequence.reason]
        self._measure(prefilled, made)

    def _measure(self, prefilled, made):
        if not self.metrics:
            return
        if prefilled:
            self.metrics.prompt_tokens.increment(prefilled)
        if made:
            self.metrics.generation_tokens.increment(made)
        self.metrics.running.set(len(self.running))
        self.metrics.waiting.set(len(self.waiting))
        self.metrics.cache_usage.set(min(1.0, sum(s.input_tokens + len(s.words) for s in self.running) / 1e5))
