import type { AsleepBook, Source } from "../../model/asleep.ts";
import { endedTerms, ownPage, vendor } from "../asleep-terms.ts";

const BILLING = vendor("docs.aws.amazon.com/AWSEC2/latest/UserGuide, billing-for-interrupted-spot-instances", "2026-11");
const API = vendor("EC2 API 2016-11-15 (botocore 1.43.11): TerminateInstances, CreateVolume, AttachVolume", "2026-11");
const INTERRUPTION = vendor("docs.aws.amazon.com/AWSEC2/latest/UserGuide, interruption-behavior", "2026-11");
const TYPES: Source = {
  document: "DescribeInstanceTypes as scraped by moto 5.2.1: none of 65 GPU types says HibernationSupported",
  date: "2026-11",
  by: "others",
};

/** What sleeping means at AWS: the machine is terminated, its EBS volume stays in its zone. */
export const AWS_ASLEEP: AsleepBook = {
  native: null,
  parked: endedTerms({
    page: ownPage("aws"),
    back: "another machine is rented in the volume's zone; a snapshot can be restored in a sister zone",
    gpu: { source: BILLING },
    rootDisk: { note: "the root volume of an AMI is deleted with its machine", source: API },
    volume: { note: "EBS, by its size, at its region's price; so is each snapshot", source: BILLING },
    address: { note: "the public address is given back with the machine", source: { ...API, by: "inferred" } },
    kept: { source: API },
  }),
  unused: [
    { what: "hibernation", why: "no GPU type can: read from the types themselves, not from a list", source: TYPES },
    {
      what: "stop of a persistent spot request",
      why: "only EC2 itself restarts what it has interrupted: same zone, same type, when it can (--on-reclaim wait orders that); EBS is billed meanwhile",
      source: INTERRUPTION,
    },
  ],
};
