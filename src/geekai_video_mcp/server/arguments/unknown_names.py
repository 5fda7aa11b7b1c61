"""What was meant by an argument that a tool does not have. Pure."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from geekai_video_mcp.quoting import (
    quote,
    quote_unless_id,
)
from geekai_video_mcp.server.arguments.extra_body import CAMERA_SHAPE, EXTRA_BODY_NAMES
from geekai_video_mcp.server.arguments.json_text import load_json
from geekai_video_mcp.server.arguments.values import unwrap

_MEANT: Final[Mapping[str, str]] = {
    "image": "first_frame first_frame_image first_frame_url first_image start_image start_frame"
    " start_image_url starting_image initial_image init_image image_start image_url image_path"
    " image_file image_base64 input_image input_reference source_image img img_url picture photo",
    "image_tail": "last_frame last_frame_image last_frame_url last_image end_image end_frame"
    " end_image_url ending_image image_end tail_image tail_image_url tail_frame final_frame",
    "images": "reference_images reference_image references reference_urls reference_image_urls"
    " ref_images image_urls image_references input_images subject_images character_images"
    " style_images",
    "video": "video_url input_video source_video reference_video video_path",
    "with_audio": "generate_audio sound audio_on enable_audio has_audio include_audio add_audio"
    " native_audio audio_enabled enable_sound with_sound generate_sound speech",
    "audio": "audio_url audio_urls audio_file sound_url music background_music soundtrack bgm"
    " audio_path audio_track music_file music_path voiceover voice_over narration",
    "takes": "supports features capabilities requires inputs image image_tail images video"
    " with_audio sound camera camera_control extra_body",
    "prompt": "text description content message input caption positive_prompt text_prompt"
    " prompt_text instruction instructions scene",
    "duration": "length seconds duration_seconds length_seconds video_length video_duration"
    " clip_length duration_sec duration_s secs time",
    "seconds": "duration length min_seconds duration_seconds min_duration",
    "aspect_ratio": "ratio aspect orientation video_ratio image_ratio ar shape format",
    "resolution": "res video_resolution definition video_quality",
    "size": "dimensions width height image_size video_size frame_size resolution",
    "negative_prompt": "negative neg_prompt exclude avoid",
    "quality": "mode tier quality_mode",
    "fps": "frame_rate frames_per_second framerate",
    "watermark": "add_watermark watermarked",
    "variation": "n count num num_videos num_images number number_of_videos num_outputs takes take"
    " batch batch_size variations samples sample_count versions copies",
    "limit": "n count num number max max_results page_size per_page top",
    "dry_run": "estimate price_only check_only validate_only simulate",
    "retries": "retry max_retries retry_count",
    "idempotency_key": "request_id client_token dedupe_key",
    "task_id": "id ids task tasks task_ids job job_id video video_id generation_id request_id"
    " prediction_id operation_id",
    "model": "model_id model_name name id engine",
    "query": "search q keyword keywords words prompt text filter maker provider vendor brand find"
    " contains id ids task_id task_ids model",
    "wait_seconds": "wait wait_time wait_for timeout timeout_seconds max_wait max_seconds seconds"
    " duration poll",
    "async": "wait wait_seconds wait_for_completion timeout sync blocking background",
    "until": "wait_until",
    "view": "show preview frames picture thumbnail display",
    "status": "state task_status statuses",
    "since": "after from date day start_date from_date created_after",
    "before": "cursor page page_token next_cursor offset next",
    "page": "cursor page_token next_cursor offset before",
    "free": "free_only is_free",
    "sort": "sort_by order order_by price cheapest max_price budget",
    "at": "time times timestamp timestamps seconds second position",
    "parts": "videos clips shots segments tasks task_ids task_id files video_ids video_list inputs"
    " sources items list ids start end from to trim cut in_point out_point ranges",
}
"""For each argument the names that it has elsewhere. Of several arguments that a name could mean,
the first that the tool has is meant."""
_MEMBERS_MEANT: Final[Mapping[str, str]] = {
    "camera_control": "camera camera_movement camera_motion camera_moves",
    "camerafixed": "camera_fixed fixed_camera",
    "seed": "random_seed",
}
"""For members of `extra_body` the names that they have elsewhere."""
_REMARKS: Final = {
    "variation": " It numbers one take: make one call for each, with variation 2 for the second",
    "async": " With async false the call waits for the finished result",
    "parts": ' It is a list such as ["ID", "ID@1-4.5"]',
    "takes": ' It holds names of arguments, for example "image with_audio"',
}
"""What has to be known besides the name."""
CLOSE: Final = 0.75
"""Share of letters in common from which a name counts as misspelt."""


class UnknownNames(NamedTuple):
    """What is wrong with the names in a call."""

    problems: Sequence[str]
    meant: Collection[str]
    """The arguments that were given under another name, which must not be called missing."""


_ALL_KNOWN: Final = UnknownNames((), ())


def check_names(
    given: Mapping[str, object], known: Collection[str], taken_earlier: Collection[str] = ()
) -> UnknownNames:
    """What is wrong with the names in *given*, for a tool whose arguments are *known*.

    Those of *taken_earlier* are accepted as well, without a note to the caller.
    """
    unknown = [name for name in given if name not in known and name not in taken_earlier]
    if not unknown:
        return _ALL_KNOWN
    for name in unknown:
        if inside := _arguments_within(given[name], known):
            # Everything is in there, so nothing else that is wrong is worth a word.
            return UnknownNames([_wrapped(name, inside)], known)
    problems, meant, nearest = list[str](), set[str](), True
    for name in unknown:
        hint = _hint(name, known, meant)
        nearest = nearest and bool(hint)
        problems.append(f"{quote_unless_id(name, limit=64)}: unknown argument{hint}")
    if not nearest:
        problems.append(f"known are {', '.join(known)}")
    return UnknownNames(problems, meant)


def known_name(name: str, known: Iterable[str]) -> str | None:
    """Which of *known* has *name* as one of its names, in any case and with any separators.

    In contrast to `find_meant`, nothing is guessed.
    """
    alike, by_letters = _letters(name), {_letters(each): each for each in known}
    if alike in by_letters:
        return by_letters[alike]
    known = by_letters.values()
    for table in (_MEANT, _MEMBERS_MEANT):
        for target, others in table.items():
            if target in known and alike in map(_letters, others.split()):
                return target
    return None


def find_meant(name: str, known: Iterable[str]) -> str | None:
    """Which of *known* was meant by *name*; None if none is near."""
    known = list(known)
    if named := known_name(name, known):
        return named
    by_letters = {_letters(each): each for each in known}
    near = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=CLOSE)
    return by_letters[near[0]] if near else None


def _hint(name: str, known: Collection[str], meant: set[str]) -> str:
    """What to write instead of *name*, which is added to *meant*; "" if nothing is near."""
    if "extra_body" in known and (member := _member_meant(name)):
        if member == "camera_control":
            return (
                f"; it belongs in extra_body. Kling camera moving left: {CAMERA_SHAPE}."
                " For other models write it in the prompt"
            )
        return (
            f'; it belongs in extra_body, as {{"{member}": ...}}, if list_video_models shows it'
            " for the model"
        )
    target = find_meant(name, known)
    if target is None:
        return ""
    meant.add(target)
    return f"; did you mean {target}?{_REMARKS.get(target, '')}"


def _member_meant(name: str) -> str | None:
    """The member of `extra_body` that *name* is, or means."""
    alike = _letters(name)
    for member in EXTRA_BODY_NAMES:
        others = _MEMBERS_MEANT.get(member, "").split()
        if alike in map(_letters, (member, *others)):
            return member
    return None


def _wrapped(name: str, inside: Sequence[str]) -> str:
    return (
        f"{quote_unless_id(name, limit=64)}: unknown argument; give {', '.join(inside)} directly as"
        f" arguments of this tool, without {quote(name, limit=64)} around them"
    )


def _arguments_within(value: object, known: Collection[str]) -> list[str]:
    """The arguments of the tool that *value* holds: an object, its JSON text, or a list of one."""
    single = unwrap(load_json(value))
    if not isinstance(single, Mapping):
        return []
    members = cast("Mapping[str, object]", single)
    names = {_letters(each) for each in members}
    return [each for each in known if _letters(each) in names]


def _letters(name: str) -> str:
    """The name without case and separators, so that aspectRatio is aspect_ratio."""
    return re.sub(r"[\W_]+", "", name).casefold()
