"""What is settled about a request before it may cost anything: its model, and what that takes.

A dry run passes through here as well, so that it says what the call would.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from geekai_video_mcp.app import App
from geekai_video_mcp.config import FREE_IMAGE_MODEL, SANDBOX_URL, default_model_with_key
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import CheckedRequest, LiveModel
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import NotAuthorised, RequestRefused, nothing_charged
from geekai_video_mcp.media.inputs.picture_folders import ListFolders
from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.arguments import Generate
from geekai_video_mcp.server.arguments.frame_size import spell_settings
from geekai_video_mcp.server.views import sent_settings

_TOOL: Final[Mapping[str, str]] = {"video": "generate_video", "image": "generate_image"}
"""What makes each kind of media."""


def require_key(app: App) -> None:
    """Refuse a request of whoever has no key where the sandbox cannot take it.

    Raises:
        NotAuthorised: there is no key.
    """
    if app.keyless:
        raise NotAuthorised(
            "There is no GeekAI key for your requests, and where several servers share a database"
            " the sandbox is not used in its place",
            status_code=HTTPStatus.UNAUTHORIZED,
            remedy="Tell the user that the server's operator gives them a key in the tokens file;"
            " with GEEKAI_CLIENT_KEYS=allow a client may send its own in X-GeekAI-Key.",
        )


class PreparedRequest(NamedTuple):
    """A request as it is to be sent, and what its caller has to know of it."""

    request: GenerationRequest
    given: GenerationRequest
    """As the caller wrote it, with the names of its files."""
    warnings: tuple[str, ...]

    @property
    def sent_settings(self) -> Mapping[str, Any]:
        """The settings as a result reports them."""
        return sent_settings(self.request.body, self.given.body)


async def prepare_request(
    app: App, args: Generate, *, list_roots: ListFolders | None
) -> PreparedRequest:
    """Read the pictures of the request, find its model and check it against that. Free.

    Raises:
        GeekAIVideoError: it cannot be sent; it says that nothing was charged.
    """
    with nothing_charged():
        require_key(app)
        given = args.to_request(default_model=app.default_models[args.media])
        request = await app.media.resolve(given, args.media_fields, list_roots=list_roots)
        checked = await check_generation(
            app, request, key=args.idempotency_key, variation=args.variation
        )
    warnings = (*args.notes, *checked.warnings)
    return PreparedRequest(request.with_body(checked.body), given, warnings)


async def check_generation(
    app: App, request: GenerationRequest, *, key: str | None, variation: int | None
) -> CheckedRequest:
    """The request as it is to be sent, with its model's id, and the warnings for its caller.

    A request that was sent before in another form stays in that form: its caller must get that
    task, and neither pay for another one nor get an error that says that nothing was charged.

    Raises:
        RequestRefused: there is no such model, or it does not support the request.
        StorageUnavailable: the ledger cannot be read.
    """
    listed = await _fetch_models(app, str(request.body["model"]), request.media)
    forms = _forms(app, request, listed)
    try:
        checked = _check(app, request, listed)
    except RequestRefused:
        sent = await _find_sent(app, request, forms, key=key, variation=variation)
        if sent is not None:
            return catalogue.with_general_warnings(sent)
        raise
    others = [form for form in forms if form != checked.body]
    sent = await _find_sent(app, request, others, key=key, variation=variation)
    return checked if sent is None else catalogue.with_general_warnings(sent)


def _forms(
    app: App, request: GenerationRequest, listed: Sequence[LiveModel] | None
) -> Sequence[Mapping[str, Any]]:
    """The bodies in which the request may have been sent before.

    As it is written, by an earlier version or to a gateway; in the words of its model, whatever
    speaks against it now; and to the model that its name means without the service's list.
    """
    name, known = str(request.body["model"]), _known_models(request.media)
    live = catalogue.listed_for(listed or (), request.media)
    lists = () if _is_gateway(app) else (known, live)
    meant = (catalogue.resolve_model(name, request.body, among=ids) for ids in lists)
    named = dict.fromkeys([name, *filter(None, meant)])
    forms = [request.body]
    for model in named:
        spelled = spell_settings({**request.body, "model": model})
        taken = catalogue.in_words_of_model(spelled) if request.media is Media.VIDEO else spelled
        forms += [form for form in (spelled, taken) if form not in forms]
    return forms


async def _find_sent(
    app: App,
    request: GenerationRequest,
    forms: Sequence[Mapping[str, Any]],
    *,
    key: str | None,
    variation: int | None,
) -> Mapping[str, Any] | None:
    """The form in which the request was sent before; None if it was not in any of them."""
    sent = await app.engine.find_sent(
        [request.with_body(form) for form in forms], idempotency_key=key, variation=variation
    )
    return None if sent is None else sent.body


def _check(
    app: App, request: GenerationRequest, listed: Sequence[LiveModel] | None
) -> CheckedRequest:
    model = _find_model(app, request, listed)
    body = spell_settings({**request.body, "model": model.id})
    if request.media is Media.IMAGE:  # the catalogue has no image models
        checked = catalogue.with_general_warnings(body)
    else:
        live = None if listed is None else catalogue.of_type(listed, Media.VIDEO)
        rehearsed = default_model_with_key(app.default_models[Media.VIDEO], Media.VIDEO)
        checked = catalogue.check_request(body, live=live, checks=app.checks, rehearsed=rehearsed)
    return CheckedRequest(body=checked.body, warnings=(*model.notes, *checked.warnings))


async def _fetch_models(app: App, name: str, media: Media) -> Sequence[LiveModel] | None:
    """The service's own list; it is only waited for if GeekAI may know a model that is not known.

    Also where the catalogue has a model that the name may mean: an id that GeekAI has by exactly
    this name comes first, and which model is paid for must not depend on what is cached.
    """
    model_list = app.engine.model_list
    unknown = name not in _known_models(media) and name != catalogue.SANDBOX_MODEL
    return await model_list.fetch() if app.at_geekai and unknown else model_list.cached()


def _is_gateway(app: App) -> bool:
    """Whether the service is another one than GeekAI, which gets names as they are written."""
    return not app.at_geekai and app.engine.account != SANDBOX_URL


def _known_models(media: Media) -> Sequence[str]:
    return tuple(catalogue.models()) if media is Media.VIDEO else (FREE_IMAGE_MODEL,)


class _FoundModel(NamedTuple):
    id: str
    notes: tuple[str, ...] = ()


def _find_model(
    app: App, request: GenerationRequest, listed: Sequence[LiveModel] | None
) -> _FoundModel:
    """The model that the request means.

    Raises:
        RequestRefused: it means none, or one that makes something else.
    """
    name, media = str(request.body["model"]), request.media
    known, live = _known_models(media), catalogue.listed_for(listed or (), media)
    if name in known or (name == catalogue.SANDBOX_MODEL and not app.at_geekai):
        return _FoundModel(name)
    if name in live:
        return _FoundModel(name, _new_model_notes(app, live[name], media))
    others = _models_of_other_kinds(media, listed or ())
    if name in others:
        raise RequestRefused(_other_kind_message(name, others[name], media), code="unknown_model")
    if _is_gateway(app):
        return _FoundModel(name, _unknown_model_notes(app, name, media))
    # What GeekAI does not list any more is meant only if nothing else is.
    for among in ([one for one in known if one in live], live, known):
        if found := catalogue.resolve_model(name, request.body, among=among):
            taken = f"Model {quote(name, limit=64)} was taken as {found}."
            new = () if found in known else _new_model_notes(app, live[found], media)
            return _FoundModel(found, (taken, *new))
    if other := catalogue.resolve_model(name, request.body, among=others):
        raise RequestRefused(_other_kind_message(other, others[other], media), code="unknown_model")
    of_kind = catalogue.of_type(listed or (), media)
    if app.at_geekai and (of_kind or name == catalogue.SANDBOX_MODEL):
        current = [one.id for one in of_kind.values() if not one.is_retired]
        raise RequestRefused(_unknown_text(app, name, media, current), code="unknown_model")
    return _FoundModel(name, _unknown_model_notes(app, name, media))


def _models_of_other_kinds(media: Media, listed: Sequence[LiveModel]) -> Mapping[str, str]:
    """The ids of models that make something else than *media*, and what each makes."""
    other = Media.IMAGE if media is Media.VIDEO else Media.VIDEO
    known = dict.fromkeys(_known_models(other), str(other))
    kinds = (kind for kind in catalogue.DOCUMENTED_TYPES if kind != media)
    return known | {one: kind for kind in kinds for one in catalogue.of_type(listed, kind)}


def _other_kind_message(model: str, kind: str, media: Media) -> str:
    """The message for a model of another kind: *kind* is one of GeekAI's documented types."""
    article = "an" if kind[0] in "aeiou" else "a"
    remedy = (
        f"use {_TOOL[kind]} for it" if kind in _TOOL else "list_video_models shows those that do"
    )
    return f"{model} is {article} {kind} model and makes no {media}; {remedy}"


def _new_model_notes(app: App, model: LiveModel, media: Media) -> tuple[str, ...]:
    """What to know of a model that the service lists and the catalogue does not describe."""
    if not app.at_geekai:
        return ()
    if model.is_retired:
        return (f"{model.id} is {model.status.lower()} by GeekAI",)
    if media is Media.IMAGE:
        return ()
    return (f"{model.id} is listed by GeekAI, not described here: its settings were not checked",)


def _unknown_model_notes(app: App, name: str, media: Media) -> tuple[str, ...]:
    """The warning about a name that is sent although nothing is known of it."""
    unread = "GeekAI's own list could not be read, so the request is sent as it is"
    if app.engine.account == SANDBOX_URL:
        then = "the sandbox makes a preview all the same"
    else:
        then = unread if app.at_geekai else "the request is sent as it is"
    if media is Media.VIDEO:
        return (f"{_unknown_text(app, name, media)}; {then}",)
    return (f"unknown image model {quote(name, limit=64)}; {unread}",) if app.at_geekai else ()


def _unknown_text(app: App, name: str, media: Media, among: Sequence[str] = ()) -> str:
    text = catalogue.unknown_model_message(name, among)
    default = app.default_models[media] == name
    return f"{text} (GEEKAI_DEFAULT_MODEL names it)" if default else text
