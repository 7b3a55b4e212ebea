/** The zones of each region that this EC2 can have, with their ids, which are the same for every account. */
export const REGIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "us-east-1": { "us-east-1a": "use1-az6", "us-east-1b": "use1-az1", "us-east-1c": "use1-az2" },
  "us-west-2": { "us-west-2a": "usw2-az2", "us-west-2b": "usw2-az1" },
  "eu-west-1": { "eu-west-1a": "euw1-az3", "eu-west-1b": "euw1-az1" },
};

export interface CatalogueType {
  readonly name: string;
  readonly vcpus: number;
  /** USD an hour; "" where there is no such market. */
  readonly onDemand: string;
  readonly spot: string;
  /** Last letters of the zones that have it. */
  readonly zones: string;
}

const type = (name: string, vcpus: number, onDemand: string, spot: string, zones = "abc"): CatalogueType => ({
  name,
  vcpus,
  onDemand,
  spot,
  zones,
});

/** Types of the real EC2, as many as make a difference; what else is known of each is moto's. Prices are of about 2026. */
export const TYPES: readonly CatalogueType[] = [
  type("g4dn.xlarge", 4, "0.526", "0.1934"),
  type("g4dn.2xlarge", 8, "0.752", "0.2731"),
  type("g4dn.12xlarge", 48, "3.912", "1.6411"),
  type("g4ad.xlarge", 4, "0.37853", "0.1301", "a"),
  type("g5.xlarge", 4, "1.006", "0.4127"),
  type("g5.12xlarge", 48, "5.672", "2.4413", "ab"),
  type("g5g.xlarge", 4, "0.42", "0.1602", "ab"),
  type("g6.xlarge", 4, "0.8048", "0.3311"),
  type("g6.12xlarge", 48, "4.6016", "2.0713", "ab"),
  type("g6e.xlarge", 4, "1.861", "0.9021", "ab"),
  type("g6f.large", 2, "0.202", "0.0921", "a"),
  type("gr6.4xlarge", 16, "1.5392", "0.6611", "a"),
  type("p3dn.24xlarge", 96, "31.212", "9.3636", "b"),
  type("p4d.24xlarge", 96, "21.95764", "9.8123", "ab"),
  type("p4de.24xlarge", 96, "27.44705", "12.7713", "a"),
  type("p5.4xlarge", 16, "6.88", "3.1011", "a"),
  type("p5.48xlarge", 192, "55.04", "21.4411", "ab"),
  type("p5en.48xlarge", 192, "63.296", "", "a"),
  type("dl1.24xlarge", 96, "13.10904", "3.9311", "a"),
  type("m5.large", 2, "0.096", "0.0381"),
];

export interface CatalogueImage {
  readonly id: string;
  readonly name: string;
  readonly ownerId: string;
  readonly ownerAlias: string;
  readonly architecture: string;
  readonly createdAt: string;
  readonly state: string;
}

const image = (digits: string, name: string, createdAt: string, change: Partial<CatalogueImage> = {}): CatalogueImage => ({
  id: `ami-0${digits}`,
  name,
  ownerId: "898082745236",
  ownerAlias: "amazon",
  architecture: "x86_64",
  createdAt,
  state: "available",
  ...change,
});

const BASE = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)";
const BASE_ARM = "Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)";

/** The images of a region; ids differ between regions. Not in order of age, as EC2 answers. */
export function imagesOf(region: string): readonly CatalogueImage[] {
  const tail = Buffer.from(region).toString("hex").slice(-6);
  return [
    image(`aa00000001${tail}`, `${BASE} 20260814`, "2026-08-14T07:11:02.000Z"),
    image(`aa00000003${tail}`, `${BASE} 20261106`, "2026-11-06T07:11:02.000Z"),
    image(`aa00000002${tail}`, `${BASE} 20261003`, "2026-10-03T07:11:02.000Z"),
    image(`aa00000004${tail}`, `${BASE} 20261120`, "2026-11-20T07:11:02.000Z", { state: "pending" }),
    image(`ab00000001${tail}`, `${BASE_ARM} 20261106`, "2026-11-06T08:00:00.000Z", { architecture: "arm64" }),
    image(`ac00000001${tail}`, `${BASE} 20261110`, "2026-11-10T00:00:00.000Z", { ownerId: "666666666666", ownerAlias: "" }),
    image(`ad00000001${tail}`, "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20261015", "2026-10-15T00:00:00.000Z", {
      ownerId: "099720109477",
      ownerAlias: "amazon",
    }),
  ];
}

/** USD a GB and month. */
export const EBS_PRICE = "0.08";
export const SNAPSHOT_PRICE = "0.05";
