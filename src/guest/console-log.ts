import { StringDecoder } from "node:string_decoder";
import type { Reach } from "../providers/provider.ts";
import { endedProblem, streamScript, type VerbOptions } from "./run-verb.ts";

/** Where reading begins: at a byte of the log, or so many lines before its end. */
export type LogStart = { readonly from: number } | { readonly tail: number };

// Prints the byte it begins at, on a line of its own, and then the log from there. It follows until its stdin ends, which
// the end of the connection brings about: a tail that nobody reads any more would stay for ever.
const SCRIPT = `log="\${SPOT_ROOT-}/var/lib/spot/console.log"
if [ ! -r "$log" ]; then
  [ "$3" = follow ] || exit 0
  until [ -r "$log" ]; do sleep 1; done
fi
from=$2
if [ "$1" = tail ]; then
  size=$(($(wc -c <"$log")))
  from=$((size - $(head -c "$size" "$log" | tail -n "$2" | wc -c)))
fi
echo "$from"
if [ "$3" != follow ]; then exec tail -c "+$((from + 1))" "$log"; fi
tail -c "+$((from + 1))" -f "$log" &
cat >/dev/null
kill "$!"
exit 0
`;

export interface LogReader {
  write(text: string): void;
  /** Told at the beginning and after each `write`: where reading would go on. */
  at(position: number): void;
}

/**
 * Copies the console log of a rented machine. With `follow` it goes on as more is written, until the signal fires.
 * @throws Problem when the machine cannot be reached or the connection breaks, and the signal's reason.
 */
export async function copyConsoleLog(
  reach: Reach,
  start: LogStart,
  follow: boolean,
  reader: LogReader,
  options: VerbOptions,
): Promise<void> {
  const [how, number] = "tail" in start ? ["tail", start.tail] : ["from", start.from];
  const program = await streamScript(reach, SCRIPT, [how, String(number), follow ? "follow" : "once"], options);
  if (!follow) program.stdin.end();
  const decoder = new StringDecoder("utf8");
  let heading = "";
  let position: number | undefined;
  for await (const chunk of program.stdout as AsyncIterable<Buffer>) {
    let body = chunk;
    if (position === undefined) {
      const end = chunk.indexOf(10);
      heading += chunk.toString("latin1", 0, end < 0 ? chunk.length : end);
      if (end < 0) continue;
      position = Number(heading);
      body = chunk.subarray(end + 1);
    }
    position += body.length;
    if (body.length > 0) reader.write(decoder.write(body));
    reader.at(position);
  }
  const ended = await program.done;
  if (ended.code !== 0) throw endedProblem(ended);
}
