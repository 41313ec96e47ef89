"""Night section of the demo's report: what the detection found of what was there, what it missed, whom it wronged."""

from collections.abc import Mapping
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab.markup import both, table
from shouhao.lab.plots import found_by_kind
from shouhao.lab.report_sections import keys, section

_KINDS: Mapping[str, tuple[str, str]] = {
    "crude_script": ("简单脚本", "crude script"),
    "phone_farm": ("群控手机", "phone farm"),
    "quick_handover": ("秒退秒抢", "quick hand-over"),
    "slow_handover": ("隔时转手", "slow hand-over"),
    "edited_patient": ("改就诊人", "patient edited"),
    "series": ("批量注册", "accounts in series"),
    "face_batch": ("批量刷脸", "faces in a batch"),
    "insider": ("内外勾结加号", "insider"),
    "payer_ring": ("同一付款人", "one payer"),
    "careful_resale": ("谨慎：倒卖", "careful: resale"),
    "careful_preorder": ("谨慎：代抢预订", "careful: to order"),
    "careful_codes": ("谨慎：收验证码", "careful: codes"),
    "careful_ghost": ("谨慎：虚占号源", "careful: ghosts"),
}
_LEVELS: Mapping[str | None, tuple[str, str]] = {
    "certain-pattern": ("确定模式", "certain pattern"),
    "strong": ("较强", "strong"),
    "lead": ("线索", "lead"),
}


def night_section(told: Mapping[str, Any]) -> Markup:
    """The section."""
    found, of, honest, levels = told["found"], told["accounts"], told["honest"], told["findings"]
    zh = (
        f"{told['days']} 天的访问日志与预约由生成器写出，谁是号贩另记在标签里，检测看不到。"
        f"昨夜读了 {told['hits']:,} 行日志、{told['events']:,} 个事件，用 {told['analysed_s']:.0f} 秒，"
        f"得出 {sum(levels.values())} 条发现：确定模式 {levels['certain-pattern']}、较强 {levels['strong']}、"
        f"线索 {levels['lead']}。"
    )
    en = (
        f"{told['days']} days of logs and bookings are made up; who is a scalper is written apart, in labels that the "
        f"detection never sees. It read {told['hits']:,} lines and {told['events']:,} events in "
        f"{told['analysed_s']:.0f} s and came to {sum(levels.values())} findings: {levels['certain-pattern']} certain, "
        f"{levels['strong']} strong, {levels['lead']} leads."
    )
    rows = [
        [
            both("号贩账号：被指为较强或确定", "scalpers' accounts found, strong or certain"),
            text(f"{found['strong']} / {of['gang']}"),
        ],
        [both("号贩账号：至少列为线索", "named by a lead at least"), text(f"{found['lead']} / {of['gang']}")],
        [both("号贩账号：完全没有看到", "missed altogether"), text(f"{told['missed']} / {of['gang']}")],
        [both("团伙：成员对上一半以上", "gangs whose members were found"), text(_rings(told))],
        [
            both("普通账号：被误指为较强或确定", "honest accounts accused, strong or certain"),
            text(f"{honest['count']} / {honest['of']:,}"),
        ],
        [
            both(
                "普通账号：出现在某条线索里（只供人看，不作指控）",
                "honest accounts that some lead names; a lead accuses nobody",
            ),
            text(f"{told['honest_as_lead']} / {honest['of']:,}"),
        ],
    ]
    plot = element(
        "figure",
        element(
            "figcaption",
            both("每种号贩的账号被指到哪一级", "Accounts of each kind of scalper, by the level they reached"),
            keys(("granted", "确定或较强 certain, strong"), ("bought", "线索 lead"), ("refused", "漏 missed")),
        ),
        raw(found_by_kind(told["gangs"])),
    )
    note = both(
        f"这里误指 {honest['count']} 个，不等于处处如此：有 95% 的把握说每万人不超过 "
        f"{honest['high_per_10_000']:.0f} 个。每条发现的证据原文与团伙图在控制台“检测发现”页。",
        f"{honest['count']} accused here does not mean so everywhere: with 95% confidence it is at most "
        f"{honest['high_per_10_000']:.0f} in 10,000. Every finding, its raw lines and its ring are in the console.",
    )
    link = element("a", text("检测自己的报告 The detection's own report"), href=told["page"])
    return section(
        "检测与标签对照",
        "Findings against the labels",
        zh,
        en,
        element("div", plot, element("div", table([("", ""), ("", "")], rows, numbers={1})), class_="pair"),
        table(
            [("号贩", "scalpers"), ("账号", "accounts"), ("较强以上", "strong or above"), ("团伙", "as a ring")],
            [_gang(n, one) for n, one in enumerate(told["gangs"], 1)],
            numbers={1, 2},
            class_="gangs",
        ),
        element("p", note, class_="when"),
        element("p", link, class_="when"),
    )


def _gang(number: int, one: Mapping[str, Any]) -> list[Markup]:
    zh, en = _KINDS.get(one["kind"], (one["kind"], one["kind"]))
    found = both("认出", "found") if one["ring_found"] else both("未认出", "not found")
    if one["ring_found"]:
        level_zh, level_en = _LEVELS.get(one["level"], ("", ""))
        found = both(f"认出 · {level_zh}", f"found, {level_en}")
    return [
        both(f"{number}. {zh}", en),
        text(one["accounts"]),
        text(one["at_least"]["strong"]),
        found,
    ]


def _rings(told: Mapping[str, Any]) -> str:
    return f"{told['rings_found']} / {len(told['gangs'])}"
