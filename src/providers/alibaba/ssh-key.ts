import { createHash } from "node:crypto";
import { isFault } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { remembering } from "./preparing.ts";
import { keyPairList, madeKeyPair } from "./wire.ts";

const FINGERPRINT_DIGITS = 16;

/** The key itself, without the comment behind it. */
function keyOf(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(" ");
}

export function keyPairName(line: string): string {
  const digest = createHash("sha256").update(keyOf(line)).digest("hex");
  return `spot-fleet-${digest.slice(0, FINGERPRINT_DIGITS)}`;
}

export interface SshKeys {
  /** The name of a key pair with this public key in a region; null when the cloud does not take such keys. */
  pair(region: string, publicKey: string, context: CallContext): Promise<string | null>;
  forget(): void;
}

/**
 * The page of ImportKeyPair names RSA, DSA and ECDSA and not Ed25519, which ours is. So what the cloud refuses is no failure:
 * the machine is told by its user data instead.
 */
export function sshKeys(ecs: Ecs): SshKeys {
  const known = remembering<string | null>();
  return {
    pair: (region, publicKey, context) => {
      const name = keyPairName(publicKey);
      return known.of(`${region} ${name}`, async () => {
        const find = async () => {
          const parameters = { RegionId: region, KeyPairName: name };
          const { KeyPairs } = await ecs.read({ region, action: "DescribeKeyPairs", parameters, answer: keyPairList }, context);
          return KeyPairs.KeyPair.find(({ KeyPairName }) => KeyPairName === name)?.KeyPairName;
        };
        const found = await find();
        if (found !== undefined) return found;
        const parameters = {
          RegionId: region,
          KeyPairName: name,
          PublicKeyBody: keyOf(publicKey),
          Tag: [{ Key: "spot-fleet-name", Value: name }],
        };
        try {
          return (await ecs.change({ region, action: "ImportKeyPair", parameters, answer: madeKeyPair }, context)).KeyPairName;
        } catch (error) {
          if (isFault(error, "invalid-request", "unsupported")) return null;
          const after = isFault(error, "ambiguous", "protocol", "conflict") ? await find() : undefined;
          if (after === undefined) throw error;
          return after;
        }
      });
    },
    forget: known.forget,
  };
}

/** Lines of shell by which a machine lets this key in. `user` logs in; its home is asked for unless it is root. */
export function authorizingLines(publicKey: string, user: string): string {
  const key = keyOf(publicKey).replaceAll(/[^A-Za-z0-9+/=@. -]/g, "");
  const safeUser = user.replaceAll(/[^A-Za-z0-9._-]/g, "");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own expansion; only machines of tests have a root of their own
  const root = '"${SPOT_ROOT-}"';
  const home = safeUser === "root" ? `${root}/root` : `${root}"$(getent passwd ${safeUser} | cut -d: -f6)"`;
  return [
    `spot_ssh=${home}/.ssh`,
    'mkdir -p "$spot_ssh"',
    'chmod 700 "$spot_ssh"',
    `grep -qsF '${key}' "$spot_ssh/authorized_keys" || echo '${key}' >>"$spot_ssh/authorized_keys"`,
    'chmod 600 "$spot_ssh/authorized_keys"',
    ...(safeUser === "root" ? [] : [`chown -R ${safeUser} "$spot_ssh"`]),
    "",
  ].join("\n");
}
