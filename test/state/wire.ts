import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Wire {
  readonly port: number;
  /** What the server answers to the next message that holds this text does not arrive; the connection ends instead. */
  loseTheAnswerTo(text: string): void;
  /** The next message that holds this text does not arrive; the connection ends instead. */
  loseTheQuestion(text: string): void;
  /** From now on nothing is passed on in either direction, and nothing is closed. */
  fallSilent(): void;
  /** Ends every connection there is now. */
  cutAll(): void;
}

/** A wire between a client and the server on a port of this computer, that can be cut at a chosen moment. */
export async function wireTo(port: number): Promise<Wire> {
  let rule: { readonly kind: "answer" | "question"; readonly text: string } | "silence" | undefined;
  const ends = new Set<Socket>();
  const server = createServer((client) => {
    const far = connect(port, "127.0.0.1");
    let isDeaf = false;
    const end = () => {
      client.destroy();
      far.destroy();
    };
    for (const one of [client, far]) {
      ends.add(one);
      one.on("error", end);
      one.on("close", () => {
        ends.delete(one);
        end();
      });
    }
    client.on("data", (chunk) => {
      if (rule === "silence") return;
      if (rule !== undefined && chunk.includes(rule.text)) {
        const { kind } = rule;
        rule = undefined;
        if (kind === "question") return end();
        isDeaf = true;
      }
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (isDeaf) end();
      else if (rule !== "silence") client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cutAll = () => {
    for (const one of ends) one.destroy();
  };
  onTestFinished(() => {
    cutAll();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    loseTheAnswerTo: (text) => {
      rule = { kind: "answer", text };
    },
    loseTheQuestion: (text) => {
      rule = { kind: "question", text };
    },
    fallSilent: () => {
      rule = "silence";
    },
    cutAll,
  };
}
