import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import { type AwsWorld, credentialChain, type Identity, plainClient } from "./chain.ts";
import { PROVIDER } from "./codes.ts";
import { awsWire, type Wire } from "./wire.ts";

/**
 * Handed on to the wire. Not as the SDK's own `abortSignal`: it would let go of a request at once, whatever became of it, and
 * only the wire knows whether a change that was broken off had left.
 */
export interface SendOptions {
  readonly requestTimeout?: number;
  readonly signal: AbortSignal;
}

/** EC2 in every region. All throw `ProviderError`. Reads are sent again by themselves, changes once. */
export interface Api {
  /** One command of the SDK's. */
  ask<Output>(region: string, context: CallContext, send: (ec2: EC2Client, options: SendOptions) => Promise<Output>): Promise<Output>;
  readonly wire: Wire;
  readonly env: AwsWorld["env"];
  /** Our clock, in epoch milliseconds. */
  now(): number;
  /** A time of the cloud's in ours; null for none. */
  ours(time: Date | undefined): number | null;
  /** @throws ProviderError `unavailable` when the signal fires. */
  sleep(ms: number, context: CallContext): Promise<void>;
  /** Where a service is to be asked instead of where AWS has it; undefined where nobody moved it. */
  endpoint(service: "EC2" | "PRICING" | "SQS" | "STS"): string | undefined;
  /** The keys that are used now. @throws ProviderError as the chain does. */
  identity(signal: AbortSignal): Promise<Identity>;
  /** The settings of a client of another service of the SDK's. */
  clientOf(service: "ec2" | "sqs", region: string): EC2ClientConfig;
}

/** What the SDK says when it cannot make sense of an answer, in our words. Our own faults pass through it unchanged. */
function asFault(error: unknown): unknown {
  if (error instanceof ProviderError) return error;
  const words = error instanceof Error ? error.message : String(error);
  return new ProviderError(PROVIDER, { kind: "protocol" }, `an answer cannot be read: ${words.slice(0, 200)}`, null, error);
}

export function awsApi(world: AwsWorld): Api {
  const { env, clock } = world;
  const chain = credentialChain(world);
  const wire = awsWire(world, chain);
  const clients = new Map<string, EC2Client>();
  const endpoint = (service: string) => env[`AWS_ENDPOINT_URL_${service}`]?.trim() || env["AWS_ENDPOINT_URL"]?.trim() || undefined;
  /** The SDK signs nothing and sends nothing again: the wire does both. */
  const clientOf = (service: "ec2" | "sqs", region: string): EC2ClientConfig => {
    const moved = endpoint(service.toUpperCase());
    return {
      region,
      credentials: chain.provider,
      requestHandler: wire.handler(service, region),
      httpAuthSchemes: [
        {
          schemeId: "aws.auth#sigv4",
          identityProvider: (config) => config.getIdentityProvider("aws.auth#sigv4"),
          signer: { sign: async (request) => request },
        },
      ],
      ...plainClient(env),
      ...(moved === undefined ? {} : { endpoint: moved }),
    };
  };
  return {
    async ask(region, { signal }, send) {
      if (signal.aborted)
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped before it was sent", null, signal.reason as unknown);
      await chain.identity(signal);
      const ec2 = clients.get(region) ?? new EC2Client(clientOf("ec2", region));
      clients.set(region, ec2);
      try {
        return await send(ec2, { signal });
      } catch (error) {
        throw asFault(error);
      }
    },
    wire,
    env,
    now: () => clock.now(),
    ours: (time) => (time === undefined || Number.isNaN(time.getTime()) ? null : time.getTime() - wire.clockOffsetMs()),
    async sleep(ms, { signal }) {
      await clock.sleep(ms, signal).catch((error: unknown) => {
        throw new ProviderError(PROVIDER, { kind: "unavailable" }, "stopped while waiting for the cloud", null, error);
      });
    },
    endpoint,
    identity: (signal) => chain.identity(signal),
    clientOf,
  };
}
