import { bytesText } from "./bytes.ts";

/** Whether a checkpoint fitted the time that was left before a deadline, when its agent asked itself that. */
export interface CheckpointFit {
  /** All that would have been sealed. */
  readonly bytes: number;
  /** The slowest of the last seals. */
  readonly bytesPerSecond: number;
  /** With a margin. */
  readonly neededSeconds: number;
  readonly leftSeconds: number;
  readonly fits: boolean;
  /** One that does not fit is not begun, unless nothing at all is sealed: then there is nothing to lose. */
  readonly begun: boolean;
  /** The sealed checkpoint that stands; null when there is none. */
  readonly stands: string | null;
}

/** "12.4 GB need 95 s, 30 s are left: not started; c-… of 02:14Z stands". */
export function unfitText({ bytes, neededSeconds, leftSeconds, stands }: Omit<CheckpointFit, "fits" | "begun" | "bytesPerSecond">): string {
  const time = stands === null ? null : /^c-\d{8}T(\d{2})(\d{2})\d{2}Z/.exec(stands);
  const of = time === null ? "" : ` of ${time[1]}:${time[2]}Z`;
  return `${bytesText(bytes)} need ${neededSeconds} s, ${leftSeconds} s are left: not started; ${stands === null ? "nothing is sealed" : `${stands}${of} stands`}`;
}
