/**
 * The calls that the fake serves, with the parameters it understands. In our own notation: `Name` is a string, `Name#` an
 * integer, `Name~` a decimal number, `Name?` a boolean; `Name[]` a list of strings (`Name.1`), `Name[a b#]` a list of structures
 * (`Name.1.a`); `!` behind it: it must be there. The vendor knows more of them; those are refused here rather than ignored.
 */
const TAG = "Tag[Key Value]";
const PAGES = "PageNumber# PageSize#";
const NEXT = "MaxResults# NextToken";
const BATCH = "RegionId! InstanceId[]! BatchOptimization DryRun?";
const DISK = "Size# Category PerformanceLevel DeleteWithInstance? SnapshotId Device DiskName Description Encrypted";

export const CALLS: Readonly<Record<string, string>> = {
  RunInstances: `RegionId! ZoneId VSwitchId ImageId ImageFamily InstanceType SecurityGroupId SecurityGroupIds[] InstanceChargeType
    SpotStrategy SpotPriceLimit~ SpotDuration# SpotInterruptionBehavior ClientToken Amount# MinAmount# DryRun? AutoReleaseTime
    DeletionProtection? UserData ${TAG} InternetMaxBandwidthOut# InternetMaxBandwidthIn# InternetChargeType KeyPairName Password
    PasswordInherit? SystemDisk.Category SystemDisk.Size SystemDisk.PerformanceLevel SystemDisk.DiskName SystemDisk.Description
    DataDisk[${DISK}] HttpEndpoint HttpTokens HttpPutResponseHopLimit# RamRoleName HostName InstanceName UniqueSuffix? Description
    PrivatePoolOptions.MatchCriteria PrivatePoolOptions.Id IoOptimized ResourceGroupId HibernationOptions.Configured?
    SecurityEnhancementStrategy CreditSpecification`,
  DescribeInstances: `RegionId! InstanceIds InstanceName InstanceType InstanceTypeFamily InstanceChargeType ZoneId VpcId VSwitchId
    SecurityGroupId KeyPairName ImageId Status LockReason PublicIpAddresses PrivateIpAddresses ${TAG} ${PAGES} ${NEXT} DryRun?
    InstanceNetworkType AdditionalAttributes[]`,
  DescribeInstanceStatus: `RegionId! ZoneId InstanceId[] ${PAGES}`,
  DescribeInstanceHistoryEvents: `RegionId! InstanceId ResourceId[] ResourceType EventId[] InstanceEventType[]
    InstanceEventCycleStatus[] EventType EventCycleStatus ImpactLevel EventPublishTime.Start EventPublishTime.End NotBefore.Start
    NotBefore.End ${PAGES} ${NEXT} ${TAG}`,
  StartInstance: "InstanceId! DryRun? InitLocalDisk?",
  StartInstances: BATCH,
  StopInstance: "InstanceId! DryRun? ForceStop? StoppedMode ConfirmStop? Hibernate?",
  StopInstances: `${BATCH} ForceStop? StoppedMode`,
  DeleteInstance: "InstanceId! DryRun? Force? ForceStop? TerminateSubscription?",
  DeleteInstances: "RegionId! InstanceId[]! ClientToken DryRun? Force? ForceStop? TerminateSubscription?",
  ModifyInstanceAutoReleaseTime: "InstanceId! AutoReleaseTime RegionId",
  CreateDisk: `RegionId! ZoneId InstanceId DiskCategory PerformanceLevel Size# SnapshotId DiskName Description Encrypted? KMSKeyId
    ClientToken ResourceGroupId MultiAttach ${TAG} BurstingEnabled? ProvisionedIops#`,
  DescribeDisks: `RegionId! ZoneId DiskIds InstanceId DiskType Category Status SnapshotId DiskName DiskChargeType
    DeleteWithInstance? Portable? LockReason ${TAG} ${PAGES} ${NEXT} DryRun? AdditionalAttributes[]`,
  AttachDisk: "InstanceId! DiskId! DeleteWithInstance? Device Bootable? KeyPairName Password Force?",
  DetachDisk: "InstanceId! DiskId! DeleteWithInstance?",
  DeleteDisk: "DiskId!",
  ModifyDiskAttribute: "RegionId DiskId DiskIds[] DiskName Description DeleteWithInstance? DeleteAutoSnapshot? EnableAutoSnapshot?",
  CreateSnapshot: `DiskId! SnapshotName Description RetentionDays# Category ClientToken ResourceGroupId InstantAccess?
    InstantAccessRetentionDays# ${TAG}`,
  DescribeSnapshots: `RegionId! SnapshotIds DiskId InstanceId SnapshotName Status SnapshotType Usage SourceDiskType Category ${TAG}
    ${PAGES} ${NEXT} DryRun?`,
  DeleteSnapshot: "SnapshotId! Force?",
  CreateSnapshotGroup: `RegionId! InstanceId DiskId[] ExcludeDiskId[] Name Description ClientToken ResourceGroupId InstantAccess?
    InstantAccessRetentionDays# ${TAG}`,
  DescribeSnapshotGroups: `RegionId! InstanceId SnapshotGroupId[] Name Status[] ${TAG} ${NEXT} AdditionalAttributes[]`,
  DeleteSnapshotGroup: "RegionId! SnapshotGroupId!",
  TagResources: "RegionId! ResourceType! ResourceId[]! Tag[Key! Value!]!",
  UntagResources: "RegionId! ResourceType! ResourceId[]! TagKey[] All?",
  ListTagResources: `RegionId! ResourceType! ResourceId[] ${TAG} NextToken`,
  DescribeRegions: "AcceptLanguage InstanceChargeType ResourceType",
  DescribeZones: "RegionId! AcceptLanguage InstanceChargeType SpotStrategy Verbose?",
  DescribeVpcs: `RegionId! VpcId IsDefault? ${PAGES}`,
  DescribeVSwitches: `RegionId VSwitchId VpcId ZoneId IsDefault? ${PAGES}`,
  DescribeSecurityGroups: `RegionId! SecurityGroupId SecurityGroupIds SecurityGroupName SecurityGroupType VpcId NetworkType
    FuzzyQuery? ${TAG} ${PAGES} ${NEXT} DryRun?`,
  CreateSecurityGroup: `RegionId! VpcId SecurityGroupName SecurityGroupType Description ClientToken ResourceGroupId ${TAG}`,
  AuthorizeSecurityGroup: `RegionId! SecurityGroupId! IpProtocol PortRange SourceCidrIp SourceGroupId SourcePortRange DestCidrIp
    Policy Priority NicType Description ClientToken
    Permissions[IpProtocol PortRange SourceCidrIp SourceGroupId Policy Priority NicType Description]`,
  DeleteSecurityGroup: "RegionId! SecurityGroupId!",
  ImportKeyPair: `RegionId! KeyPairName! PublicKeyBody! ResourceGroupId ${TAG}`,
  DeleteKeyPairs: "RegionId! KeyPairNames!",
  DescribeKeyPairs: `RegionId! KeyPairName KeyPairFingerPrint IncludePublicKey? ResourceGroupId ${TAG} ${PAGES}`,
  DescribeImages: `RegionId! ImageId ImageName ImageFamily ImageOwnerAlias OSType Architecture Status InstanceType Usage IsPublic?
    IsSupportCloudinit? IsSupportIoOptimized? ActionType ShowExpired? DryRun? ${TAG} ${PAGES}`,
  DescribeInstanceTypes: `InstanceTypes[] InstanceTypeFamily InstanceTypeFamilies[] InstanceCategory GPUSpec GpuSpecs[]
    MinimumGPUAmount# MaximumGPUAmount# MinimumCpuCoreCount# MaximumCpuCoreCount# MinimumMemorySize~ MaximumMemorySize~
    CpuArchitecture LocalStorageCategory MaxResults# NextToken`,
  DescribeAvailableResource: `RegionId! DestinationResource! ZoneId InstanceType InstanceChargeType SpotStrategy SpotDuration#
    IoOptimized NetworkCategory SystemDiskCategory DataDiskCategory ResourceType Cores# Memory~ Scope`,
  DescribeSpotPriceHistory: `RegionId! NetworkType! InstanceType! ZoneId OSType SpotDuration# StartTime EndTime Offset#
    IoOptimized`,
  DescribeSpotAdvice: "RegionId! ZoneId Cores# Memory~ MinCores# MinMemory~ InstanceTypes[] InstanceTypeFamily GpuSpec GpuAmount#",
  DescribePrice: `RegionId! ResourceType InstanceType SpotStrategy SpotDuration# ZoneId PriceUnit Period# Amount# ImageId
    InstanceNetworkType IoOptimized InternetChargeType InternetMaxBandwidthOut# SystemDisk.Category SystemDisk.Size#
    SystemDisk.PerformanceLevel DataDisk[Category PerformanceLevel Size#]`,
};
