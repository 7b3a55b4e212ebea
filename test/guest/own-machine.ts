import { onTestFinished } from "vitest";
import { eventually, type Machine, type MachineOptions, makeMachine } from "./machine.ts";

type Settings = Parameters<Machine["boot"]>[0];

/** A machine that nobody has started yet, and that is gone when the test that asks for it has ended. */
export async function ownMachine(options: MachineOptions = {}): Promise<Machine> {
  const machine = await makeMachine(options);
  onTestFinished(() => machine.close());
  return machine;
}

/** The same, booted. */
export async function bootedMachine(settings: Settings = {}, options: MachineOptions = {}): Promise<Machine> {
  const machine = await ownMachine(options);
  machine.boot(settings);
  return machine;
}

/** The same, when its workload runs. */
export async function workingMachine(settings: Settings = {}, options: MachineOptions = {}): Promise<Machine> {
  const machine = await bootedMachine(settings, options);
  await workloadRuns(machine);
  return machine;
}

/** Waits until the machine's workload runs. */
export async function workloadRuns(machine: Pick<Machine, "verb">): Promise<void> {
  await eventually("a running workload", async () => ((await machine.verb("status")).stdout.includes('"running"') ? true : undefined));
}

/** Waits until the machine's workload is over. */
export async function workloadIsOver(machine: Pick<Machine, "verb">): Promise<void> {
  await eventually("the workload's end", async () => ((await machine.verb("status")).stdout.includes('"exited"') ? true : undefined));
}
