import { packedScript } from "../../model/packed-script.ts";

/** What starts a container: its entrypoint, its command, and the variables that carry what the command runs. */
export interface ContainerBoot {
  readonly entrypoint: string;
  readonly command: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
}

/** A variable's value has up to 4095 characters (create call, both vendors). */
const PIECE = 4000;
/** Characters of `command` and of `entrypoint`, and variables in all. */
export const LONGEST_COMMAND = 2047;
export const MOST_VARIABLES = 100;
export const LONGEST_VALUE = 4095;

/**
 * Packs a boot script into variables, and makes the command that unpacks and becomes it.
 *
 * How the platform splits `command` is not documented. `sh -c '…'` means the same whether it is split as a shell does it or
 * handed to a shell whole, and clients that were run against both vendors write it like that. Between the quotes there is no
 * other single quote, no backslash, no `$(` and no `$$` (a Kubernetes below would expand them). The entrypoint is one word
 * that only runs its arguments, so that an image whose own entrypoint is a program can be booted too.
 */
export function containerBoot(script: string, sshKey: string | null): ContainerBoot {
  const packed = packedScript(script);
  const pieces = Array.from({ length: Math.ceil(packed.length / PIECE) }, (_, at) => packed.slice(at * PIECE, (at + 1) * PIECE));
  const names = pieces.map((_, at) => `SPOT_BOOT_${at}`);
  const key = sshKey?.trim() ?? "";
  // The shell's own expansion: in tests a machine's root is a folder.
  const root = "$" + "{SPOT_ROOT-}";
  const unpack = [
    `l="${root}/var/lib/spot"`,
    `k="${root}/root/.ssh"`,
    "umask 077",
    'mkdir -p "$l"',
    `printf %s "${names.map((name) => `$${name}`).join("")}" | base64 -d | gzip -dc >"$l/boot.sh"`,
    ...(key === ""
      ? []
      : ['mkdir -p "$k"', '{ grep -qsF -- "$SPOT_SSH_KEY" "$k/authorized_keys" || echo "$SPOT_SSH_KEY" >>"$k/authorized_keys"; }']),
  ].join(" && ");
  const failed = 'echo "spot: the boot script could not be unpacked; the image needs sh, base64, gzip and a root that can be written" >&2';
  const inner = `(${unpack}) || { ${failed}; exit 1; }; unset ${[...names, "SPOT_SSH_KEY"].join(" ")}; exec sh "${root}/var/lib/spot/boot.sh"`;
  return {
    entrypoint: "/usr/bin/env",
    command: `sh -c '${inner}'`,
    envs: [...pieces.map((value, at) => ({ key: `SPOT_BOOT_${at}`, value })), ...(key === "" ? [] : [{ key: "SPOT_SSH_KEY", value: key }])],
  };
}
