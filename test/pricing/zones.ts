/** Zones whose clocks change at different hours, one by half an hour, and some whose days begin at one o'clock or never changed. */
export const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Havana",
  "America/Santiago",
  "America/St_Johns",
  "Asia/Beirut",
  "Asia/Kathmandu",
  "Asia/Shanghai",
  "Australia/Lord_Howe",
  "Africa/Cairo",
  "Pacific/Apia",
  "Pacific/Chatham",
] as const;
