import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { isMissing } from "../missing-program.ts";
import { temporaryFolder } from "../world.ts";

/** Whether certificates can be made here. */
export function opensslAvailable(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    isMissing("openssl", "certificates");
    return false;
  }
}

export interface Certificate {
  readonly certificate: string;
  readonly certificateFile: string;
  readonly key: string;
}

/** A certificate that signs itself, for an address or a name, e.g. `IP:127.0.0.1`. */
export function selfSigned(subject: string, folder = temporaryFolder("spot-cert-")): Certificate {
  const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const about = ["-subj", "/CN=spot test", "-addext", `subjectAltName=${subject}`];
  execFileSync("openssl", ["req", "-x509", ...curve, "-days", "2", "-keyout", keyFile, "-out", certificateFile, ...about], {
    stdio: "ignore",
  });
  return { certificate: readFileSync(certificateFile, "utf8"), certificateFile, key: readFileSync(keyFile, "utf8") };
}

export interface TlsServer {
  readonly port: number;
  readonly url: string;
  /** How many requests arrived. */
  requests(): number;
}

/** An HTTPS server on loopback that answers `{}`; it is gone when the test has ended. */
export async function tlsServer({ certificate, key }: Certificate): Promise<TlsServer> {
  let requests = 0;
  const server = createServer({ cert: certificate, key }, (_, response) => {
    requests += 1;
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `https://127.0.0.1:${port}`, requests: () => requests };
}
