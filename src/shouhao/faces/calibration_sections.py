"""Sections of the calibration page, one function each, from the plain values of calibration.json.

Those about the budget stand in calibration_budget.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.faces.calibration_budget import verdict
from shouhao.faces.calibration_markup import both, count, figure, interval, percent, rate, section, table, unresolved
from shouhao.faces.calibration_plots import similarities, trade_off
from shouhao.faces.calibration_words import LIMITS
from shouhao.kernel.markup import Markup, element, raw, text

_NAMED = 100  #: pairs and files on the page; all of them are in the JSON


def switch() -> Markup:
    """What language shows, without a script."""
    options = [("zh", "中文"), ("en", "English")]
    inputs = [
        element("input", type="radio", name="language", id=f"language-{code}", aria_label=word, **_first(code))
        for code, word in options
    ]
    labels = [element("label", text(word), for_=f"language-{code}") for code, word in reversed(options)]
    return raw("".join([*inputs, *labels]).replace("</input>", ""))


def heading(report: Mapping[str, Any]) -> Markup:
    """Title, warning and verdict."""
    pack = report["pack"]
    alarm = []
    if pack["for_trying_out"]:
        zh = f"仅供试用：模型包 {pack['name']}（{pack['zh']}）误差大，不得用于正式布控。"
        en = f"For trying out only: pack {pack['name']} ({pack['en']}) errs far too often for a real watchlist."
        alarm = [element("div", both(zh, en), class_="alarm", role="alert")]
    return element(
        "header",
        *alarm,
        element("h1", both("人脸阈值校准", "Face threshold calibration")),
        verdict(report["measured"]),
        element("p", text(f"守号 Shouhao · {pack['id']} · {report['made_at'][:19].replace('T', ' ')}"), class_="when"),
    )


def tiles(report: Mapping[str, Any]) -> Markup:
    """The numbers to remember."""
    m = report["measured"]
    chosen = m["decision"]["chosen"]
    fnir = (m["search"]["at_chosen"] or {}).get("fnir")
    shown = (
        (f"{m['people']:,}", "人", "people"),
        (f"{m['photographs']:,}", "张可用照片", "usable photographs"),
        (f"{m['impostor_pairs']:,}", "对不同人的照片", "pairs of two people"),
        (rate(m["smallest_fmr"]), "能数出的最小误匹配率", "smallest FMR that can be counted"),
        (f"{chosen['threshold_cos']:.4f}" if chosen else "–", "满足预算的阈值", "threshold that keeps the budget"),
        (percent(fnir["rate"]) if fnir else "–", "在该阈值下的漏报率", "missed at that threshold (FNIR)"),
    )
    return element("ul", *(element("li", element("b", text(v)), both(zh, en)) for v, zh, en in shown), class_="tiles")


def verification(report: Mapping[str, Any]) -> Markup:
    """1:1: curve, histogram, thresholds."""
    m = report["measured"]
    chosen = m["decision"]["chosen"]
    marks = [(p["fmr"], {**p["tmr"], **_flipped(p["tmr"])}) for p in m["points"] if p["fmr"] and p["tmr"]]
    rows = [[text(f"{p['fmr_asked']:.0e}".replace("e-0", "e-")), *_point_cells(p, m["budget"])] for p in m["points"]]
    heads = [
        ("FMR", "FMR"),
        ("阈值", "threshold"),
        ("实测 FMR（95% 区间）", "FMR counted (95 %)"),
        ("TMR（95% 区间）", "TMR (95 %)"),
        ("每日误报", "false alarms a day"),
    ]
    plots = element(
        "div",
        figure(
            "检测误差权衡（DET）：横轴 FMR，纵轴 FNMR，正态离差轴；虚线处数据不足",
            "Detection error trade-off: FMR across, FNMR up, normal-deviate axes; dashed where the data cannot tell",
            (("genuine", "全部照片对", "all pairs"), ("mark", "表中阈值及区间", "thresholds of the table")),
            trade_off(m["curve"], false="fmr", missed="fnmr", resolved_from=m["smallest_fmr"], points=marks),
        ),
        figure(
            "同一人与不同人照片对的相似度分布（各占百分比）；虚线为所选阈值",
            "Similarity of pairs of one person and of two people (per cent of each); dashed: the chosen threshold",
            (("genuine", "同一人", "one person"), ("impostor", "不同人", "two people")),
            similarities(m["histogram"], threshold_cos=chosen["threshold_cos"] if chosen else None),
        ),
        class_="pair",
    )
    said = both(
        f"{m['genuine_pairs']:,} 对同一人、{m['impostor_pairs']:,} 对不同人，全部比对，没有抽样。"
        f"能数出的最小 FMR 为 {rate(m['smallest_fmr'])}（至少 30 对达到）；更小的不给出阈值。",
        f"{m['genuine_pairs']:,} pairs of one person and {m['impostor_pairs']:,} of two, all compared, none sampled. "
        f"The smallest FMR that can be counted is {rate(m['smallest_fmr'])} (30 pairs at or above); for smaller ones "
        "no threshold is stated.",
        name="p",
    )
    return section(
        "两张照片的比对（1:1）", "Two photographs compared (1:1)", said, plots, table(heads, rows, numbers={1, 2, 3, 4})
    )


def identification(report: Mapping[str, Any]) -> Markup:
    """1:N: curve and table."""
    s = report["measured"]["search"]
    rows = [
        [
            text(percent(p["fpir_asked"])),
            text(f"{p['threshold_cos']:.4f}") if p["threshold_cos"] is not None else unresolved(),
            interval(p["fpir"]),
            text("–" if expected is None else percent(expected)),
            interval(p["fnir"]),
        ]
        for p, expected in zip(s["points"], s["expected_fpir"], strict=True)
    ]
    heads = [
        ("FPIR", "FPIR"),
        ("阈值", "threshold"),
        ("实测 FPIR（95% 区间）", "FPIR counted (95 %)"),
        ("按独立推算", "as if independent"),
        ("FNIR（95% 区间）", "FNIR (95 %)"),
    ]
    said = both(
        f"名单 {s['list_size']:,} 人、每人一张；{s['draws']} 次重新抽取名单；"
        f"未列入者检索 {s['stranger_searches']:,} 次，列入者 {s['listed_searches']:,} 次。",
        f"A list of {s['list_size']:,} people, one photograph each; {s['draws']} draws of who is on it; "
        f"{s['stranger_searches']:,} searches by people who are not, {s['listed_searches']:,} by people who are.",
        name="p",
    )
    marks = [(p["fpir"], p["fnir"]) for p in s["points"] if p["fpir"] and p["fnir"]]
    told = [p["fpir_asked"] for p in s["points"] if p["threshold_cos"] is not None]
    plot = figure(
        "漏报率 FNIR（纵）对误报率 FPIR（横），正态离差轴；虚线处数据不足",
        "Missed (FNIR, up) against raised in error (FPIR, across), normal-deviate axes; dashed: the data cannot tell",
        (("genuine", "全部检索", "all searches"), ("mark", "表中阈值及区间", "thresholds of the table")),
        trade_off(s["curve"], false="fpir", missed="fnir", resolved_from=min(told, default=1.0), points=marks),
    )
    parts = [said, element("div", plot, class_="pair"), table(heads, rows, numbers={1, 2, 3, 4})]
    return section("名单检索（1:N）", "Searching a list (1:N)", *parts)


def too_close(report: Mapping[str, Any]) -> Markup:
    """People whom the threshold cannot tell apart."""
    m = report["measured"]
    rows = [
        [
            text(f"{pair['similarity_cos']:.4f}"),
            _who(pair["first"], pair["first_photograph"]),
            _who(pair["second"], pair["second_photograph"]),
            text(pair["pairs"]),
        ]
        for pair in m["too_close"][:_NAMED]
    ]
    of_budget = m["decision"]["chosen"] is not None
    zh = "满足预算的阈值" if of_budget else "同一人照片对相似度的中位数"
    en = "the threshold that keeps the budget" if of_budget else "what half of the pairs of one person reach"
    said = both(
        f"相似度不低于 {m['close_from_cos']:.4f}（{zh}）的不同人，共 {len(m['too_close'])} 对。"
        "可能是同一人用了两个名字、双胞胎或近亲：请逐对查看，更正后重新校准。",
        f"{len(m['too_close'])} pairs of people at or above {m['close_from_cos']:.4f} ({en}). It may be one person "
        "under two names, twins or relatives: look at each, correct, and calibrate again.",
        name="p",
    )
    heads = [("相似度", "similarity"), ("甲", "one"), ("乙", "the other"), ("照片对数", "pairs of photographs")]
    return section(
        "太像而难以区分的人", "People too close to tell apart", said, *_listed(heads, rows, {0, 3}, len(m["too_close"]))
    )


def mislabelled(report: Mapping[str, Any]) -> Markup:
    """Photographs that are probably under a wrong name."""
    m = report["measured"]
    rows = [
        [
            _who(one["person"], one["photograph"]),
            text(f"{one['own_cos']:.4f}"),
            _who(one["other"], one["other_photograph"]),
            text(f"{one['other_cos']:.4f}"),
        ]
        for one in m["mislabelled"][:_NAMED]
    ]
    said = both(
        f"这些照片与另一人的相似度（至少 {m['mislabelled_from_cos']:.4f}）高于与本人其他照片的相似度，共 "
        f"{len(m['mislabelled'])} 张；可能放错了文件夹，也可能只是照片质量差。",
        f"{len(m['mislabelled'])} photographs resemble somebody else, at {m['mislabelled_from_cos']:.4f} or above, "
        "more than any other photograph of their own person: in a wrong folder, perhaps, or just a poor picture.",
        name="p",
    )
    heads = [("照片", "photograph"), ("与本人", "to its own"), ("更像", "more like"), ("相似度", "similarity")]
    return section(
        "可能放错的照片",
        "Photographs perhaps under a wrong name",
        said,
        *_listed(heads, rows, {1, 3}, len(m["mislabelled"])),
    )


def unusable(report: Mapping[str, Any]) -> Markup:
    """Files that gave no face."""
    files = report["unusable"]
    rows = [[element("code", text(one["file"])), both(one["zh"], one["en"])] for one in files[:_NAMED]]
    several = report["data"]["several_faces"]
    said = both(
        f"共 {len(files)} 个文件没有可用的人脸，未计入。另有 {several} 张照片有多张人脸，取最靠近中央且较大的一张。",
        f"{len(files)} files gave no usable face and are not counted. {several} photographs held several faces; the "
        "large one nearest the middle was taken.",
        name="p",
    )
    return section(
        "没有可用人脸的文件",
        "Files without a usable face",
        said,
        *_listed([("文件", "file"), ("原因", "why")], rows, set(), len(files)),
    )


def limits(_: Mapping[str, Any]) -> Markup:
    """What this does not say."""
    notes = [element("li", both(zh, en)) for zh, en in LIMITS]
    return section("这些数字不能说明什么", "What these numbers do not say", element("ul", *notes, class_="notes"))


def repeat(report: Mapping[str, Any]) -> Markup:
    """What it takes to get the same numbers again."""
    m, pack, data = report["measured"], report["pack"], report["data"]
    pairs = (
        ("模型包", "pack", pack["id"]),
        ("许可", "licence", pack["licence"]),
        ("随机种子", "seed", m["seed"]),
        ("读取的文件数", "files read", f"{data['files_read']:,}"),
        ("文件哈希排序后的 SHA-256", "SHA-256 of their sorted hashes", data["files_sha256"]),
        ("术语依据", "terms after", "ISO/IEC 19795-1:2021"),
    )
    rows = [element("dt", both(zh, en)) + element("dd", element("code", text(value))) for zh, en, value in pairs]
    return section("如何重复这些数字", "How to get these numbers again", element("dl", *map(raw, rows)))


def _point_cells(point: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Markup]:
    if point["threshold_cos"] is None:
        return [unresolved(), text("–"), text("–"), text("–")]
    fmr = point["fmr"]
    alarms = min(asked["passages_a_day"], fmr["rate"] * asked["passages_a_day"] * asked["list_size"])
    return [
        text(f"{point['threshold_cos']:.4f}"),
        text(f"{rate(fmr['rate'])} ({rate(fmr['low'])}–{rate(fmr['high'])})"),
        interval(point["tmr"]),
        text(count(alarms)),
    ]


def _listed(
    heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[Markup]], numbers: set[int], count: int
) -> list[Markup]:
    if not rows:
        return []
    parts = [table(heads, rows, numbers=numbers)]
    if count > len(rows):
        zh, en = f"此处列出前 {len(rows)} 个，其余见 JSON。", f"The first {len(rows)}; the others are in the JSON."
        parts.append(both(zh, en, name="p", class_="when"))
    return parts


def _who(person: str, photograph: str) -> Markup:
    return raw(text(person) + element("br").replace("</br>", "") + element("code", text(photograph)))


def _first(code: str) -> dict[str, str]:
    return {"checked": "checked"} if code == "zh" else {}


def _flipped(share: Mapping[str, float]) -> dict[str, float]:
    return {"rate": 1 - share["rate"], "low": 1 - share["high"], "high": 1 - share["low"]}
