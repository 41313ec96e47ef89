"""Release policy: what a hospital writes is read strictly, kept whole, and the narrowest scope rules."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.release import policy as module
from shouhao.booking.release.policy import (
    DEFAULT,
    EVERYWHERE,
    RELEASE_KINDS,
    DrawRules,
    InForce,
    MixedRules,
    ReleasePolicy,
    ReturnRules,
    Share,
    WaitlistRules,
    check_scope,
    in_force,
    release_body,
    release_from,
    scopes_of,
)
from shouhao.kernel.errors import InvalidInput

SECTIONS = {"draw": DrawRules, "waitlist": WaitlistRules, "returns": ReturnRules}
NUMBERS = sorted(module._LIMITS)
FLAGS = ["waitlist.open", "returns.care_pool"]


def body_of(where, value):
    """A body in which one field, such as `draw.wishes_max`, has a value."""
    *sections, name = where.split(".")
    body = {name: value}
    for section in reversed(sections):
        body = {section: body}
    return body


def refused(body):
    """The field that a body is refused by."""
    with pytest.raises(InvalidInput) as caught:
        release_from(body)
    assert caught.value.says("zh")
    assert caught.value.says("en")
    return caught.value.field


def read(where, value):
    """One field of the policy that a body with this field gives."""
    section, name = where.split(".")
    return getattr(getattr(release_from(body_of(where, value)), section), name)


def test_nothing_written_is_first_come_with_a_waitlist():
    assert release_from({}) == ReleasePolicy()
    assert (ReleasePolicy().kind, ReleasePolicy().waitlist.open, ReleasePolicy().draws()) == ("first_come", True, False)


def test_every_number_of_a_policy_has_its_range():
    written = {f"{section}.{f.name}" for section, shape in SECTIONS.items() for f in fields(shape)}
    assert written == {*NUMBERS, *FLAGS, "draw.beacon"}
    for where in NUMBERS:
        least, most = module._LIMITS[where]
        section, name = where.split(".")
        assert least <= getattr(SECTIONS[section](), name) <= most, where


@pytest.mark.parametrize("where", [n for n in NUMBERS if not n.startswith("returns.rest_")])
def test_a_number_is_taken_up_to_both_ends_of_its_range_and_not_beyond(where):
    least, most = module._LIMITS[where]
    assert (read(where, least), read(where, most)) == (least, most)
    assert refused(body_of(where, least - 1)) == where
    assert refused(body_of(where, most + 1)) == where


def test_a_rest_is_taken_up_to_both_ends_of_its_range_and_not_beyond():
    least, most = (module._LIMITS[f"returns.rest_{end}_s"] for end in ("least", "most"))
    assert release_from({"returns": {"rest_least_s": least[0], "rest_most_s": most[0]}}).returns.rest_least_s == 60
    assert release_from({"returns": {"rest_least_s": least[1], "rest_most_s": most[1]}}).returns.rest_most_s == 172_800
    for where, (low, high) in {"rest_least_s": least, "rest_most_s": most}.items():
        assert refused({"returns": {where: low - 1}}) == f"returns.{where}"
        assert refused({"returns": {where: high + 1}}) == f"returns.{where}"


@pytest.mark.parametrize("where", NUMBERS)
@pytest.mark.parametrize("value", ["120", 120.0, None, True, [120], {"s": 120}, float("nan"), 10**400])
def test_a_number_is_a_whole_number_and_nothing_like_one(where, value):
    assert refused(body_of(where, value)) == where


@pytest.mark.parametrize("where", FLAGS)
@pytest.mark.parametrize("value", [0, 1, "true", None, []])
def test_a_switch_is_true_or_false(where, value):
    assert refused(body_of(where, value)) == where
    assert [read(where, flag) for flag in (True, False)] == [True, False]


@pytest.mark.parametrize("value", [1, None, "x" * 41, "a\nb", "\u200b", ["drand"]])
def test_a_beacon_is_a_short_name(value):
    assert refused(body_of("draw.beacon", value)) == "draw.beacon"
    assert read("draw.beacon", "drand") == "drand"


@pytest.mark.parametrize("value", ["lottery", "", None, 1, ["draw"], {"draw": 1}, "Draw", True])
def test_a_kind_is_one_of_three(value):
    assert refused({"kind": value}) == "kind"


@pytest.mark.parametrize("kind", [kind for kind in RELEASE_KINDS if kind != "mixed"])
def test_a_kind_needs_nothing_else(kind):
    assert release_from({"kind": kind}) == ReleasePolicy(kind=kind)


@pytest.mark.parametrize(
    "where",
    [
        "kinds",
        "Draw",
        "draw.wishes",
        "waitlist.opens",
        "returns.rest_s",
        "mixed.part",
        "mixed.parts.windows",
        "mixed.parts.public",
        "mixed.parts.care",
        "mixed.merge_before_s.draw",
        "mixed.merge_before_s.public",
        "mixed.merge_before_s.care",
    ],
)
def test_what_is_misspelt_is_refused_by_its_own_name(where):
    assert refused(body_of(where, 3)) == where


@pytest.mark.parametrize("where", ["draw", "waitlist", "returns", "mixed", "mixed.parts", "mixed.merge_before_s"])
@pytest.mark.parametrize("value", [None, [], "", 3, [["wishes_max", 3]], True])
def test_a_section_is_an_object(where, value):
    assert refused(body_of(where, value)) == where


@pytest.mark.parametrize(
    ("written", "share"),
    [(1, Share(count=1)), (2000, Share(count=2000)), ("1%", Share(percent=1)), ("100%", Share(percent=100))],
)
def test_a_part_is_a_number_of_slots_or_a_share(written, share):
    read_ = release_from({"kind": "mixed", "mixed": {"parts": {"draw": written}}})
    assert read_.mixed.parts == {"draw": share}
    assert read_.draws()


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 2001, 2.0, True, None, [5], {"count": 5}),
        *("0%", "101%", "999%", "2", "%", "2.5%", "-5%", "+5%", " 5%", "5 %", "5%%", "1_0%", "5%\n"),
        *("\u0665%", "\uff15%", "\u00b2%", "9" * 5000 + "%"),  # digits of other scripts; more than Python reads
    ],
)
def test_a_part_is_nothing_else(value):
    assert refused({"kind": "mixed", "mixed": {"parts": {"window": value}}}) == "mixed.parts.window"


def test_shares_may_not_exceed_the_session():
    assert refused({"kind": "mixed", "mixed": {"parts": {"draw": "60%", "window": "41%"}}}) == "mixed.parts"
    release_from({"kind": "mixed", "mixed": {"parts": {"draw": "60%", "window": "40%"}}})


def test_a_mixed_release_needs_a_part():
    assert refused({"kind": "mixed"}) == "mixed.parts"
    assert refused({"kind": "mixed", "mixed": {"parts": {}}}) == "mixed.parts"


def test_a_mixed_release_without_a_draw_part_draws_nothing():
    assert not release_from({"kind": "mixed", "mixed": {"parts": {"window": 2}}}).draws()
    assert not ReleasePolicy(kind="first_come", mixed=MixedRules(parts={"draw": Share(count=1)})).draws()


def test_a_rest_has_ten_minutes_between_its_ends():
    assert refused({"returns": {"rest_least_s": 7200}}) == "returns.rest_most_s"
    assert refused({"returns": {"rest_least_s": 6601}}) == "returns.rest_most_s"
    assert refused({"returns": {"rest_least_s": 7200, "rest_most_s": 3600}}) == "returns.rest_most_s"
    release_from({"returns": {"rest_least_s": 6600}})


def test_a_merge_that_is_set_leaves_the_others_as_they_are():
    merged = release_from({"mixed": {"merge_before_s": {"window": 0}}}).mixed.merge_before_s
    assert merged == {"window": 0, "phone": 86_400, "referral": 172_800}


@pytest.mark.parametrize("value", [-1, 30 * 86_400 + 1, "3600", None, True, 1.5])
def test_a_merge_has_its_range(value):
    assert refused({"mixed": {"merge_before_s": {"phone": value}}}) == "mixed.merge_before_s.phone"


def test_a_policy_that_was_read_shares_nothing_with_the_default():
    release_from({"mixed": {"merge_before_s": {"window": 1}}})
    assert ReleasePolicy().mixed.merge_before_s["window"] == 3600


@st.composite
def policies(draw):
    """Any policy that a hospital may write."""

    def rules(section):
        shape = SECTIONS[section]
        values = {}
        for f in fields(shape):
            where = f"{section}.{f.name}"
            if where in module._LIMITS:
                values[f.name] = draw(st.integers(*module._LIMITS[where]))
            elif isinstance(f.default, bool):
                values[f.name] = draw(st.booleans())
        return values

    returns = rules("returns")
    returns["rest_most_s"] = max(returns["rest_most_s"], returns["rest_least_s"] + 600)
    beacon = draw(st.text(st.characters(categories=("L", "N", "P")), max_size=40))
    share = st.integers(1, 2000).map(lambda n: Share(count=n)) | st.integers(1, 25).map(lambda n: Share(percent=n))
    named = st.sampled_from(["draw", "window", "phone", "referral"])
    merge = {part: draw(st.integers(0, 30 * 86_400)) for part in ("window", "phone", "referral")}
    return ReleasePolicy(
        kind=draw(st.sampled_from(RELEASE_KINDS)),
        draw=DrawRules(**{**rules("draw"), "beacon": beacon}),
        waitlist=WaitlistRules(**rules("waitlist")),
        returns=ReturnRules(**returns),
        mixed=MixedRules(parts=draw(st.dictionaries(named, share, min_size=1)), merge_before_s=merge),
    )


@given(policies())
def test_a_policy_that_is_written_reads_as_the_same_policy(policy):
    assert release_from(release_body(policy)) == policy


def field_refused(body):
    """The top-level field that a body is refused by, or None when it is taken and kept whole."""
    try:
        policy = release_from(body)
    except InvalidInput as refusal:
        return (refusal.field or "").partition(".")[0]
    assert release_from(release_body(policy)) == policy
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SECTION_NAMES = ("kind", "draw", "waitlist", "returns", "mixed")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SECTION_NAMES, JSON)))
def test_no_section_brings_the_reader_down(body):
    assert field_refused(body) in {None, *body}


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("parts", "merge_before_s"), JSON)))
def test_no_mixed_section_brings_the_reader_down(section):
    assert field_refused({"kind": "mixed", "mixed": section}) in {None, "mixed"}


@given(st.dictionaries(st.sampled_from(["draw", "window", "phone", "referral"]), JSON))
def test_no_part_brings_the_reader_down(parts):
    assert field_refused({"kind": "mixed", "mixed": {"parts": parts}}) in {None, "mixed"}


@pytest.mark.parametrize("scope", ["everywhere", "kind:expert", "kind:antenatal", "department:OBS", "doctor:D-1:a.b_c"])
def test_a_scope_is_everywhere_or_names_what_it_rules(scope):
    assert check_scope(scope) == scope


@pytest.mark.parametrize(
    "scope",
    [
        *("", ":", "Everywhere", "everywhere:", "kind", "kind:", "kind:vip", "kind:expert:x", "session:S1"),
        *("department:", "doctor", "doctor: D1", "doctor:D1\n", "doctor:" + "x" * 65),
    ],
)
def test_nothing_else_is_a_scope(scope):
    with pytest.raises(InvalidInput) as caught:
        check_scope(scope)
    assert caught.value.field == "scope"


def kept(*scopes):
    """Policies in force for these scopes, each with a version of its own."""
    return {s: InForce(policy=ReleasePolicy(), scope=s, version=n) for n, s in enumerate(scopes, start=1)}


def test_the_narrowest_scope_rules():
    scopes = scopes_of(department_id="OBS", doctor_id="D1", kind="expert")
    assert scopes == ["release:doctor:D1", "release:department:OBS", "release:kind:expert", EVERYWHERE]
    for first in range(len(scopes)):
        rules = in_force(kept(*reversed(scopes[first:])), department_id="OBS", doctor_id="D1", kind="expert")
        assert rules.scope == scopes[first]


def test_a_policy_of_another_doctor_department_or_kind_rules_nothing_here():
    others = kept("release:doctor:D2", "release:department:PED", "release:kind:general")
    assert in_force(others, department_id="OBS", doctor_id="D1", kind="expert") is DEFAULT
    assert (DEFAULT.policy, DEFAULT.scope, DEFAULT.version) == (ReleasePolicy(), EVERYWHERE, 0)


def test_a_session_without_a_doctor_is_ruled_by_no_doctors_policy():
    assert (
        in_force(kept("release:doctor:None", "release:doctor:"), department_id="OBS", doctor_id=None, kind="expert")
        is DEFAULT
    )
