"""The kinds of jobs that a question may name; this node has those of OCR, of a schedule, and on request."""

from typing import Final

JOB_KINDS: Final = """
union JobSpec = OCRSpec | CronSpec | WebhookSpec | OCR2Spec | BootstrapSpec | DirectRequestSpec | FluxMonitorSpec
  | KeeperSpec | VRFSpec | BlockhashStoreSpec | BlockHeaderFeederSpec | GatewaySpec | WorkflowSpec
  | StandardCapabilitiesSpec | StreamSpec | CCIPSpec | CCVCommitteeVerifierSpec | CCVExecutorSpec

type OCRSpec {
  blockchainTimeout: String blockchainTimeoutEnv: Boolean! contractAddress: String!
  contractConfigConfirmations: Int contractConfigConfirmationsEnv: Boolean!
  contractConfigTrackerPollInterval: String contractConfigTrackerPollIntervalEnv: Boolean!
  contractConfigTrackerSubscribeInterval: String contractConfigTrackerSubscribeIntervalEnv: Boolean!
  createdAt: Time! evmChainID: String isBootstrapPeer: Boolean! keyBundleID: String observationTimeout: String
  observationTimeoutEnv: Boolean! p2pv2Bootstrappers: [String!] transmitterAddress: String databaseTimeout: String
  observationGracePeriod: String contractTransmitterTransmitTimeout: String
}
type CronSpec { schedule: String! evmChainID: String createdAt: Time! }
type WebhookSpec { createdAt: Time! }
type OCR2Spec {
  blockchainTimeout: String contractID: String! contractConfigConfirmations: Int
  contractConfigTrackerPollInterval: String createdAt: Time! ocrKeyBundleID: String monitoringEndpoint: String
  p2pv2Bootstrappers: [String!] relay: String! relayConfig: Map! onchainSigningStrategy: Map transmitterID: String
  pluginType: String! pluginConfig: Map! feedID: String
}
type BootstrapSpec {
  id: ID! contractID: String! relay: String! relayConfig: Map! monitoringEndpoint: String blockchainTimeout: String
  contractConfigTrackerPollInterval: String contractConfigConfirmations: Int createdAt: Time!
}
type DirectRequestSpec {
  contractAddress: String! createdAt: Time! evmChainID: String minIncomingConfirmations: Int!
  minContractPaymentLinkJuels: String! requesters: [String!]
}
type FluxMonitorSpec {
  absoluteThreshold: Float! contractAddress: String! createdAt: Time! drumbeatEnabled: Boolean!
  drumbeatRandomDelay: String drumbeatSchedule: String evmChainID: String idleTimerDisabled: Boolean!
  idleTimerPeriod: String! minPayment: String pollTimerDisabled: Boolean! pollTimerPeriod: String! threshold: Float!
}
type KeeperSpec { contractAddress: String! createdAt: Time! evmChainID: String fromAddress: String }
type VRFSpec {
  coordinatorAddress: String! createdAt: Time! evmChainID: String fromAddresses: [String!]
  minIncomingConfirmations: Int! pollPeriod: String! publicKey: String! requestedConfsDelay: Int!
  requestTimeout: String! batchCoordinatorAddress: String batchFulfillmentEnabled: Boolean!
  batchFulfillmentGasMultiplier: Float! chunkSize: Int! backoffInitialDelay: String! backoffMaxDelay: String!
  gasLanePrice: String vrfOwnerAddress: String
}
type BlockhashStoreSpec {
  coordinatorV1Address: String coordinatorV2Address: String coordinatorV2PlusAddress: String waitBlocks: Int!
  lookbackBlocks: Int! blockhashStoreAddress: String! trustedBlockhashStoreAddress: String
  trustedBlockhashStoreBatchSize: Int! pollPeriod: String! runTimeout: String! evmChainID: String
  fromAddresses: [String!] createdAt: Time!
}
type BlockHeaderFeederSpec {
  coordinatorV1Address: String coordinatorV2Address: String coordinatorV2PlusAddress: String waitBlocks: Int!
  lookbackBlocks: Int! blockhashStoreAddress: String! batchBlockhashStoreAddress: String! pollPeriod: String!
  runTimeout: String! evmChainID: String getBlockhashesBatchSize: Int! storeBlockhashesBatchSize: Int!
  fromAddresses: [String!] createdAt: Time!
}
type GatewaySpec { id: ID! gatewayConfig: Map! createdAt: Time! }
type WorkflowSpec { id: ID! workflowID: String! workflow: String! workflowOwner: String! createdAt: Time! }
type StandardCapabilitiesSpec { id: ID! command: String! config: String createdAt: Time! }
type StreamSpec { streamID: String createdAt: Time! }
type CCIPSpec {
  id: ID! capabilityVersion: String! capabilityLabelledName: String! ocrKeyBundleIDs: Map! p2pKeyID: String!
  p2pv2Bootstrappers: [String!] relayConfigs: Map! pluginConfig: Map! createdAt: Time!
}
type CCVCommitteeVerifierSpec { id: ID! committeeVerifierConfig: String createdAt: Time! }
type CCVExecutorSpec { id: ID! executorConfig: String createdAt: Time! }

enum JobProposalStatus { PENDING APPROVED REJECTED CANCELLED DELETED REVOKED }
enum SpecStatus { UNKNOWN PENDING APPROVED REJECTED CANCELLED REVOKED }
type JobProposalSpec {
  id: ID! definition: String! version: Int! status: SpecStatus! statusUpdatedAt: Time! createdAt: Time! updatedAt: Time!
}
type JobProposal {
  id: ID! name: String externalJobID: String jobID: String remoteUUID: String! status: JobProposalStatus!
  pendingUpdate: Boolean! feedsManager: FeedsManager! multiAddrs: [String!]! specs: [JobProposalSpec!]!
  latestSpec: JobProposalSpec!
}
union JobProposalPayload = JobProposal | NotFoundError
type FluxMonitorJobConfig { enabled: Boolean! }
type OCR1JobConfig { enabled: Boolean! isBootstrap: Boolean! multiaddr: String p2pPeerID: String keyBundleID: String }
type Plugins { commit: Boolean! execute: Boolean! median: Boolean! mercury: Boolean! rebalancer: Boolean! }
type OCR2JobConfig {
  enabled: Boolean! isBootstrap: Boolean! multiaddr: String forwarderAddress: String p2pPeerID: String
  keyBundleID: String plugins: Plugins!
}
type FeedsManagerChainConfig {
  id: ID! chainID: String! chainType: String! accountAddr: String! accountAddrPubKey: String adminAddr: String!
  fluxMonitorJobConfig: FluxMonitorJobConfig! ocr1JobConfig: OCR1JobConfig! ocr2JobConfig: OCR2JobConfig!
}
type FeedsManager {
  id: ID! name: String! uri: String! publicKey: String! jobProposals: [JobProposal!]! isConnectionActive: Boolean!
  createdAt: Time! disabledAt: Time chainConfigs: [FeedsManagerChainConfig!]!
}
union FeedsManagerPayload = FeedsManager | NotFoundError
type FeedsManagersPayload { results: [FeedsManager!]! }
"""
