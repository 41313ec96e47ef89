"""Sections of the morning and of the whole on the report's page, one function each, from the report's values."""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab.markup import both, said, table
from shouhao.lab.plots import answers_over_time, sell_out_curves
from shouhao.lab.report_words import DEEDS, HALVES, NOTES, REASONS

_SHORTEST_CURVE_S, _LONGEST_CURVE_S = 0.5, 8.0
_EXACT_BELOW_MS = 100
_MS = 1000


def walk(report: Mapping[str, Any]) -> Markup:
    """One new patient, step by step."""
    rows = [
        [
            _mark(step["ok"]),
            both(step["zh"], step["en"]),
            element("code", text(step["request"])),
            _status(step),
            text(f"{step['took_ms']:.1f}"),
        ]
        for step in report["walk"]["steps"]
    ]
    heads = [("", ""), ("步骤", "step"), ("请求", "request"), ("答复", "answer"), ("毫秒", "ms")]
    return section(
        "一位新患者的全程",
        "One new patient, all the way",
        "从手机验证码到付款，全部经由公开的 HTTP 接口；验证码读自服务器的终端输出。",
        "From the code by phone to the payment, over the public HTTP interface; the code is read from the "
        "server's terminal.",
        table(heads, rows, numbers={4}, class_="steps"),
    )


def rush(report: Mapping[str, Any]) -> Markup:
    """The two curves."""
    wait = report["waits_s"]
    got = report["patients_who_got_one"]
    zh = f"其余的号到点开放，先到先得。这一早 {report['seeded']['patients']:,} 位患者中有 {got:,} 位得到过号"
    en = (
        "The other slots open at the release, first come, first served. "
        f"{got:,} of {report['seeded']['patients']:,} patients got a slot this morning"
    )
    if wait["count"]:
        zh += (
            f"；先到先得时，从到达（或放号）到知道结果，中位数 {wait['p50']:.2f} 秒，"
            f"99% 的人在 {wait['p99']:.2f} 秒内。"
        )
        en += (
            f"; first come, from arriving (or the release) to knowing: median {wait['p50']:.2f} s, "
            f"99% within {wait['p99']:.2f} s, waiting for a free connection included."
        )
    first_come = [s for s in report["sold"] if not s["drawn"]]
    curves = element(
        "figure",
        element(
            "figcaption",
            both("先到先得的排班已约出的比例", "Share given of each session that goes to whoever comes first"),
            keys(("granted", "普通 regular"), *((("hot", "热门 hot"),) if any(s["hot"] for s in first_come) else ())),
        ),
        raw(sell_out_curves(first_come, until_s=_curve_until_s(first_come))),
    )
    answers = element(
        "figure",
        element(
            "figcaption",
            both("每秒答复数（虚线为放号时刻）", "Answers a second (dashed: the release)"),
            keys(("granted", "约到 booked"), ("refused", "拒绝 refused")),
        ),
        raw(answers_over_time(report["throughput"])),
    )
    return section("先到先得", "First come, first served", zh, en, element("div", curves, answers, class_="pair"))


def slots(report: Mapping[str, Any]) -> Markup:
    """Each wanted session and what became of its slots."""
    rows = [
        [
            _session(s),
            text(f"{s['day'][5:]} {HALVES.get(s['half'], ('', ''))[0]}"),
            text(s["capacity"]),
            text("抽签" if s["drawn"] else "–" if s["sold_out_s"] is None else f"{s['sold_out_s']:.2f}"),
            text(s["given"]),
            text(s["paid"]),
            text(s["returned"]),
            text(s["expired"]),
            text(s["accepted"]),
        ]
        for s in report["sold"]
    ]
    heads = [
        ("排班", "session"),
        ("日期", "day"),
        ("号数", "slots"),
        ("约满/秒", "sold out, s"),
        ("约出", "given"),
        ("已付", "paid"),
        ("退号", "returned"),
        ("超时", "expired"),
        ("候补到", "accepted"),
    ]
    return section(
        "号去了哪里",
        "Where the slots went",
        f"未付款的号保留 {report['settings']['hold_s']} 秒。退掉的号和超时的号不再公开：有人候补就交给候补的人，"
        "没有人候补就休息 1 至 2 小时，在无法预知的时刻再开放。",
        f"An unpaid slot is held for {report['settings']['hold_s']} s. What is returned or runs out is not open to "
        "everyone: it goes to those who wait, or rests one to two hours and opens at a moment that nobody knows.",
        table(heads, rows, numbers={2, 3, 4, 5, 6, 7, 8}, class_="cards"),
    )


def waitlist(report: Mapping[str, Any]) -> Markup:
    """Who waited, and what they were offered."""
    w = report["waitlist"]
    rows = [
        [both("抽签中签的号", "won in a draw"), text(f"{w['drawn']:,}")],
        [both("先到先得没约到，加入候补", "joined a waitlist, being too late"), text(f"{w['joined']:,}")],
        [both("被退回或超时的号", "slots returned or not paid in time"), text(f"{w['came_back']:,}")],
        [both("其中交给候补者的号", "of these, handed on to those who wait"), text(f"{w['handed_on']:,}")],
        [both("候补者确认并得到", "accepted by them"), text(f"{w['accepted']:,}")],
        [both("候补者放弃，转给下一位", "declined, and passed on to the next"), text(f"{w['declined']:,}")],
        [
            both("退回时无人候补，休息中", "came back while nobody waited, and rest"),
            text(f"{w['resting']:,}"),
        ],
    ]
    return section(
        "候补",
        "The waitlist",
        f"抽签未中的人按抽出的顺序候补；约不到的人也可加入候补，{w['batch_s']} 秒内加入的一起抽出顺序，先加入没有好处。"
        f"退回的号在同一个事务里交给下一位，确认期 {w['offer_s']} 秒（正式默认都是 30 分钟）。",
        "Who lost a draw waits in the drawn order; who came too late may join the waitlist. Those who join within "
        f"{w['batch_s']} s are put in order together, by draw, so joining first gains nothing; a slot that comes back "
        f"is offered to the next in the same transaction, for {w['offer_s']} s (in life, by default, both are half an "
        "hour).",
        table([("", ""), ("", "")], rows, numbers={1}),
    )


def refusals(report: Mapping[str, Any]) -> Markup:
    """Refusals by reason, as bars."""
    most = max((r["patients"] + r["gang"] for r in report["refusals"]), default=1)
    items = []
    for r in report["refusals"]:
        zh, en = REASONS.get(r["code"], (r["code"], r["code"]))
        widths = [f"width:{100 * r[group] / most:.2f}%" for group in ("patients", "gang")]
        items.append(
            element(
                "li",
                element(
                    "div",
                    said("span", zh, en),
                    element("b", text(f"{r['patients'] + r['gang']:,}")),
                    class_="row",
                ),
                element(
                    "div",
                    element("i", style=widths[0]),
                    element("i", class_="gang", style=widths[1]),
                    class_="track",
                ),
            )
        )
    return section(
        "拒绝及原因",
        "Refusals by reason",
        "每个拒绝都说明原因，中英文皆有。",
        "Each refusal says why, in Chinese and English.",
        element("p", keys(("granted", "患者 patients"), ("hot", "抢号团伙 gang"))),
        element("ul", *items, class_="bars"),
    )


def latency(report: Mapping[str, Any]) -> Markup:
    """Percentiles and histogram."""
    found = report["latency"]
    heads = [("", ""), ("次数", "count"), ("p50", ""), ("p90", ""), ("p99", ""), ("最大", "max")]
    rows = [
        [both(zh, en), *(_milliseconds(found[kind].get(name)) for name in names)]
        for kind, zh, en in (
            ("booking_ms", "预约", "booking"),
            ("payment_ms", "支付、退号", "paying, returning"),
        )
        for names in [("count", "p50", "p90", "p99", "max")]
    ]
    counts, edges = found["histogram"]["counts"], found["histogram"]["edges_ms"]
    highest = max(counts, default=0) or 1
    bars = [element("i", style=f"height:{100 * n / highest:.1f}%", title=str(n)) for n in counts]
    labels = [element("span", text(_edge(edge))) for edge in edges] + [element("span", text("∞"))]
    return section(
        "延迟",
        "Latency",
        "从发出请求到收到完整答复，单位毫秒；答复都在写入磁盘之后才发出。",
        "From sending a request to having its whole answer, in ms; an answer leaves after the write is on disk.",
        table(heads, rows, numbers={1, 2, 3, 4, 5}, class_="latency"),
        element("div", *bars, class_="columns", role="img", aria_label="histogram"),
        element("div", *labels, class_="edges"),
        element(
            "p",
            both("预约请求数，按延迟上限（毫秒）分组", "Booking requests by upper edge of latency, ms"),
            class_="when",
        ),
    )


def gang(report: Mapping[str, Any]) -> Markup:
    """What hammering brought."""
    g = report["gang"]
    rows = [
        [both("账号数 / 背后的人数", "accounts / persons behind them"), text(f"{g['accounts']} / {g['persons']}")],
        [both("发出的请求", "requests"), text(f"{g['requests']:,}")],
        [both("约到的号", "slots"), text(g["slots"])],
        [both("单人同时持有最多", "most that one person held at once"), text(g["most_per_person"])],
        [both("团伙每得一号的请求数", "the gang's requests for each slot"), _number(g["requests_per_slot"], 1)],
        [
            both("普通患者每得一号的请求数", "patients' requests for each slot"),
            _number(g["patients_requests_per_slot"], 1),
        ],
    ]
    return section(
        "抢号团伙",
        "The gang",
        f"{g['accounts']} 个账号只代表 {g['persons']} 个人，用脚本不停发请求。限额按人（证件）计算，不按账号计算，"
        "多开账号、加快频率都换不来更多的号。但先到先得时，脚本仍比人快；抽签不给快手任何好处，见上面的抽签。"
        "同一个早晨换几种规则再来一遍：shouhao lab run。",
        f"{g['accounts']} accounts act for only {g['persons']} persons and ask as fast as they are answered. Limits "
        "are counted by person (document), not by account, so more accounts or more speed bring no more slots. While "
        "the first come are served first a script is still faster than a person; a draw gives it nothing for that, as "
        "above. The same morning under several policies: shouhao lab run.",
        table([("", ""), ("", "")], rows, numbers={1}),
    )


def checks(report: Mapping[str, Any]) -> Markup:
    """Everything that was checked, one by one."""
    return section(
        "逐项核对",
        "Checked, one by one",
        "先用每个客户端实际收到的答复核对数据库，再核对抽签文件、检测与报警，最后逐条检查数据不变式。",
        "First what each client really heard against the database; then the draws' files, the detection and the "
        "alarms; then the invariants of the data.",
        element("ul", *map(_check, report["answers"]), class_="checks"),
        element("h2", both("数据不变式", "Invariants of the data"), style="margin-top:20px"),
        element("ul", *map(_check, report["invariants"]), class_="checks"),
    )


def honesty(report: Mapping[str, Any]) -> Markup:
    """What is real here and what is not."""
    values = {
        "places": report["settings"]["places"],
        "most_open": report["server"]["most_open"],
        "gang_connections": report["server"]["gang_connections"],
        "hold_s": report["settings"]["hold_s"],
        "window_s": report["waitlist"]["window_s"],
        "patients": f"{report['seeded']['patients']:,}",
        "people_s": report["seeded"]["people_s"],
        "departments": report["seeded"]["departments"],
        "doctors": report["seeded"]["doctors"],
        "sessions": report["seeded"]["sessions"],
        "slots": f"{report['seeded']['slots']:,}",
        "requests": f"{report['traffic']['requests']:,}",
        "deeds": "、".join(f"{DEEDS[d][0]} {n:,}" for d, n in report["traffic"]["by_deed"].items()),
        "deeds_en": ", ".join(f"{DEEDS[d][1]} {n:,}" for d, n in report["traffic"]["by_deed"].items()),
        "hung_up": report["traffic"]["hung_up"],
        "busy": report["traffic"]["busy"],
        "line_broken": report["traffic"]["line_broken"],
    }
    notes = [said("li", zh.format(**values), en.format(**values)) for zh, en in NOTES]
    return section(
        "哪些是真的，哪些不是", "What is real and what is not", "", "", element("ul", *notes, class_="notes")
    )


def machine(report: Mapping[str, Any]) -> Markup:
    """What it was measured on."""
    names = {"cpu": "处理器 CPU", "cores": "核心 cores", "memory": "内存 memory", "system": "系统 system"}
    pairs = [
        element("dt", text(names.get(name, name))) + element("dd", text(value))
        for name, value in report["machine"].items()
    ]
    took = element("dt", text("全程用时 whole run")) + element("dd", text(f"{report.get('took_s', 0)} s"))
    return section(
        "机器",
        "The machine",
        "数字只在这台机器上成立；客户端与服务器共用它。",
        "The figures hold for this machine, which clients and server share.",
        element("dl", *map(raw, pairs), raw(took)),
    )


def section(zh: str, en: str, intro_zh: str, intro_en: str, *content: Markup) -> Markup:
    """A part of the page: its title, what it is about, and the rest."""
    intro = said("p", intro_zh, intro_en) if intro_zh else raw("")
    return element("section", said("h2", zh, en), intro, *content)


def keys(*pairs: tuple[str, str]) -> Markup:
    """What each color of a plot stands for: pairs of a color's name in report.css and words."""
    return raw("".join(element("span", class_=f"key {kind}") + text(words) for kind, words in pairs))


def _mark(holds: bool) -> Markup:
    return element("span", text("✓" if holds else "✗"), class_="mark" if holds else "mark bad")


def _status(step: Mapping[str, Any]) -> Markup:
    reason = REASONS.get(step["code"])
    return text(step["status"]) if reason is None else both(f"{step['status']} {reason[0]}", reason[1])


def _session(s: Mapping[str, Any]) -> Markup:
    hot = raw(" " + element("span", text("热门 hot"), class_="tag")) if s["hot"] else raw("")
    zh = f"{s['department_zh']} {s['doctor_zh']} {s['title_zh']}".strip()
    en = f"{s['department_en']}, {s['doctor_en']}" if s["doctor_en"] else s["department_en"]
    return raw(text(zh) + hot + element("span", text(en), class_="sub", lang="en"))


def _check(c: Mapping[str, Any]) -> Markup:
    looked = "" if c["looked_at"] is None else f" ({c['looked_at']:,})"
    broken = "" if c["holds"] else f" — {c['broken']:,}"
    return element("li", _mark(c["holds"]), both(f"{c['zh']}{looked}{broken}", str(c["en"])))


def _number(value: float | None, digits: int) -> Markup:
    return text("–" if value is None else f"{value:,.{digits}f}")


def _milliseconds(value: float | None) -> Markup:
    return _number(value, 1 if value is not None and value < _EXACT_BELOW_MS and value % 1 else 0)


def _curve_until_s(sold: Sequence[Mapping[str, Any]]) -> float:
    """A little longer than the slowest session took, so that the curves fill the picture."""
    slowest_s = max((s["sold_out_s"] for s in sold if s["sold_out_s"] is not None), default=_LONGEST_CURVE_S)
    return round(min(max(slowest_s * 1.25, _SHORTEST_CURVE_S), _LONGEST_CURVE_S), 1)


def _edge(edge: int) -> str:
    return str(edge) if edge < _MS else f"{edge // _MS}k"
