/** What a browser says of itself, in two words. */
export interface Agent {
  browser: string;
  system: string;
}

// The first that fits: others name themselves beside the ones that they are like.
const browsers: readonly [RegExp, string][] = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChrome\/|\bHeadlessChrome\/|\bCriOS\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
const systems: readonly [RegExp, string][] = [
  [/\biPad\b/, "iPad"],
  [/\biPhone\b/, "iPhone"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMacintosh\b|\bMac OS X\b/, "macOS"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];

/** Undefined for what is no browser that is known. */
export function agentOf(text: string | undefined): Agent | undefined {
  const find = (list: readonly [RegExp, string][]) => list.find(([pattern]) => pattern.test(text ?? ""))?.[1];
  const browser = find(browsers);
  const system = find(systems);
  return browser && system ? { browser, system } : undefined;
}

/** The word before a slash, for programs such as curl/8.5. */
export function programOf(text: string | undefined): string | undefined {
  return /^([\w.-]+)\/[\d.]+/.exec(text ?? "")?.[1];
}
