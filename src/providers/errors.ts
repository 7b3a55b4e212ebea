/** Faults are named by what the caller must do about them. */
export type Fault =
  /** Try another offer. `scope` says how much of the market the refusal covers. */
  | { readonly kind: "no-capacity"; readonly scope: "offer" | "zone" | "region" | "provider" }
  /** The price rose above the cap. */
  | { readonly kind: "price-too-low" }
  | { readonly kind: "rate-limited"; readonly retryAfterMs: number | null }
  /** Nothing was done; the same call may be sent again. */
  | { readonly kind: "unavailable" }
  /** The request left and no answer came: it may have been done. Look for the token before anything else. */
  | { readonly kind: "ambiguous" }
  | { readonly kind: "auth" }
  /** Another offer of the same region (or, where `scope` is missing, of the same provider) would meet the same limit. */
  | { readonly kind: "quota"; readonly scope?: "region" }
  | { readonly kind: "invalid-request" }
  | { readonly kind: "not-found" }
  | { readonly kind: "conflict" }
  /** This machine, or this account, cannot do that at all; another way must be taken. Nothing was done. */
  | { readonly kind: "unsupported" }
  /** The answer does not look as documented. */
  | { readonly kind: "protocol" };

export type FaultKind = Fault["kind"];

export class ProviderError extends Error {
  readonly provider: string;
  readonly fault: Fault;
  /** The provider's own error code, for bug reports. */
  readonly rawCode: string | null;

  constructor(provider: string, fault: Fault, message: string, rawCode: string | null = null, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "ProviderError";
    this.provider = provider;
    this.fault = fault;
    this.rawCode = rawCode;
  }
}

/** True when `error` is a provider's fault of one of these kinds. */
export function isFault(error: unknown, ...kinds: readonly FaultKind[]): error is ProviderError {
  return error instanceof ProviderError && kinds.includes(error.fault.kind);
}
