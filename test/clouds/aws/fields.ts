import type { Parameters } from "./query.ts";
import { Refusal } from "./refusal.ts";

const FILTERS = ["Filter.N.Name", "Filter.N.Value.N"];
const PAGES = ["MaxResults", "NextToken"];
const DRY = ["DryRun"];
const TAGS = ["TagSpecification.N.ResourceType", "TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value"];
const EBS = ["DeleteOnTermination", "Encrypted", "Iops", "KmsKeyId", "SnapshotId", "Throughput", "VolumeSize", "VolumeType"];
const SPOT = ["InstanceInterruptionBehavior", "MaxPrice", "SpotInstanceType", "ValidUntil"];
const METADATA = ["HttpEndpoint", "HttpProtocolIpv6", "HttpPutResponseHopLimit", "HttpTokens", "InstanceMetadataTags"];
const PERMISSION = [
  "FromPort",
  "IpProtocol",
  "IpRanges.N.CidrIp",
  "IpRanges.N.Description",
  "Ipv6Ranges.N.CidrIpv6",
  "Ipv6Ranges.N.Description",
  "ToPort",
].map((name) => `IpPermissions.N.${name}`);
const RULES = ["GroupId", "GroupName", ...PERMISSION, ...TAGS, ...DRY];

/**
 * What each action that is played may be given, with N for a number. EC2 refuses what it does not know, moto passes over it.
 * test/vendors/aws-model.test.ts holds it against the official model.
 */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  AttachVolume: ["Device", "InstanceId", "VolumeId", "EbsCardIndex", ...DRY],
  AuthorizeSecurityGroupEgress: RULES.filter((name) => name !== "GroupName"),
  AuthorizeSecurityGroupIngress: [...RULES, "CidrIp", "FromPort", "IpProtocol", "ToPort"],
  CancelSpotInstanceRequests: ["SpotInstanceRequestId.N", ...DRY],
  CreateKeyPair: ["KeyName", "KeyType", "KeyFormat", ...TAGS, ...DRY],
  CreateSecurityGroup: ["GroupDescription", "GroupName", "VpcId", ...TAGS, ...DRY],
  CreateSnapshot: ["Description", "VolumeId", "OutpostArn", "Location", ...TAGS, ...DRY],
  CreateTags: ["ResourceId.N", "Tag.N.Key", "Tag.N.Value", ...DRY],
  CreateVolume: [
    "AvailabilityZone",
    "AvailabilityZoneId",
    "ClientToken",
    "Encrypted",
    "Iops",
    "KmsKeyId",
    "MultiAttachEnabled",
    "Size",
    "SnapshotId",
    "Throughput",
    "VolumeType",
    ...TAGS,
    ...DRY,
  ],
  DeleteKeyPair: ["KeyName", "KeyPairId", ...DRY],
  DeleteSecurityGroup: ["GroupId", "GroupName", ...DRY],
  DeleteSnapshot: ["SnapshotId", ...DRY],
  DeleteTags: ["ResourceId.N", "Tag.N.Key", "Tag.N.Value", ...DRY],
  DeleteVolume: ["VolumeId", ...DRY],
  DescribeAccountAttributes: ["AttributeName.N", ...DRY],
  DescribeAvailabilityZones: ["AllAvailabilityZones", "ZoneId.N", "ZoneName.N", ...FILTERS, ...DRY],
  DescribeImages: ["ExecutableBy.N", "ImageId.N", "IncludeDeprecated", "IncludeDisabled", "Owner.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeInstanceStatus: ["IncludeAllInstances", "InstanceId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeInstances: ["InstanceId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeInstanceTypeOfferings: ["LocationType", ...FILTERS, ...PAGES, ...DRY],
  DescribeInstanceTypes: ["InstanceType.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeKeyPairs: ["IncludePublicKey", "KeyName.N", "KeyPairId.N", ...FILTERS, ...DRY],
  DescribeRegions: ["AllRegions", "RegionName.N", ...FILTERS, ...DRY],
  DescribeSecurityGroups: ["GroupId.N", "GroupName.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeSnapshots: ["Owner.N", "RestorableBy.N", "SnapshotId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeSpotInstanceRequests: ["SpotInstanceRequestId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeSpotPriceHistory: [
    "AvailabilityZone",
    "AvailabilityZoneId",
    "EndTime",
    "InstanceType.N",
    "ProductDescription.N",
    "StartTime",
    ...FILTERS,
    ...PAGES,
    ...DRY,
  ],
  DescribeSubnets: ["SubnetId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeVolumes: ["VolumeId.N", ...FILTERS, ...PAGES, ...DRY],
  DescribeVpcs: ["VpcId.N", ...FILTERS, ...PAGES, ...DRY],
  DetachVolume: ["Device", "Force", "InstanceId", "VolumeId", ...DRY],
  GetSpotPlacementScores: [
    "InstanceType.N",
    "RegionName.N",
    "SingleAvailabilityZone",
    "TargetCapacity",
    "TargetCapacityUnitType",
    ...PAGES,
    ...DRY,
  ],
  ImportKeyPair: ["KeyName", "PublicKeyMaterial", ...TAGS, ...DRY],
  RevokeSecurityGroupIngress: [
    ...RULES.filter((name) => !name.startsWith("TagSpecification")),
    "CidrIp",
    "FromPort",
    "IpProtocol",
    "ToPort",
  ],
  RunInstances: [
    ...["DeviceName", "NoDevice", "VirtualName", ...EBS.map((name) => `Ebs.${name}`)].map((name) => `BlockDeviceMapping.N.${name}`),
    "ClientToken",
    "CpuOptions.CoreCount",
    "CpuOptions.ThreadsPerCore",
    "DisableApiTermination",
    "EbsOptimized",
    "HibernationOptions.Configured",
    "IamInstanceProfile.Arn",
    "IamInstanceProfile.Name",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceMarketOptions.MarketType",
    ...SPOT.map((name) => `InstanceMarketOptions.SpotOptions.${name}`),
    "InstanceType",
    "KeyName",
    "MaxCount",
    "MaintenanceOptions.AutoRecovery",
    ...METADATA.map((name) => `MetadataOptions.${name}`),
    "MinCount",
    "Monitoring.Enabled",
    "NetworkInterface.N.AssociatePublicIpAddress",
    "NetworkInterface.N.DeleteOnTermination",
    "NetworkInterface.N.DeviceIndex",
    "NetworkInterface.N.SecurityGroupId.N",
    "NetworkInterface.N.SubnetId",
    "Placement.AvailabilityZone",
    "Placement.GroupName",
    "Placement.Tenancy",
    "SecurityGroup.N",
    "SecurityGroupId.N",
    "SubnetId",
    "UserData",
    ...TAGS,
    ...DRY,
  ],
  StartInstances: ["InstanceId.N", ...DRY],
  StopInstances: ["Force", "Hibernate", "InstanceId.N", "SkipOsShutdown", ...DRY],
  TerminateInstances: ["Force", "InstanceId.N", "SkipOsShutdown", ...DRY],
};

/** @throws Refusal for a field that the action does not have, and for one that is given twice. */
export function requireKnownFields(action: string, parameters: Parameters): void {
  const known = new Set(["Action", "Version", ...(FIELDS[action] ?? [])]);
  const seen = new Set<string>();
  for (const name of parameters.keys()) {
    if (!known.has(name.replaceAll(/\.\d+(?=\.|$)/g, ".N")))
      throw new Refusal(400, "UnknownParameter", `The parameter ${name} is not recognized`);
    if (seen.has(name)) throw new Refusal(400, "InvalidParameterValue", `The parameter ${name} is given twice`);
    seen.add(name);
  }
}
