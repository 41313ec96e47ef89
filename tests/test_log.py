"""Log: one chain for every logger, and nothing that tells of a person leaves it."""

import base64
import io
import json
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shouhao.gate.model import SignIn
from shouhao.gate.sign_ins import SignInKey
from shouhao.kernel.ids import new_id
from shouhao.log import DROPPED, configure_log, mask_text, redact

ID_NUMBER = "11010519491231002X"
PHONE = "13812341234"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged, with the process's own logging put back afterwards."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    written = io.StringIO()
    configure_log(level="INFO", stream=written)
    yield written
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(**data: object) -> str:
    return json.dumps(redact(None, "info", {"event": "tried", **data}), ensure_ascii=False, default=repr)


def test_a_line_is_one_json_object(stream):
    structlog.get_logger("booking").info(
        "slot_booked", slot_id="sl_1", count=3, seconds=0.25, at_us=1_760_000_000_000_000
    )
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "slot_booked",
        "level": "info",
        "logger": "booking",
        "slot_id": "sl_1",
        "count": 3,
        "seconds": 0.25,
        "at_us": 1_760_000_000_000_000,
    }


def test_the_console_form_is_redacted_too():
    root = logging.getLogger()
    before = (root.handlers, root.level)
    written = io.StringIO()
    try:
        configure_log(form="console", stream=written)
        try:
            int(f"call {PHONE}")
        except ValueError:
            structlog.get_logger("x").exception("lookup_failed", note=ID_NUMBER)
    finally:
        root.handlers, root.level = before
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
    assert "lookup_failed" in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert PHONE not in written.getvalue()
    assert ID_NUMBER not in written.getvalue()


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy.pool", "anything"])
def test_libraries_go_through_the_same_chain(stream, name):
    logging.getLogger(name).warning('%s - "GET /x?name=%%E7%%8E%%8B&phone=%s"', "10.0.0.1", PHONE)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("library_message", name, "warning")
    assert "10.0.0.1" in str(line["message"])
    assert PHONE not in str(line)
    assert "%E7" not in str(line)


def test_handlers_of_libraries_are_taken_over(stream):
    own = io.StringIO()
    logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler(own))
    configure_log(stream=stream)
    logging.getLogger("uvicorn.error").error("server failed")
    assert own.getvalue() == ""
    assert len(lines(stream)) == 1


def test_configuring_again_does_not_double_the_lines(stream):
    configure_log(stream=stream)
    structlog.get_logger().info("started")
    assert len(lines(stream)) == 1


def test_warnings_are_lines_too(stream):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"about {PHONE}", UserWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert PHONE not in str(line)


def test_an_event_is_a_constant_phrase(stream):
    structlog.get_logger().info(f"booked for {PHONE}")
    (line,) = lines(stream)
    assert (line["event"], line["message"]) == ("unnamed_event", "booked for [phone]")


@pytest.mark.parametrize("own", [True, False])
def test_an_error_is_told_without_what_it_quotes(stream, own):
    logger = structlog.get_logger("x") if own else logging.getLogger("x")
    try:
        int(f"{ID_NUMBER} [parameters: ('王芳', '[]', 1)]")
    except ValueError:
        logger.exception("lookup_failed")
    (line,) = lines(stream)
    assert 'ValueError: invalid literal for int() with base 10: "[id] [parameters]' in str(line["exception"])
    assert ID_NUMBER not in str(line)
    assert "王芳" not in str(line)


def test_what_is_below_the_level_is_not_written(stream):
    structlog.get_logger().debug("too_fine")
    logging.getLogger("httpx").info("HTTP Request: GET https://authority.example")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "key",
    [
        *("name", "Name", "names", "name_zh", "patient_name", "phone", "phoneNumber", "document", "number", "idNumber"),
        *(
            "photo",
            "token",
            "sign_in_token",
            "code",
            "key",
            "X-Channel-Key",
            "APIKey",
            "authorization",
            "Authorization",
        ),
    ],
)
def test_values_under_telling_keys_are_dropped(key):
    assert redact(None, "info", {"event": "x", "deep": [{key: "王芳"}], key: ["王芳", 1]}) == {
        "event": "x",
        "deep": [{key: DROPPED}],
        key: DROPPED,
    }


def test_other_keys_keep_their_values():
    data = {"event": "x", "status_code": 404, "channel": "platform:city", "monkey": "m", "encoded": True, "none": None}
    assert redact(None, "info", dict(data)) == data


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abc.def",
        "authorization: Basic dXNlcjpw",
        "name='王芳'",
        '{"name": "王芳"}',
        "data:image/png;base64,iVBORw0KGgo=",
        base64.b64encode(b"\x89PNG" + bytes(range(250))).decode(),
        SignInKey(b"k" * 32).issue(
            SignIn(account_id="ac_1", channel="app", sign_in_id="si_1", device_id=None, expires_at_us=1)
        ),
    ],
)
def test_secrets_in_text_are_masked(secret):
    told = mask_text(f"before ({secret}) after")
    assert secret not in told
    for part in ("王芳", "abc.def", "dXNlcjpw", "iVBOR", secret[-20:]):
        assert part not in told
    assert told.startswith("before (")
    assert told.endswith("after")


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-09T08:00:00.000000+08:00",
        "src/shouhao/store/migrations/versions/0001_first_tables.py",
        "1760000000000000",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "192.168.100.200:8080",
        "test_that_has_a_very_long_name_without_any_capital_letter",
        "bk_0193a13812341234b123456789",
    ],
)
def test_harmless_text_is_left_alone(text):
    assert mask_text(text) == text


def test_ids_of_this_house_are_left_alone():
    for _ in range(2000):
        made = new_id("bk")
        assert mask_text(f"booking {made}, done") == f"booking {made}, done"


def test_long_text_is_cut_and_soon_done():
    for text in ("a" * 10**6, "1" * 10**6, "name='" * 10**5, "[parameters: " * 10**5, "+1" * 10**6):
        began = time.perf_counter()
        assert len(mask_text(text)) < 40_000
        assert time.perf_counter() - began < 5


def test_a_cut_leaves_no_half_number():
    for shift in range(20):
        assert ID_NUMBER[:12] not in mask_text("x " * 9991 + " " * shift + ID_NUMBER + "y" * 100)


@pytest.mark.parametrize("escape", ["\\x19", "\\u4e00", "\\U0001f600", "%E7", "\\n", "%2B"])
@pytest.mark.parametrize("secret", [PHONE, ID_NUMBER, "110105491231002"])
def test_an_escape_before_a_number_does_not_hide_it(escape, secret):
    assert secret not in mask_text(f"?q={escape}{secret}")


def test_a_structure_that_holds_itself_ends():
    circle: dict[str, object] = {"note": PHONE}
    circle["again"] = [circle]
    assert PHONE not in logged(circle=circle)


@dataclass
class Patient:
    """A value whose text quotes it."""

    name: str
    remark: str


def test_an_object_is_told_by_its_masked_text():
    told = logged(patient=Patient(name="王芳", remark=ID_NUMBER), raw=PHONE.encode())
    assert "王芳" not in told
    assert ID_NUMBER not in told
    assert PHONE not in told


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


born = st.dates(date(1880, 1, 1), date(2029, 12, 31)).map(lambda day: day.strftime("%Y%m%d"))
id_numbers = st.tuples(digits(6), born, digits(3), st.sampled_from("0123456789Xx")).map("".join)
old_id_numbers = st.tuples(digits(6), born.map(lambda day: day[2:]), digits(3)).map("".join)
phones = st.tuples(st.sampled_from("3456789"), digits(9)).map(lambda parts: "1" + "".join(parts))
spaced = phones.flatmap(
    lambda p: st.sampled_from(
        [f"{p[:3]} {p[3:7]} {p[7:]}", f"{p[:3]}-{p[3:7]}-{p[7:]}", f"+86 {p}", f"+86{p}", f"86{p}"]
    )
)
abroad = st.tuples(st.sampled_from("123456789"), st.text("0123456789", min_size=7, max_size=14)).map(
    lambda parts: "+" + "".join(parts)
)
guarded = id_numbers | old_id_numbers | phones | spaced | abroad
around = st.text(max_size=12).filter(lambda text: not any(character.isdecimal() for character in text))


def nested(leaf: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(around, inner, max_size=3)
            | inner.map(lambda value: Patient(name="x", remark=str(value)))
        ),
        max_leaves=6,
    )


@given(st.data())
def test_no_id_number_and_no_phone_survives_at_any_depth(data):
    secret = data.draw(guarded)
    before, after = data.draw(around), data.draw(around)
    leaf = st.just(before + secret + after)
    if secret.isdecimal() and secret[0] != "0":
        leaf |= st.just(int(secret))
        if len(secret) == 11:  # more digits than a float keeps are no longer this number
            leaf |= st.just(float(secret))
    told = logged(value=data.draw(nested(leaf | st.dictionaries(leaf.map(str), st.integers(), max_size=2))))
    assert secret not in told
