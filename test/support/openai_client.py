"""OpenAI's own client for Python against a gateway: prints one line of JSON with what it saw. Arguments: base URL, key."""

import json
import sys

import openai
from openai import OpenAI

BASE_URL, KEY = sys.argv[1:]
MESSAGES = [{"role": "user", "content": "Is it raining?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
client = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)


def exactly(tokens):
    """An extension of simulated engines."""
    return {"extra_body": {"simulated_output_tokens": tokens}}


def models():
    return [model.id for model in client.models.list()] + [client.models.retrieve("chat").owned_by]


def chat():
    answer = client.chat.completions.create(model="chat", messages=MESSAGES, n=2, **exactly(6))
    return [[c.message.content for c in answer.choices][0], len(answer.choices), answer.usage.completion_tokens]


def stop():
    answer = client.completions.create(model="chat", prompt="x", stop="simulated", max_tokens=50)
    return [answer.choices[0].text, answer.choices[0].finish_reason]


def stream():
    text, usage = "", None
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model="chat", messages=MESSAGES, stream=True, stream_options=options, **exactly(6)):
        for choice in chunk.choices:
            text += choice.delta.content or ""
        usage = chunk.usage or usage
    return [text, usage.completion_tokens]


def tool():
    call = client.chat.completions.create(model="chat", messages=MESSAGES, tools=TOOLS).choices[0].message.tool_calls[0]
    return [call.function.name, json.loads(call.function.arguments)]


def streamed_tool():
    arguments = ""
    for chunk in client.chat.completions.create(model="chat", messages=MESSAGES, tools=TOOLS, stream=True):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            arguments += call.function.arguments or ""
    return json.loads(arguments)


def json_mode():
    answer = client.chat.completions.create(model="chat", messages=MESSAGES, response_format={"type": "json_object"})
    return json.loads(answer.choices[0].message.content)["simulated"]


def embeddings():
    answer = client.embeddings.create(model="chat", input=["sea", "sky"], dimensions=8)
    return [len(one.embedding) for one in answer.data] + [answer.usage.total_tokens]


def errors():
    wrong = OpenAI(base_url=BASE_URL, api_key="wrong", max_retries=0)
    attempts = [
        lambda: wrong.models.list(),
        lambda: client.chat.completions.create(model="none", messages=MESSAGES),
        lambda: client.chat.completions.create(model="chat", messages=MESSAGES, n=0),
        lambda: client.with_options(timeout=0.3).completions.create(model="chat", prompt="x", **exactly(5000)),
        lambda: list(client.completions.create(model="shed", prompt="x", stream=True)),
        lambda: client.completions.create(model="shed", prompt="x"),
    ]
    seen = []
    for attempt in attempts:
        try:
            attempt()
            seen.append("none")
        except openai.OpenAIError as error:
            seen.append([type(error).__name__, getattr(error, "code", None)])
    return seen


def cancelled():
    stream = client.completions.create(model="chat", prompt="x", stream=True, **exactly(5000))
    next(iter(stream))
    stream.close()
    return True


CHECKS = [models, chat, stop, stream, tool, streamed_tool, json_mode, embeddings, errors, cancelled]
print(json.dumps({check.__name__: check() for check in CHECKS}))
