import { blockOffers } from "./blocked-offers.ts";
import { putBucketCopies, removeBucketCopies } from "./bucket-copies.ts";
import { noteSaid, putBudgets, removeBudgets } from "./budgets.ts";
import { putCheckpoints, removeCheckpoints } from "./checkpoints.ts";
import { putCursors } from "./cursors.ts";
import type { Differences } from "./differences.ts";
import { appendEvents } from "./events.ts";
import type { Write } from "./group-commit.ts";
import { putGuards } from "./guards.ts";
import { addInstance, changeInstance } from "./instances.ts";
import { closeIntents, openIntents } from "./intents.ts";
import { holdsLeases } from "./leases.ts";
import { noteIntervalsSeen, putLedger } from "./ledger.ts";
import type { Change, CommitResult } from "./records.ts";
import type { Executor } from "./tables.ts";
import { putVolumes } from "./volumes.ts";

/** Of transactions that wait for each other the server ends one at once, so that the others go on. */
const MOST_TRIES = 5;

async function apply(database: Executor, differs: Differences, change: Change): Promise<CommitResult> {
  const { under } = change;
  const steps: readonly (() => Promise<CommitResult>)[] = [
    async () => (under === undefined || (await holdsLeases(database, differs, under)) ? "committed" : "lost"),
    async () => (change.addInstance === undefined ? "committed" : addInstance(database, differs, change.addInstance)),
    async () => (change.instance === undefined ? "committed" : changeInstance(database, differs, change.instance)),
    () => putVolumes(database, differs, change.volumes ?? []),
  ];
  for (const step of steps) {
    const result = await step();
    if (result !== "committed") return result;
  }
  await openIntents(database, change.openIntents ?? []);
  await closeIntents(database, change.closeIntents ?? []);
  await putCheckpoints(database, change.checkpoints ?? []);
  await removeCheckpoints(database, change.removeCheckpoints ?? []);
  await putBucketCopies(database, change.bucketCopies ?? []);
  await removeBucketCopies(database, change.removeBucketCopies ?? []);
  await putLedger(database, change.ledger ?? []);
  if (change.seen !== undefined) await noteIntervalsSeen(database, change.seen);
  await blockOffers(database, change.blockOffers ?? []);
  await putBudgets(database, change.budgets ?? []);
  await noteSaid(database, change.saidBudgets ?? []);
  await removeBudgets(database, change.removeBudgets ?? []);
  await putCursors(database, change.cursors ?? []);
  await putGuards(database, change.guards ?? []);
  await appendEvents(database, differs, change.events ?? []);
  return "committed";
}

/** All of a change or nothing of it. */
export async function commitChange(write: Write, differs: Differences, change: Change): Promise<CommitResult> {
  for (let tries = 1; ; tries++) {
    try {
      return await commitOnce(write, differs, change);
    } catch (error) {
      if (tries >= MOST_TRIES || !differs.isUndone(error)) throw error;
    }
  }
}

async function commitOnce(write: Write, differs: Differences, change: Change): Promise<CommitResult> {
  const refused: { why: CommitResult } = { why: "committed" };
  try {
    await write(async (transaction) => {
      refused.why = await apply(transaction, differs, change);
      // Leaving by an error is how a transaction is rolled back.
      if (refused.why !== "committed") throw refused;
    });
  } catch (error) {
    if (error !== refused) throw error;
  }
  return refused.why;
}
