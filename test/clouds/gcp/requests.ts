import type { FakeGcp } from "./fake.ts";

/** An answer of the cloud to a request that was made by hand. */
export interface Said {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the cloud says; tests look into it
  readonly body: any;
}

export interface Requests {
  /** `path` below `/compute/v1/projects/{p}/`, or below the host when it begins with a slash. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Said>;
  get(path: string): Promise<Said>;
  post(path: string, body?: unknown): Promise<Said>;
  del(path: string): Promise<Said>;
  /** Sends a change and waits for its operation, as a client does. */
  done(method: "POST" | "DELETE", path: string, body?: unknown): Promise<Said>;
  /** A Spot VM of a kind that is in stock; runs when it returns. */
  launch(name: string, change?: Readonly<Record<string, unknown>>, zone?: string): Promise<Said>;
}

export const ZONE = "us-central1-a";

/** What an adapter would send; `change` replaces whole fields. */
export function spotVm(name: string, change: Readonly<Record<string, unknown>> = {}, zone = ZONE): Readonly<Record<string, unknown>> {
  return {
    name,
    machineType: `zones/${zone}/machineTypes/g2-standard-4`,
    scheduling: SPOT,
    disks: [BOOT_DISK],
    networkInterfaces: [{ network: "global/networks/default", accessConfigs: [{ name: "external-nat", type: "ONE_TO_ONE_NAT" }] }],
    ...change,
  };
}

export const SPOT = {
  provisioningModel: "SPOT",
  instanceTerminationAction: "STOP",
  preemptible: true,
  automaticRestart: false,
  onHostMaintenance: "TERMINATE",
} as const;

export const BOOT_DISK = {
  boot: true,
  autoDelete: true,
  initializeParams: { sourceImage: "projects/debian-cloud/global/images/family/debian-12", diskSizeGb: "20" },
} as const;

export function requestsTo(cloud: FakeGcp): Requests {
  const base = `${cloud.url}/compute/v1/projects/${cloud.project}`;
  const send: Requests["send"] = async (method, path, body, headers = {}) => {
    const url = path.startsWith("/") ? `${cloud.url}${path}` : path === "" ? base : `${base}/${path}`;
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${cloud.accessToken()}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  const done: Requests["done"] = async (method, path, body) => {
    const begun = await send(method, path, body);
    if (begun.status !== 200) return begun;
    const self = new URL(begun.body.selfLink).pathname;
    return send("POST", `${self}/wait`);
  };
  return {
    send,
    done,
    get: (path) => send("GET", path),
    post: (path, body) => send("POST", path, body),
    del: (path) => send("DELETE", path),
    launch: (name, change, zone = ZONE) => done("POST", `zones/${zone}/instances`, spotVm(name, change, zone)),
  };
}
