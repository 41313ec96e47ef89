"""Known face section of the demo's report: what was found, what was missed, what came of it, and what was forgotten."""

from collections.abc import Mapping
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab.markup import both, said, table
from shouhao.lab.plots import passers_by
from shouhao.lab.report_sections import keys, section

_PLACES = {
    "sim-entrance-1": ("1 层门诊入口", "entrance, floor 1"),
    "sim-window-1": ("1 层挂号窗口大厅", "windows, floor 1"),
}
_OUTCOMES = {
    "removed": ("已驱离，移交警方", "removed, and handed to the police"),
    "genuine_visit": ("名单人员，本次确来就诊：已陪同", "listed, but a genuine visit: accompanied"),
}


def known_face_section(told: Mapping[str, Any]) -> Markup:
    """The section; where it could not run, why."""
    if not told["ran"]:
        return section(
            "未演示",
            "Not shown",
            f"这一段没有演示：{told['why']['zh']}",
            f"This part was not shown: {told['why']['en']}",
        )
    rows = [
        [both("经过摄像机的人次", "people who walked past"), text(told["passages"])],
        [both("其中名单上的人", "of these, the listed person"), text(told["passages_of_listed"])],
        [both("应报警的地点", "places where an alarm was due"), text(told["places_of_listed"])],
        [both("已报警 / 漏报 / 误报", "alarms / missed / false"), text(_three(told))],
        [both("推送 / 未被接收", "pushes / not taken"), text(f"{told['posts']} / {told['not_taken']}")],
        [
            both("数据目录中敞开的他人照片", "strangers' pictures that lie open in the data folder"),
            text(told["left"]["open_pictures"]),
        ],
        [both("冻结的图片（名单人员，已封存）", "stills of the listed person, sealed"), text(told["left"]["stills"])],
    ]
    alarms = [
        [
            element("a", both(*_place(one["place_id"])), href=one["timeline"]),
            text(f"{one['similarity']:.3f} / {one['threshold']:.3f}"),
            text(f"{one['after_s']:.1f}"),
            both(*_OUTCOMES[one["outcome"]]),
        ]
        for one in told["alarms"]
    ]
    trial = (
        [said("p", "所用模型包仅供试用，识别能力弱。", "The models are for trying out only, and weak.", class_="note")]
        if told["for_trying_out"]
        else []
    )
    plot = element(
        "figure",
        element(
            "figcaption",
            both(
                "经过两台摄像机的人，和每条报警从发出到结案（一点一步）",
                "Who walked past which camera, and each alarm from raised to closed, a dot a step",
            ),
            keys(("refused", "路人 strangers"), ("hot", "名单上的人 listed"), ("granted", "报警与处置 alarm")),
        ),
        raw(passers_by(told["walked"], told["alarms"])),
    )
    return section(
        "报警与处置",
        "Alarms, and what people did",
        f"{told['cameras']} 台模拟摄像机按 GA/T 1400 推送真实照片。一人提名、两人批准后列入名单；"
        "报警后由值班员确认、派保安、记录结果，机器不发任何命令。没有匹配上的人，什么也不留下。",
        f"{told['cameras']} simulated cameras push real photographs over GA/T 1400. One proposed, two approved; people "
        "confirmed each alarm, sent a guard and recorded the outcome. Of those who matched nobody nothing stays.",
        element("div", plot, element("div", table([("", ""), ("", "")], rows, numbers={1})), class_="pair"),
        table(
            [
                ("地点（点开看经过）", "place, and its timeline"),
                ("相似度 / 阈值", "similarity / threshold"),
                ("见到后几秒报警", "s until alarmed"),
                ("结果", "outcome"),
            ],
            alarms,
            numbers={1, 2},
            class_="gangs",
        ),
        *trial,
    )


def _place(place_id: str) -> tuple[str, str]:
    return _PLACES.get(place_id, (place_id, place_id))


def _three(told: Mapping[str, Any]) -> str:
    return f"{told['found']} / {told['missed']} / {told['false']}"
