"""Known face section of the demo's report: what was found, what was missed, what came of it, and what was forgotten."""

from collections.abc import Mapping
from typing import Any

from shouhao.kernel.markup import Markup, element, text
from shouhao.lab.markup import both, said, table
from shouhao.lab.report_sections import section

_OUTCOMES = {
    "removed": ("已驱离，移交警方", "removed, and handed to the police"),
    "genuine_visit": ("名单人员，本次确来就诊：已陪同", "listed, but a genuine visit: accompanied"),
}


def known_face_section(told: Mapping[str, Any]) -> Markup:
    """The section; where it could not run, why."""
    if not told["ran"]:
        return section(
            "认出名单上的人",
            "A known face",
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
            text(one["place_id"]),
            text(f"{one['similarity']:.3f} / {one['threshold']:.3f}"),
            both(*_OUTCOMES[one["outcome"]]),
            element("a", text(one["timeline"]), href=one["timeline"]),
        ]
        for one in told["alarms"]
    ]
    trial = (
        [said("p", "所用模型包仅供试用，识别能力弱。", "The models are for trying out only, and weak.", class_="note")]
        if told["for_trying_out"]
        else []
    )
    return section(
        "认出名单上的人",
        "A known face",
        f"{told['cameras']} 台模拟摄像机按 GA/T 1400 推送真实照片。一人提名、两人批准后列入名单；"
        "报警后由值班员确认、派保安、记录结果，机器不发任何命令。没有匹配上的人，什么也不留下。",
        f"{told['cameras']} simulated cameras push real photographs over GA/T 1400. One proposed, two approved; people "
        "confirmed each alarm, sent a guard and recorded the outcome. Of those who matched nobody nothing stays.",
        table([("", ""), ("", "")], rows, numbers={1}),
        table(
            [
                ("地点", "place"),
                ("相似度 / 阈值", "similarity / threshold"),
                ("结果", "outcome"),
                ("经过", "timeline"),
            ],
            alarms,
            numbers=set(),
        ),
        *trial,
    )


def _three(told: Mapping[str, Any]) -> str:
    return f"{told['found']} / {told['missed']} / {told['false']}"
