import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./site.ts";

interface KeyPair {
  readonly publicKey: KeyObject;
  /** PKCS #8, as in Google's files. */
  readonly pem: string;
}

/** Making one takes a while; one for the whole process is enough. */
const keyPair: () => KeyPair = (() => {
  let made: KeyPair | undefined;
  return () => {
    if (made === undefined) {
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      made = { publicKey, pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
    }
    return made;
  };
})();

export const CLIENT_EMAIL = `spot-tests@${PROJECT}.iam.gserviceaccount.com`;
const CLIENT_ID = "764086051850-canary.apps.googleusercontent.com";
const CLIENT_SECRET = "canary-gcp-client-secret-d-FL95Q19q";
const REFRESH_TOKEN = "canary-gcp-refresh-1-0gX2";
const KEY_ID = "canary-gcp-key-5b0c9d41e7";

export interface Credentials {
  readonly publicKey: KeyObject;
  readonly tokenUri: string;
  readonly keyId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** The files. */
  readonly serviceAccount: string;
  readonly authorizedUser: string;
  /** What must be found in no output. */
  readonly secrets: readonly string[];
}

/** Writes `service-account.json` and `authorized_user.json`, as Google's console and `gcloud` write them. */
export function writeCredentials(folder: string, tokenUri: string): Credentials {
  const { publicKey, pem } = keyPair();
  const serviceAccount = join(folder, "service-account.json");
  const authorizedUser = join(folder, "authorized_user.json");
  const write = (path: string, content: unknown) => writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  write(serviceAccount, {
    type: "service_account",
    project_id: PROJECT,
    private_key_id: KEY_ID,
    private_key: pem,
    client_email: CLIENT_EMAIL,
    client_id: "103811234567890123456",
    auth_uri: "https://accounts.google.com/o/oauth2/auth",
    token_uri: tokenUri,
    auth_provider_x509_cert_url: "https://www.googleapis.com/oauth2/v1/certs",
    client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(CLIENT_EMAIL)}`,
    universe_domain: "googleapis.com",
  });
  // The real file has no token_uri; Google's own libraries take one where it is there.
  write(authorizedUser, {
    type: "authorized_user",
    account: "",
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    refresh_token: REFRESH_TOKEN,
    token_uri: tokenUri,
    universe_domain: "googleapis.com",
  });
  return {
    publicKey,
    tokenUri,
    keyId: KEY_ID,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    refreshToken: REFRESH_TOKEN,
    serviceAccount,
    authorizedUser,
    secrets: [CLIENT_SECRET, REFRESH_TOKEN, KEY_ID, pem.split("\n")[1] ?? pem],
  };
}
