/** What a replay changes of the recorded machine, as a person writes it. */
export { readWhatIf, splitSettings } from './text.js';
export {
  AS_RECORDED,
  CACHE_SETTING_WORDS,
  type CacheChange,
  MACHINE_SETTING_WORDS,
  ORDER_MAX,
  parseWhatIf,
  type SettingParts,
  settingParts,
  UNSIGNED_MAX,
  type WhatIf,
} from './what-if.js';
