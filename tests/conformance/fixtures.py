"""What the conformance suite asks a server to have, added to the real one. For tests alone.

The suite names everything here and says what it must answer (its own descriptions, version
0.2.0-alpha.12). What is under test is the rest: our transports, middleware and SDK.
"""

import base64
import json
import warnings
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import anyio
from mcp import MCPDeprecationWarning, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    MissingRequiredClientCapabilityErrorData,
    SamplingCapability,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field, JsonValue

from geekai_video_mcp.app import App

Ctx = Context[App]
A = TypeVar("A", bound=BaseModel)
PNG: Final = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
    )
).decode()
"""One red pixel."""
WAV: Final = base64.b64encode(
    b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\2\0\0\0\0\0"
).decode()
"""One sample of silence."""
STEP: Final = 0.05
"""Seconds between two signs of life, as the suite suggests."""


def add_to(server: MCPServer[App]) -> None:
    """Give *server* every tool, resource and prompt that a scenario calls by name."""
    for tool in (*CONTENT, *TALK, *INPUT):
        server.add_tool(tool, description=f"For the conformance suite: {tool.__name__}")
    _with_schema(server)
    _resources(server)
    _prompts(server)


# Content of each kind.


def test_simple_text() -> str:
    return "This is a simple text response for testing."


def test_image_content() -> ImageContent:
    return ImageContent(data=PNG, mime_type="image/png")


def test_audio_content() -> AudioContent:
    return AudioContent(data=WAV, mime_type="audio/wav")


def test_embedded_resource() -> EmbeddedResource:
    return _embedded("test://embedded-resource", "This is an embedded resource content.")


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    return [
        TextContent(text="Multiple content types test:"),
        test_image_content(),
        _embedded(
            "test://mixed-content-resource",
            '{"test":"data","value":123}',
            mime_type="application/json",
        ),
    ]


def test_error_handling() -> str:
    msg = "This tool intentionally returns an error for testing"
    raise ToolError(msg)


def test_custom_headers(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    return region


CONTENT: Final[list[Callable[..., Any]]] = [
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_custom_headers,
]


# Talk with the client while a call is under way.


async def test_tool_with_progress(ctx: Ctx) -> str:
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100, f"{progress} of 100")
        await anyio.sleep(STEP)
    return "done"


async def test_sampling(prompt: str, ctx: Ctx) -> str:
    with warnings.catch_warnings(action="ignore", category=MCPDeprecationWarning):
        result = await ctx.session.create_message(  # pyright: ignore[reportDeprecated] - the scenario is about it
            messages=[_asked(prompt)],
            max_tokens=100,
            # By the call's own stream: the other one may not be open yet, and loses it.
            related_request_id=ctx.request_id,
        )
    return f"LLM response: {_words(result)}"


class Person(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = (
        "active"
    )
    verified: bool = True


def _one_of(form: str, titles: dict[str, str]) -> dict[str, JsonValue]:
    return {form: [{"const": value, "title": title} for value, title in titles.items()]}


OPTIONS: Final[list[JsonValue]] = ["option1", "option2", "option3"]
TITLES: Final = {"value1": "First", "value2": "Second", "value3": "Third"}


CHOICE: Final[dict[str, JsonValue]] = {"enum": OPTIONS}
CHOICES: Final[dict[str, JsonValue]] = {"items": {"type": "string", "enum": OPTIONS}}
LEGACY: Final[dict[str, JsonValue]] = {**CHOICE, "enumNames": ["One", "Two", "Three"]}


class Enums(BaseModel):
    """Named as the suite names them."""

    untitledSingle: Annotated[str, Field(json_schema_extra=CHOICE)]  # noqa: N815
    titledSingle: Annotated[str, Field(json_schema_extra=_one_of("oneOf", TITLES))]  # noqa: N815
    legacyEnum: Annotated[str, Field(json_schema_extra=LEGACY)]  # noqa: N815
    untitledMulti: Annotated[list[str], Field(json_schema_extra=CHOICES)]  # noqa: N815
    titledMulti: Annotated[  # noqa: N815
        list[str], Field(json_schema_extra={"items": _one_of("anyOf", TITLES)})
    ]


async def test_elicitation(message: str, ctx: Ctx) -> str:
    return await _elicit(ctx, message, Person)


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
    return await _elicit(ctx, "Are these right?", Defaults)


async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
    return await _elicit(ctx, "Choose", Enums)


async def _elicit(ctx: Ctx, message: str, schema: type[BaseModel]) -> str:
    answer = await ctx.elicit(message, schema)
    content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
    return f"Elicitation completed: action={answer.action}, content={content}"


async def test_logging_tool() -> str:
    return "This server logs to stderr and never to its client."


async def test_trigger_tool_change(ctx: Ctx) -> str:
    await ctx.notify_tools_changed()
    return "told"


async def test_trigger_prompt_change(ctx: Ctx) -> str:
    await ctx.notify_prompts_changed()
    return "told"


def test_missing_capability(ctx: Ctx) -> str:
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        needed = ClientCapabilities(sampling=SamplingCapability())
        data = MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="sampling is needed",
            data=data.model_dump(mode="json", by_alias=True, exclude_none=True),
        )
    return "sampling is there"


TALK: Final[list[Callable[..., Any]]] = [
    test_tool_with_progress,
    test_logging_tool,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    test_missing_capability,
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
]


# Ask the client in the answer itself (2026-07-28).


def test_input_required_result_elicitation(ctx: Ctx) -> InputRequiredResult | str:
    answer = _answer(ctx, "user_name", ElicitResult)
    if answer is None or "name" not in (answer.content or {}):
        return _ask(user_name=_form("What is your name?", "name"))
    return f"Hello, {(answer.content or {})['name']}!"


def test_input_required_result_sampling(ctx: Ctx) -> InputRequiredResult | str:
    answer = _answer(ctx, "capital_question", CreateMessageResult)
    if answer is None:
        return _ask(capital_question=_sample("What is the capital of France?", 100))
    return _words(answer)


def test_input_required_result_list_roots(ctx: Ctx) -> InputRequiredResult | str:
    answer = _answer(ctx, "client_roots", ListRootsResult)
    if answer is None:
        return _ask(client_roots=ListRootsRequest())
    return ", ".join(str(root.uri) for root in answer.roots)


def test_input_required_result_request_state(ctx: Ctx) -> InputRequiredResult | str:
    if ctx.request_state != "asked" or _answer(ctx, "confirm", ElicitResult) is None:
        return _ask("asked", confirm=_form("Please confirm", "ok", kind="boolean"))
    return "state-ok"


def test_input_required_result_multiple_inputs(ctx: Ctx) -> InputRequiredResult | str:
    given = ctx.input_responses or {}
    requests: dict[str, InputRequest] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if requests.keys() - given.keys():
        return InputRequiredResult(input_requests=requests, request_state="asked")
    return "all here"


def test_input_required_result_multi_round(ctx: Ctx) -> InputRequiredResult | str:
    if ctx.request_state == "round 2" and _answer(ctx, "step2", ElicitResult):
        return "done"
    if ctx.request_state == "round 1" and _answer(ctx, "step1", ElicitResult):
        return _ask("round 2", step2=_form("Step 2: What is your favorite color?", "color"))
    return _ask("round 1", step1=_form("Step 1: What is your name?", "name"))


def test_input_required_result_tampered_state(ctx: Ctx) -> InputRequiredResult | str:
    # The SDK seals every state and refuses one that was changed, before this runs.
    return test_input_required_result_request_state(ctx)


def test_input_required_result_capabilities(ctx: Ctx) -> InputRequiredResult | str:
    can = ctx.client_capabilities or ClientCapabilities()
    requests: dict[str, InputRequest] = {}
    if can.elicitation is not None:
        requests["user_name"] = _form("What is your name?", "name")
    if can.sampling is not None:
        requests["greeting"] = _sample("Generate a greeting", 50)
    if not requests:
        return "nothing that this client could answer"
    return InputRequiredResult(input_requests=requests)


def test_streaming_elicitation(ctx: Ctx) -> InputRequiredResult | str:
    return test_input_required_result_elicitation(ctx)


INPUT: Final[list[Callable[..., Any]]] = [
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
    test_streaming_elicitation,
]


# The fewest words for a question and its answer.


def _ask(state: str | None = None, /, **asked: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=asked, request_state=state)


def _form(message: str, name: str, *, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(words: str, max_tokens: int) -> CreateMessageRequest:
    params = CreateMessageRequestParams(messages=[_asked(words)], max_tokens=max_tokens)
    return CreateMessageRequest(params=params)


def _asked(words: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(text=words))


def _words(result: CreateMessageResult) -> str:
    return result.content.text if isinstance(result.content, TextContent) else ""


def _answer(ctx: Ctx, key: str, kind: type[A]) -> A | None:
    found = (ctx.input_responses or {}).get(key)
    return found if isinstance(found, kind) else None


def _embedded(uri: str, text: str, *, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


# A schema that no model of ours would make.


def _with_schema(server: MCPServer[App]) -> None:
    def json_schema_2020_12_tool() -> str:
        return "ok"

    server.add_tool(json_schema_2020_12_tool, description="Tool with JSON Schema 2020-12 features")
    made = server._tool_manager.get_tool("json_schema_2020_12_tool")  # pyright: ignore[reportPrivateUsage] - no public way to hand in a schema
    assert made is not None
    address = {"street": {"type": "string"}, "city": {"type": "string"}}
    text = {"type": "string"}
    made.parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": address}},
        "properties": {
            "name": text,
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": text,
            "email": text,
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }


def _resources(server: MCPServer[App]) -> None:
    @server.resource("test://static-text", mime_type="text/plain", description="Words")
    def text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png", description="A pixel")
    def binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def data(id: str) -> str:  # noqa: A002 - the template's word
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    del text, binary, data


def _prompts(server: MCPServer[App]) -> None:
    @server.prompt(description="Simple")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="With arguments")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="With a resource")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's word
        return [
            UserMessage(_embedded(resourceUri, "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt(description="With an image")
    def test_prompt_with_image() -> list[UserMessage]:
        return [
            UserMessage(test_image_content()),
            UserMessage("Please analyze the image above."),
        ]

    @server.prompt(description="With a question")
    def test_input_required_result_prompt(ctx: Ctx) -> InputRequiredResult | str:
        answer = _answer(ctx, "user_context", ElicitResult)
        if answer is None:
            return _ask(user_context=_form("What context should the prompt use?", "context"))
        return f"With {(answer.content or {}).get('context')} in mind."

    del test_simple_prompt, test_prompt_with_arguments, test_prompt_with_embedded_resource
    del test_prompt_with_image, test_input_required_result_prompt
