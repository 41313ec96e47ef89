"""Sections of the calibration page about the budget: the verdict, the arithmetic, and how far a fit may be trusted."""

from collections.abc import Mapping
from typing import Any

from shouhao.faces.calibration_markup import alarms, both, figure, percent, rate, section, table
from shouhao.faces.calibration_plots import alarms_a_day
from shouhao.faces.calibration_words import WHY_NOT
from shouhao.kernel.markup import Markup, element, text

_HELD_OUT_SHARES = {0.5: ("一半", "half"), 0.25: ("四分之一", "a quarter")}


def verdict(m: Mapping[str, Any]) -> Markup:
    """What came of the budget, and whether it was counted or extrapolated."""
    chosen, asked = m["decision"]["chosen"], m["budget"]
    if chosen is None:
        zh, en = WHY_NOT[m["decision"]["why_not"]]
        zh, en = f"得不出满足预算的阈值。{zh}", f"No threshold keeps the budget. {en}"
        return element("div", element("strong", both(zh, en)), class_="verdict bad")
    zh = (
        f"阈值 {chosen['threshold_cos']:.4f}：每日 {asked['passages_a_day']:,} 人次、"
        f"名单 {asked['list_size']:,} 张照片，"
        f"预计每日误报 {alarms(chosen['alarms'])}"
    )
    en = (
        f"Threshold {chosen['threshold_cos']:.4f}: with {asked['passages_a_day']:,} passages a day and "
        f"{asked['list_size']:,} photographs on the list, {alarms(chosen['alarms'])} false alarms a day are expected"
    )
    if chosen["extrapolated"]:
        zh, en = f"{zh}。这是外推所得，未经实测。", f"{en}. This is extrapolated, not counted."
    name = "verdict fitted" if chosen["extrapolated"] else "verdict"
    return element("div", element("strong", both(zh, en)), *_surprised(m["decision"], asked), class_=name)


def budget(report: Mapping[str, Any]) -> Markup:
    """From false alarms a day to a threshold, with the arithmetic."""
    m = report["measured"]
    decision, asked = m["decision"], m["budget"]
    chosen = decision["chosen"]
    rows = [
        _row("允许的每日误报", "false alarms a day allowed", f"{asked['false_alarms_a_day']:g}"),
        _row("每日通行人次", "passages a day", f"{asked['passages_a_day']:,}"),
        _row("名单照片数", "photographs on the list", f"{asked['list_size']:,}"),
        _row("所需 FPIR = 误报 ÷ 人次", "FPIR needed = alarms / passages", rate(decision["fpir_needed"])),
        _row("所需 FMR = FPIR ÷ 名单", "FMR needed = FPIR / list", rate(decision["fmr_needed"])),
        _row(
            "不外推须有的照片数（不同的人）",
            "photographs of different people to count it instead",
            f"{decision['photographs_needed']:,}",
        ),
    ]
    side_by_side = [table([("", ""), ("", "")], rows, numbers={1})]
    if any(point["low"] < asked["passages_a_day"] for point in decision["curve"]):
        side_by_side.append(
            figure(
                "每日误报随阈值的变化（对数轴），带为 95% 区间；横点线为允许值，竖虚线为所选阈值",
                "False alarms a day by threshold (logarithmic), band: 95 %; dotted: allowed; dashed: chosen threshold",
                (("genuine", "实测", "counted"), ("fitted", "外推", "extrapolated")),
                alarms_a_day(
                    decision["curve"],
                    allowed=asked["false_alarms_a_day"],
                    threshold_cos=chosen["threshold_cos"] if chosen else None,
                ),
            )
        )
    return section(
        "从误报预算到阈值",
        "From a budget of false alarms to a threshold",
        element("div", *side_by_side, class_="pair"),
        _achievable(decision),
        *_fit(decision),
    )


def _surprised(decision: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Markup]:
    """A warning where more pairs lie beyond the fitted threshold than the fit foretells."""
    surprise, chosen = decision["surprise"], decision["chosen"]
    if surprise is None or not surprise["contradicts"]:
        return []
    counted = chosen["counted"]["fmr"]["rate"] * asked["passages_a_day"] * asked["list_size"]
    zh = (
        f"注意：数据中有 {surprise['observed']} 对不同人达到该阈值，而曲线只预计 {surprise['expected']:.2g} 对。"
        f"先看下面“太像而难以区分的人”；若确为不同的人，按实数每日误报约 {counted:.0f} 次。"
    )
    en = (
        f"Note: {surprise['observed']} pairs of two people reach this threshold, where the curve foretells "
        f"{surprise['expected']:.2g}. Look at “people too close to tell apart” first; if they really are different "
        f"people, counting says about {counted:.0f} false alarms a day."
    )
    return [both(zh, en, name="p")]


def _achievable(decision: Mapping[str, Any]) -> Markup:
    found = decision["achievable"]
    if found is None:
        return both(
            "照片太少，任何误匹配率都数不出来。", "With so few photographs no rate at all can be counted.", name="p"
        )
    tmr, largest = found["tmr"], found["largest_list"]
    zh = (
        f"只凭实测：阈值 {found['threshold_cos']:.4f} 时 FMR 为 {rate(found['fmr']['rate'])}，此人流与名单下每日误报 "
        f"{alarms(found['alarms'])}；"
    )
    en = (
        f"By counting alone: at threshold {found['threshold_cos']:.4f} FMR is {rate(found['fmr']['rate'])}, which is "
        f"{alarms(found['alarms'])} false alarms a day with this traffic and list; "
    )
    zh += f"名单不超过 {largest:,} 张照片时可满足预算。" if largest else "任何名单都满足不了预算。"
    en += (
        f"a list of {largest:,} photographs at most keeps the budget."
        if largest
        else "no list at all keeps the budget."
    )
    if tmr:
        zh, en = (
            f"{zh}同一人照片对匹配 {percent(tmr['rate'])}。",
            f"{en} {percent(tmr['rate'])} of genuine pairs match.",
        )
    return both(zh, en, name="p")


def _fit(decision: Mapping[str, Any]) -> list[Markup]:
    """The fitted tail, and how it did on people it was not fitted on."""
    tail, chosen = decision["tail"], decision["chosen"]
    if tail is None:
        return []
    zh = (
        f"尾部拟合：相似度 {tail['start_cos']:.4f} 以上的 {tail['exceedances']:,} 对，相当于 "
        f"{tail['effective_exceedances']:,.0f} 对独立的；广义帕累托分布，"
        f"形状 {tail['shape']:.3f}，尺度 {tail['scale_cos']:.4f}。"
    )
    en = (
        f"Tail: {tail['exceedances']:,} pairs above {tail['start_cos']:.4f}, worth "
        f"{tail['effective_exceedances']:,.0f} independent ones; generalised Pareto, "
        f"shape {tail['shape']:.3f}, scale {tail['scale_cos']:.4f}."
    )
    if chosen and chosen["extrapolated"]:
        low, high = chosen["threshold_low_cos"], chosen["threshold_high_cos"]
        zh += f"所需阈值的 95% 区间为 {low:.4f} 至 {high:.4f}；求稳者取上端。"
        en += f" The threshold lies between {low:.4f} and {high:.4f} (95 %); the cautious take the upper end."
    rows = [
        [
            both(*_HELD_OUT_SHARES[one["fitted_share"]]),
            text(rate(one["fmr"])),
            text(f"{one['beyond']:,.0f}"),
            text(f"{one['expected']:g}"),
            text(f"{one['observed']:g} ({one['observed_low']:g}–{one['observed_high']:g})"),
            both(*(("成立", "holds") if one["holds"] else ("不成立", "fails"))),
        ]
        for one in decision["held_out"]
    ]
    heads = [
        ("拟合所用的人", "fitted on"),
        ("FMR", "FMR"),
        ("超出可数的倍数", "times beyond counting"),
        ("预计误匹配", "false matches foretold"),
        ("其余人中实数：中位（最少–最多）", "counted among the others: median (least–most)"),
        ("三倍之内", "within a factor of three"),
    ]
    return [
        element("h3", both("外推及其检验", "The extrapolation, and how it was tried")),
        both(zh, en, name="p"),
        table(heads, rows, numbers={1, 2, 3, 4}),
    ]


def _row(zh: str, en: str, value: str) -> list[Markup]:
    return [both(zh, en), text(value)]
