"""Alarm words: states, steps, outcomes and targets as people read them, Chinese and English."""

from collections.abc import Mapping

Pair = tuple[str, str]

STATE_WORDS: Mapping[str, Pair] = {
    "raised": ("待接警", "raised"),
    "acknowledged": ("已接警", "acknowledged"),
    "confirmed": ("已确认", "confirmed"),
    "rejected": ("已驳回", "rejected"),
    "dispatched": ("已派警", "guard sent"),
    "accepted": ("保安员前往中", "guard on the way"),
    "arrived": ("保安员已到场", "guard there"),
    "outcome": ("已处置", "outcome recorded"),
    "handed_to_police": ("已移交公安", "handed to the police"),
    "closed": ("已关闭", "closed"),
}
STEP_WORDS: Mapping[str, Pair] = {
    "raised": ("系统报警", "raised by the machine"),
    "acknowledged": ("接警", "acknowledged"),
    "confirmed": ("人工确认", "confirmed by a person"),
    "rejected": ("人工驳回", "rejected by a person"),
    "dispatched": ("派警", "guard sent"),
    "declined": ("保安员无法前往", "guard declined"),
    "accepted": ("保安员接受", "guard accepted"),
    "arrived": ("到场", "arrived"),
    "outcome": ("处置结果", "outcome"),
    "handed_to_police": ("移交公安", "handed to the police"),
    "closed": ("关闭", "closed"),
}
OUTCOME_WORDS: Mapping[str, Pair] = {
    "removed": ("劝离", "removed"),
    "warned": ("教育警告", "warned"),
    "genuine_visit": ("在册人员正常就诊，已陪同", "listed, but a genuine visit: accompanied"),
    "lost": ("未找到", "lost"),
    "mistaken_identity": ("认错人", "mistaken identity"),
}
TARGET_WORDS: Mapping[str, Pair] = {
    "acknowledge": ("接警", "acknowledge"),
    "decide": ("确认或驳回", "confirm or reject"),
    "dispatch": ("派警", "send a guard"),
    "accept": ("保安员接受", "guard accepts"),
    "arrive": ("到场", "arrive"),
    "outcome": ("保安处置完成", "guard's outcome"),
    "police": ("移交公安", "handed to the police"),
}
