import { Buffer } from "node:buffer";

/**
 * Everything that stdin brings until its end, as UTF-8.
 * @throws RangeError past `mostBytes`, and the signal's reason when it fires first.
 */
export async function readStdin(mostBytes: number, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { stdin } = process;
  const stop = () => stdin.destroy(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stdin) {
      const part = Buffer.from(chunk as Uint8Array);
      bytes += part.length;
      if (bytes > mostBytes) throw new RangeError(`more than ${mostBytes} bytes`);
      chunks.push(part);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
