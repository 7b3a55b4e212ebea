import type { AsleepBook, Source } from "../../model/asleep.ts";

const BILLING: Source = {
  document: "docs.aws.amazon.com/AWSEC2/latest/UserGuide, billing-for-interrupted-spot-instances",
  date: "2026-11",
  by: "vendor",
};
const API: Source = {
  document: "EC2 API 2016-11-15 (botocore 1.43.11): TerminateInstances, CreateVolume, AttachVolume",
  date: "2026-11",
  by: "vendor",
};
const TYPES: Source = {
  document: "DescribeInstanceTypes as scraped by moto 5.2.1: none of 65 GPU types says HibernationSupported",
  date: "2026-11",
  by: "others",
};
const INTERRUPTION: Source = {
  document: "docs.aws.amazon.com/AWSEC2/latest/UserGuide, interruption-behavior",
  date: "2026-11",
  by: "vendor",
};
const OURS: Source = { document: "docs/providers/aws.md", date: "2026-11", by: "spot" };

/** What sleeping means at AWS: the machine is terminated, its EBS volume stays in its zone. */
export const AWS_ASLEEP: AsleepBook = {
  native: null,
  parked: {
    back: {
      value: "if-stock",
      note: "another machine is rented in the volume's zone; a snapshot can be restored in a sister zone",
      source: OURS,
    },
    memory: { value: "lost", source: OURS },
    billed: {
      gpu: { value: "gone", source: BILLING },
      rootDisk: { value: "gone", note: "the root volume of an AMI is deleted with its machine", source: API },
      volume: { value: "billed", note: "EBS, by its size, at its region's price; so is each snapshot", source: BILLING },
      address: { value: "gone", note: "the public address is given back with the machine", source: { ...API, by: "inferred" } },
    },
    kept: { value: "until-deleted", source: API },
  },
  unused: [
    { what: "hibernation", why: "no GPU type can: read from the types themselves, not from a list", source: TYPES },
    {
      what: "stop of a persistent spot request",
      why: "only EC2 itself restarts what it has interrupted: same zone, same type, when it can (--on-reclaim wait orders that); EBS is billed meanwhile",
      source: INTERRUPTION,
    },
  ],
};
