"""OpenAI's own client, used as its documentation says. Ends with a traceback at the first surprise."""

import json
import os

import openai

QUESTION = "How many days of annual leave do I get in my first year?"
ASKED = [{"role": "user", "content": QUESTION}]

local = openai.OpenAI(base_url=os.environ["LOCAL"], api_key=os.environ["LOCAL_TOKEN"], max_retries=0)
remote = openai.OpenAI(base_url=os.environ["REMOTE"], api_key=os.environ["REMOTE_TOKEN"], max_retries=0)

# Models.
names = [model.id for model in local.models.list()]
assert names == ["smollm2-135m", "embedding", "carrel"], names
assert local.models.retrieve("smollm2-135m").id == "smollm2-135m"

# The small model on its own, whole and streamed: greedy, so both say the same.
alone = {"carrel": {"retrieval": False}}
whole = local.chat.completions.create(
    model="smollm2-135m", messages=ASKED, max_tokens=12, extra_body=alone
)
assert whole.choices[0].message.content.strip()
assert whole.choices[0].finish_reason in ("stop", "length")
assert 0 < whole.usage.completion_tokens <= 12 and whole.usage.prompt_tokens > 10
pieces, usage = [], None
for chunk in local.chat.completions.create(
    model="smollm2-135m",
    messages=ASKED,
    max_completion_tokens=12,
    stream=True,
    stream_options={"include_usage": True},
    extra_body=alone,
):
    if chunk.choices:
        pieces.append(chunk.choices[0].delta.content or "")
    usage = chunk.usage or usage
assert "".join(pieces) == whole.choices[0].message.content, pieces
assert usage.completion_tokens == whole.usage.completion_tokens

# The small model over documents: whatever it makes of them, its answer says what it rests on.
answer = local.chat.completions.create(model="carrel", messages=ASKED)
ours = answer.choices[0].message.carrel
assert ours["retrieval"] is True and ours["state"] in ("finished", "refused"), ours
assert bool(ours["citations"]) == (ours["state"] == "finished"), ours

# A good answer is cited, whole and streamed.
answer = remote.chat.completions.create(model="carrel", messages=ASKED)
message = answer.choices[0].message
assert message.content.endswith("24 days of annual leave. [1]"), message.content
assert message.carrel["supported"] is True
citation = message.carrel["citations"][0]
assert citation["title"] == "Employee Handbook" and "24 days" in citation["quote"], citation
last, text = None, ""
with remote.chat.completions.create(model="carrel", messages=ASKED, stream=True) as stream:
    for chunk in stream:
        text += chunk.choices[0].delta.content or ""
        last = chunk
assert "24 days of annual leave" in text, text
assert last.choices[0].finish_reason == "stop"
assert last.carrel["citations"][0]["title"] == "Employee Handbook", last

# Functions.
tide = {
    "type": "function",
    "function": {
        "name": "tide",
        "description": "Height of the tide in metres.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}
for choice in ("auto", "required", {"type": "function", "function": {"name": "tide"}}):
    called = remote.chat.completions.create(
        model="carrel", messages=ASKED, tools=[tide], tool_choice=choice
    ).choices[0]
    assert called.finish_reason == "tool_calls", called
    call = called.message.tool_calls[0]
    assert call.function.name == "tide" and json.loads(call.function.arguments) == {"at": "Pier 4"}, call
calls = []
for chunk in remote.chat.completions.create(model="carrel", messages=ASKED, tools=[tide], stream=True):
    calls += chunk.choices[0].delta.tool_calls or []
    last = chunk
assert [(call.index, call.function.name) for call in calls] == [(0, "tide")], calls
assert last.choices[0].finish_reason == "tool_calls", last

# Shaped answers.
schema = {"type": "object", "properties": {"annual_leave_days": {"type": "integer"}}, "required": ["annual_leave_days"]}
shaped = remote.chat.completions.create(
    model="carrel",
    messages=ASKED,
    response_format={"type": "json_schema", "json_schema": {"name": "leave", "schema": schema}},
)
assert json.loads(shaped.choices[0].message.content) == {"annual_leave_days": 24}, shaped
shaped = remote.chat.completions.create(model="carrel", messages=ASKED, response_format={"type": "json_object"})
assert json.loads(shaped.choices[0].message.content) == {"annual_leave_days": 24}, shaped

# Embeddings: the client asks for base64 unless told otherwise, and reads both.
packed = local.embeddings.create(model="embedding", input=["annual leave", "the quay"])
plain = local.embeddings.create(model="embedding", input="annual leave", encoding_format="float")
assert len(packed.data) == 2 and len(packed.data[0].embedding) == 384
assert sum(a * b for a, b in zip(packed.data[0].embedding, plain.data[0].embedding)) > 0.999
assert plain.usage.prompt_tokens >= 2

# What goes wrong arrives as the client's own errors.
try:
    openai.OpenAI(base_url=os.environ["LOCAL"], api_key="crl_wrong", max_retries=0).models.list()
    raise SystemExit("a wrong token was taken")
except openai.AuthenticationError as error:
    assert error.code == "invalid_api_key" and error.request_id, error
try:
    local.chat.completions.create(model="gpt-9", messages=ASKED)
    raise SystemExit("an unknown model was taken")
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and error.param == "model", error
try:
    local.chat.completions.create(model="carrel", messages=ASKED, n=2)
    raise SystemExit("two answers were promised")
except openai.BadRequestError as error:
    assert error.param == "n", error

print("all as expected")
