/** What a cloud says of a spot machine's end, for prices that nobody asked its adapter for. */
export interface SpotTerms {
  readonly noticeSeconds: number;
  /** Where nothing is promised: what a notice may last at the most, in seconds. */
  readonly noticeUpToSeconds?: number;
  readonly protectionSeconds: number;
}

/** Of the clouds that spot rents from, as their adapters have it by default (a test holds the two together). */
const TERMS: Readonly<Record<string, SpotTerms>> = {
  ppio: { noticeSeconds: 3_600, protectionSeconds: 3_600 },
  novita: { noticeSeconds: 3_600, protectionSeconds: 3_600 },
  hyperstack: { noticeSeconds: 0, protectionSeconds: 0 },
  verda: { noticeSeconds: 0, protectionSeconds: 0 },
  aws: { noticeSeconds: 120, protectionSeconds: 0 },
  alibaba: { noticeSeconds: 300, protectionSeconds: 3_600 },
  gcp: { noticeSeconds: 0, noticeUpToSeconds: 30, protectionSeconds: 0 },
};

/** No notice and no protection for a cloud whose terms nobody has told us. */
const UNKNOWN: SpotTerms = { noticeSeconds: 0, protectionSeconds: 0 };

export function spotTermsOf(provider: string): SpotTerms {
  return Object.hasOwn(TERMS, provider) ? (TERMS[provider] ?? UNKNOWN) : UNKNOWN;
}

/** The embedded cloud. */
const INVENTED = "local";

/** Whether the prices there are made up. */
export function isInvented(provider: string | undefined): boolean {
  return provider === INVENTED;
}

/** Whether spot can rent there: elsewhere a price is something to compare with. */
export function isRentable(provider: string): boolean {
  return isInvented(provider) || Object.hasOwn(TERMS, provider);
}
