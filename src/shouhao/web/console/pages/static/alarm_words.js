// Words of alarms: states, steps, outcomes, targets.

export const STATES = {
  raised: ["待确认收到", "Raised"],
  acknowledged: ["比对中", "Looked at"],
  confirmed: ["已确认本人", "Confirmed"],
  rejected: ["已驳回", "Rejected"],
  dispatched: ["已派保安", "Guard sent"],
  accepted: ["保安已接", "Guard on the way"],
  arrived: ["保安已到", "Guard there"],
  outcome: ["已处置", "Dealt with"],
  handed_to_police: ["已移交警方", "With the police"],
  closed: ["已关闭", "Closed"],
};
export const STEPS = {
  acknowledged: ["收到", "Acknowledge"],
  confirmed: ["是本人", "Same person"],
  rejected: ["不是，驳回", "Not the person"],
  dispatched: ["派保安", "Send a guard"],
  declined: ["保安无法前往", "Guard cannot go"],
  accepted: ["代记：已接", "For the guard: accepted"],
  arrived: ["代记：已到", "For the guard: arrived"],
  outcome: ["记录结果", "Record the outcome"],
  handed_to_police: ["移交警方", "Hand to the police"],
  closed: ["关闭", "Close"],
};
export const OUTCOMES = {
  removed: ["已驱离", "Removed"],
  warned: ["已警告", "Warned"],
  genuine_visit: ["名单人员，本次确来就诊：已陪同", "Listed, but a genuine visit: accompanied"],
  lost: ["未找到", "Lost"],
  mistaken_identity: ["认错人", "Mistaken identity"],
};
export const HEALTH = {
  online: ["正常", "well"],
  late: ["迟缓", "slow"],
  offline: ["离线", "offline"],
  never: ["从未上报", "never heard"],
  silent: ["无抓拍", "no captures"],
};
export const TARGETS = {
  acknowledge: ["收到", "Acknowledge"],
  decide: ["比对", "Decide"],
  dispatch: ["派出", "Send"],
  accept: ["接警", "Accept"],
  arrive: ["到场", "Arrive"],
  outcome: ["处置结果", "Outcome"],
  police: ["移交警方", "Police"],
};
export const GROUNDS = { resale: ["倒卖号源", "reselling"], touting: ["医托揽客", "touting"], disorder: ["扰乱医疗秩序", "disorder"], grabbing_tool: ["使用或出售抢号软件", "grabbing software"], false_identity: ["冒用他人身份挂号", "false identity"], police_notice: ["公安机关通报", "police notice"], other: ["其他", "other"] };
