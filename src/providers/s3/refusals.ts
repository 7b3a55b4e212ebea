import { EXIT } from "../../model/exit-codes.ts";
import { Problem } from "../../model/problem.ts";
import { type BucketPlace, bucketText } from "../bucket.ts";
import { quoted } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";

/** What the SDK throws for an answer that is no success. */
interface Refusal {
  /** The server's code, `NoSuchKey`; the SDK's own where the server said none. */
  readonly code: string;
  readonly status: number;
  readonly words: string;
}

function refusalIn(error: unknown): Refusal | null {
  if (!(error instanceof Error)) return null;
  const { $metadata, Code } = error as { readonly $metadata?: { readonly httpStatusCode?: number }; readonly Code?: unknown };
  const status = $metadata?.httpStatusCode;
  if (status === undefined) return null;
  return { code: typeof Code === "string" ? Code : error.name, status, words: quoted(error.message) };
}

const MISSING_KEY = /^(?:NoSuchKey|NotFound|NoSuchUpload|404)$/;
/** The bytes changed on their way, or the clock was wrong, which the SDK has set by now: sent again it may do. */
const SENT_AGAIN =
  /^(?:BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|RequestTimeTooSkewed|RequestTimeout|IncompleteBody|SlowDown|InternalError|OperationAborted)$/;
const NOT_ALLOWED =
  /^(?:AccessDenied|AllAccessDisabled|AccountProblem|InvalidAccessKeyId|InvalidToken|ExpiredToken|TokenRefreshRequired|SignatureDoesNotMatch|NotSignedUp|InvalidSecurity|Forbidden|403|UnauthorizedAccess)$/;
const CANNOT = /^(?:NotImplemented|MethodNotAllowed|XNotImplemented)$/;

/** Whether there is nothing under that key, or no such upload. A bucket that is not there is something else. */
export function saysMissing(error: unknown): boolean {
  const refusal = refusalIn(error);
  return refusal !== null && refusal.code !== "NoSuchBucket" && (refusal.status === 404 || MISSING_KEY.test(refusal.code));
}

/** Whether the server has no such operation. */
export function saysCannot(error: unknown): boolean {
  const refusal = refusalIn(error);
  return refusal !== null && (refusal.status === 501 || refusal.status === 405 || CANNOT.test(refusal.code));
}

/** Whether it may do when it is sent again: no whole answer came, or one that says so. */
export function mayPass(error: unknown): boolean {
  if (error instanceof Problem) return false;
  if (error instanceof ProviderError) return error.fault.kind === "unavailable" || error.fault.kind === "rate-limited";
  const refusal = refusalIn(error);
  if (refusal === null) return true;
  return (refusal.status >= 500 && refusal.status !== 501) || refusal.status === 429 || SENT_AGAIN.test(refusal.code);
}

/** A refusal in words for people; anything else is passed through. */
export function asProblem(error: unknown, place: BucketPlace, asked: string): unknown {
  if (error instanceof Problem || error instanceof ProviderError) return error;
  const refusal = refusalIn(error);
  const where = bucketText(place);
  if (refusal === null) {
    const words =
      error instanceof Error ? `${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ""}` : String(error);
    return new Problem({
      code: "SPOT_E_UNAVAILABLE",
      message: `${where}: ${asked}: no answer (${quoted(words)})`,
      exit: EXIT.failed,
      retryable: true,
      hint: "what is there already is not sent again",
      cause: error,
    });
  }
  const { code, status, words } = refusal;
  const said = `${where}: ${asked}: ${words === "" || words === code ? code : `${words} (${code})`}`;
  if (code === "NoSuchBucket")
    return new Problem({
      code: "SPOT_E_NOT_FOUND",
      message: `${where}: there is no bucket ${place.bucket} here`,
      exit: EXIT.notFound,
      hint: "a server other than AWS is named by AWS_ENDPOINT_URL_S3",
      next: [`aws s3 mb s3://${place.bucket}`],
      cause: error,
    });
  if (status === 404) return new Problem({ code: "SPOT_E_NOT_FOUND", message: said, exit: EXIT.notFound, cause: error });
  if (status === 401 || status === 403 || NOT_ALLOWED.test(code))
    return new Problem({
      code: "SPOT_E_CREDENTIALS",
      message: said,
      exit: EXIT.credentials,
      hint: "keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or whatever else the SDK finds",
      next: ["aws sts get-caller-identity"],
      cause: error,
    });
  if (mayPass(error))
    return new Problem({
      code: "SPOT_E_UNAVAILABLE",
      message: said,
      exit: EXIT.failed,
      retryable: true,
      hint: "what is there already is not sent again",
      cause: error,
    });
  const region = status === 301 || /^(?:PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/.test(code);
  return new Problem({
    code: "SPOT_E_INVALID_REQUEST",
    message: said,
    exit: EXIT.failed,
    ...(region ? { hint: "the bucket is in another region: AWS_REGION" } : {}),
    cause: error,
  });
}
