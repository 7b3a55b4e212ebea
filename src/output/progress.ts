/** What is going on, on stderr: a spinner on a terminal, plain lines otherwise, nothing when quiet. */
export interface Progress {
  /** Replaces the line of the step under way. */
  step(text: string): void;
  /** Ends the step under way well. */
  done(text: string): void;
  /** A line that stays, whatever is under way. */
  note(text: string): void;
  warn(text: string): void;
  /** Clears whatever is under way. */
  stop(): void;
}
