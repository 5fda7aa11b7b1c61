"""The model APIs that hosts speak: each request as a `Conversation`, each `Reply` as a response."""

from hosts.apis import anthropic_messages, gemini, openai_chat, openai_responses
from hosts.apis.conversation import ModelAPI

MODEL_APIS: dict[str, ModelAPI] = {
    "/messages": anthropic_messages,
    "/responses": openai_responses,
    "/chat/completions": openai_chat,
    "enerateContent": gemini,  # generateContent and streamGenerateContent
}
"""By the end of the request's path."""


def find_api(path: str) -> ModelAPI | None:
    """The API that a request to *path* speaks."""
    bare = path.partition("?")[0]
    return next((api for end, api in MODEL_APIS.items() if bare.endswith(end)), None)
