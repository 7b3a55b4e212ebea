import type { FakeRequest } from "../fake-server.ts";
import { Refusal } from "./refusal.ts";
import { isSignedBy, readAmzDate, readAuthorization, type Signed } from "./sigv4.ts";
import { type AwsState, serverNow } from "./state.ts";

/**
 * What moto does not look at: the date of a request, what temporary credentials may do, and whether there is a signature at
 * all. The signature itself is checked here for every request, and by moto once more for every one that changes something.
 */
export function authenticated(state: AwsState, request: FakeRequest): Signed {
  const authorization = request.headers["authorization"];
  if (authorization === undefined) throw new Refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
  const signed = readAuthorization(authorization);
  if (signed === undefined) throw new Refusal(400, "IncompleteSignature", "The request signature does not conform to AWS standards");
  const invalid = () => new Refusal(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
  const { temporary } = state;
  const isTemporary = temporary !== null && signed.accessKeyId === temporary.accessKeyId;
  const keys = isTemporary ? temporary : state.account.user;
  if (signed.accessKeyId !== keys.accessKeyId) throw invalid();
  const token = request.headers["x-amz-security-token"];
  if (token !== (isTemporary ? temporary.sessionToken : undefined)) throw invalid();
  const date = readAmzDate(request.headers["x-amz-date"] ?? "");
  if (date === undefined || !(request.headers["x-amz-date"] ?? "").startsWith(signed.day)) throw invalid();
  if (!isSignedBy(request, signed, keys.secretAccessKey)) throw invalid();
  if (Math.abs(date - serverNow(state)) > state.switches.skewToleranceMs) throw new Refusal(400, "RequestExpired", "Request has expired.");
  const { credentialsExpireAt } = state.switches;
  if (isTemporary && credentialsExpireAt !== null && state.clock.now() >= credentialsExpireAt)
    throw new Refusal(400, "RequestExpired", "Request has expired.");
  return signed;
}

/** For each action in each region, by the second of the clock. @throws Refusal for what is too much. */
export function requireRate(state: AwsState, region: string, action: string): void {
  const { requestsPerSecond } = state.switches;
  if (requestsPerSecond === null) return;
  const now = state.clock.now();
  const key = `${region} ${action}`;
  const recent = [...(state.recent.get(key) ?? []).filter((at) => at > now - 1000), now];
  state.recent.set(key, recent);
  if (recent.length > requestsPerSecond) throw new Refusal(503, "RequestLimitExceeded", "Request limit exceeded.");
}
