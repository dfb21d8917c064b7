"""Images: by data URL and by address, for models that take them, and refused in time for others."""

import base64
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import HumanMessage

from langchain_qwen_portal import ChatQwenPortal, image_block
from qwen_portal import QwenBadRequestError
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

pytestmark = pytest.mark.usefixtures("signed_in")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA_URL = f"data:image/png;base64,{PIXEL}"
FORMS: dict[str, dict[str, Any]] = {
    "openai": {"type": "image_url", "image_url": {"url": DATA_URL}},
    "langchain": {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
}


def _question(part: dict[str, Any]) -> list[HumanMessage]:
    return [HumanMessage([{"type": "text", "text": "What is this?"}, part])]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_seen(ask: Way, form: str, emulator: Emulator) -> None:
    """Every form of a picture arrives as an image_url with its data."""
    assert (
        "1 image: a PNG image of 1x1 pixels" in ask(ChatQwenPortal(model="vision-model"), _question(FORMS[form])).text
    )
    assert emulator.chats()[0].body["messages"][0]["content"][1]["image_url"]["url"] == DATA_URL


def test_a_picture_by_address_is_left_to_the_service() -> None:
    """An address is passed on; nothing is downloaded here."""
    part = {"type": "image", "url": "https://example.com/cat.png"}
    assert "example.com" in ChatQwenPortal(model="vision-model").invoke(_question(part)).text


@pytest.mark.parametrize("ask", ALL)
def test_a_picture_for_a_text_model_is_refused_before_the_request(ask: Way, emulator: Emulator) -> None:
    """coder-model takes text only: the error names vision-model, and nothing is sent."""
    with pytest.raises(QwenBadRequestError, match="vision-model"):
        ask(ChatQwenPortal(), _question(FORMS["openai"]))
    assert not emulator.chats()


def test_a_picture_can_be_sent_all_the_same(emulator: Emulator) -> None:
    """allow_images=True leaves the judgement to the service."""
    with pytest.raises(QwenBadRequestError, match="Unexpected item type in content"):
        ChatQwenPortal(allow_images=True, max_retries=0).invoke(_question(FORMS["openai"]))
    assert len(emulator.chats()) == 1


STARTS = {
    "image/png": base64.b64decode(PIXEL),
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "image/bmp": b"BM\x00\x00",
    "image/tiff": b"II*\x00",
    "image/heic": b"\x00\x00\x00\x18ftypheic",
}


@pytest.mark.parametrize("ask", ALL)
def test_a_picture_from_a_file_is_seen(ask: Way, tmp_path: Path) -> None:
    """A path, as text or as Path, is read when the message is made; the file may be gone by the time of the call."""
    path = tmp_path / "cat.PNG.bak"
    path.write_bytes(base64.b64decode(PIXEL))
    blocks = image_block(str(path)), image_block(path)
    path.unlink()
    for block in blocks:
        assert "a PNG image of 1x1 pixels" in ask(ChatQwenPortal(model="vision-model"), _question(block)).text


@pytest.mark.parametrize("kind", STARTS)
def test_a_files_bytes_say_what_it_is(kind: str, tmp_path: Path) -> None:
    """Not its name."""
    path = tmp_path / "picture"
    path.write_bytes(STARTS[kind])
    data = base64.b64encode(STARTS[kind]).decode()
    assert image_block(path) == {"type": "image", "base64": data, "mime_type": kind}


def test_addresses_and_data_become_blocks_too() -> None:
    """One function for all three, so that a program need not look at what it was given."""
    assert image_block("https://example.com/cat.png") == {"type": "image", "url": "https://example.com/cat.png"}
    assert image_block(DATA_URL) == {"type": "image", "base64": PIXEL, "mime_type": "image/png"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no-such-file.png", "No such file"),
        (".", "directory"),
        ("nul\0byte", "null byte"),
        ("data:image/png,raw", "base64"),
        ("data:text/plain;base64,AAAA", "base64"),
    ],
)
def test_what_is_no_picture_is_named(source: str, reason: str) -> None:
    """Each with its reason, as an error of both worlds."""
    with pytest.raises(QwenBadRequestError, match=reason) as caught:
        image_block(source)
    assert isinstance(caught.value, ModelInvalidRequestError)


def test_a_file_that_is_no_picture_is_not_read_into_a_message(tmp_path: Path) -> None:
    """A secret behind a picture's name stays where it is."""
    path = tmp_path / "cat.png"
    path.write_text("the secret")
    with pytest.raises(QwenBadRequestError, match="no picture"):
        image_block(path)


def test_an_address_may_be_spelled_in_capitals(emulator: Emulator) -> None:
    """Schemes are the same in either."""
    ChatQwenPortal(model="vision-model").invoke(_question({"type": "image", "url": "HTTPS://example.com/cat.png"}))
    assert len(emulator.chats()) == 1


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "cat.png"])
def test_a_path_inside_a_message_is_refused_before_the_request(ask: Way, url: str, emulator: Emulator) -> None:
    """Whoever may write messages must not read this machine's files; the error names the function that may."""
    for part in ({"type": "image", "url": url}, {"type": "image_url", "image_url": {"url": url}}):
        with pytest.raises(QwenBadRequestError, match="image_block") as caught:
            ask(ChatQwenPortal(model="vision-model"), _question(part))
        assert isinstance(caught.value, ModelInvalidRequestError)
    assert not emulator.chats()


def test_a_source_may_be_spelled_as_people_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemes in capitals, and a path from the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cat.png").write_bytes(base64.b64decode(PIXEL))
    assert image_block("~/cat.png") == image_block(f"DATA:image/png;base64,{PIXEL}")
    assert image_block("HTTPS://example.com/cat.png") == {"type": "image", "url": "HTTPS://example.com/cat.png"}


CLIP = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
CLIPS: list[dict[str, Any]] = [
    CLIP,
    {"type": "video", "base64": "AAAA", "mime_type": "video/mp4"},
    {"type": "video", "source_type": "base64", "data": "AAAA", "mime_type": "video/mp4"},
    {"type": "video", "url": "data:video/mp4;base64,AAAA"},
]


def _watching(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> ChatQwenPortal:
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    return ChatQwenPortal(api_key="sk-x", plan="studio-intl")


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("part", CLIPS, ids=str)
def test_a_video_is_sent_as_the_service_has_it(
    ask: Way, part: dict[str, Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangChain's own block and the service's become the same part; the message stays as it was."""
    messages = _question(part)
    ask(_watching(emulator, monkeypatch), messages)
    assert emulator.chats()[0].body["messages"][0]["content"][1] == CLIP
    assert messages == _question(part)


def test_a_video_as_frames_is_passed_on(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of addresses, which is the service's own form."""
    frames = {"type": "video", "video": ["https://example.com/1.png"]}
    _watching(emulator, monkeypatch).invoke(_question(frames))
    assert emulator.chats()[0].body["messages"][0]["content"][1] == frames


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("part", CLIPS, ids=str)
def test_a_video_for_a_model_that_takes_none_is_refused_before_the_request(
    ask: Way, part: dict[str, Any], emulator: Emulator
) -> None:
    """With an error of both worlds that says what was found."""
    with pytest.raises(QwenBadRequestError, match="a message holds a video") as caught:
        ask(ChatQwenPortal(model="vision-model"), _question(part))
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert not emulator.chats()


def test_a_video_on_this_machine_is_refused(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a picture is."""
    for part in (
        {"type": "video", "url": "cat.mp4"},
        {"type": "video", "video": ["https://example.com/1.png", "2.png"]},
    ):
        with pytest.raises(QwenBadRequestError, match="on this machine"):
            _watching(emulator, monkeypatch).invoke(_question(part))
    assert not emulator.chats()


def test_the_profile_says_who_takes_video(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind coder-model on Model Studio does; the portal's two are not known to."""
    assert (_watching(emulator, monkeypatch).profile or {})["video_inputs"] is True
    assert [(ChatQwenPortal(model=m).profile or {})["video_inputs"] for m in ("coder-model", "vision-model")] == [
        False
    ] * 2
