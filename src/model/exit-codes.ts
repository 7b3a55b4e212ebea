/** The exit codes that scripts may rely on. Frozen: a meaning never moves to another number. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  credentials: 4,
  noCapacity: 5,
  partial: 6,
  verification: 7,
  pending: 8,
  notFound: 9,
  bug: 70,
  timeout: 124,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
