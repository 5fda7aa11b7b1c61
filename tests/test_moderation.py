"""A filter's refusal says what to change: the prompt, a picture, or the generated result."""

import pytest

from geekai_video_mcp.domain.moderation import advice


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("InputTextSensitiveContentDetected", "objects to the prompt: rephrase"),
        ("InputTextRiskDetection", "objects to the prompt: rephrase"),
        ("SensitiveContentDetected.Violence", "objects to the prompt: rephrase"),
        ("InputImageSensitiveContentDetected.PrivacyInformation", "picture or video that was"),
        ("InputVideoSensitiveContentDetected", "picture or video that was"),
        ("OutputVideoSensitiveContentDetected", "the generated result"),
        ("OutputImageRiskDetection", "the generated result"),
        ("no_output", "the generated result"),
        ("1301", "does not say which"),
        (" 1301 ", "does not say which"),
        ("DataInspectionFailed", "does not say which"),
        ("content_policy_violation", "does not say which"),
    ],
)
def test_a_filters_code_says_what_to_change(code: str, says: str) -> None:
    assert says in str(advice(code))


@pytest.mark.parametrize(
    "code",
    [None, "", "400", "13010", "validation_error", "InputTextTooLong", "OutputFormat", "failed"],
)
def test_any_other_code_is_no_filters(code: str | None) -> None:
    assert advice(code) is None
