"""
What may be asked of a node by GraphQL: the questions of Operator UI's pages, with the types of Chainlink's node.

Fields of one name have one type in all kinds of jobs, since one question may ask several kinds for it.
"""

from typing import Final

SCHEMA: Final = """
scalar Time
scalar Map
scalar Bytes

schema { query: Query }

type Query {
  bridge(id: ID!): BridgePayload!
  bridges(offset: Int, limit: Int): BridgesPayload!
  chain(id: ID!, network: String): ChainPayload!
  chains(offset: Int, limit: Int): ChainsPayload!
  configv2: ConfigV2Payload!
  csaKeys: CSAKeysPayload!
  ethKeys: EthKeysPayload!
  ethTransaction(hash: ID!): EthTransactionPayload!
  ethTransactions(offset: Int, limit: Int): EthTransactionsPayload!
  ethTransactionsAttempts(offset: Int, limit: Int): EthTransactionAttemptsPayload!
  features: FeaturesPayload!
  feedsManager(id: ID!): FeedsManagerPayload!
  feedsManagers: FeedsManagersPayload!
  globalLogLevel: GlobalLogLevelPayload!
  job(id: ID!): JobPayload!
  jobs(offset: Int, limit: Int): JobsPayload!
  jobProposal(id: ID!): JobProposalPayload!
  jobRun(id: ID!): JobRunPayload!
  jobRuns(offset: Int, limit: Int): JobRunsPayload!
  node(id: ID!): NodePayload!
  nodes(offset: Int, limit: Int): NodesPayload!
  ocrKeyBundles: OCRKeyBundlesPayload!
  ocr2KeyBundles: OCR2KeyBundlesPayload!
  p2pKeys: P2PKeysPayload!
  sqlLogging: GetSQLLoggingPayload!
  vrfKey(id: ID!): VRFKeyPayload!
  vrfKeys: VRFKeysPayload!
  aptosKeys: AptosKeysPayload!
  cosmosKeys: CosmosKeysPayload!
  solanaKeys: SolanaKeysPayload!
  starknetKeys: StarkNetKeysPayload!
  stellarKeys: StellarKeysPayload!
  suiKeys: SuiKeysPayload!
  tonKeys: TONKeysPayload!
  tronKeys: TronKeysPayload!
}

enum ErrorCode { NOT_FOUND INVALID_INPUT UNPROCESSABLE }
interface Error { message: String! code: ErrorCode! }
type NotFoundError implements Error { message: String! code: ErrorCode! }

type PaginationMetadata { total: Int! }
interface PaginatedPayload { metadata: PaginationMetadata! }

type Bridge {
  id: ID! name: String! url: String! confirmations: Int! outgoingToken: String! minimumContractPayment: String!
  createdAt: Time! useConnectionManager: Boolean!
}
union BridgePayload = Bridge | NotFoundError
type BridgesPayload implements PaginatedPayload { results: [Bridge!]! metadata: PaginationMetadata! }

type Chain { id: ID! network: String! enabled: Boolean! config: String! nodes: [Node!]! }
union ChainPayload = Chain | NotFoundError
type ChainsPayload implements PaginatedPayload { results: [Chain!]! metadata: PaginationMetadata! }

type Node {
  id: ID! name: String! wsURL: String! httpURL: String! chain: Chain! state: String! sendOnly: Boolean! order: Int
}
union NodePayload = Node | NotFoundError
type NodesPayload implements PaginatedPayload { results: [Node!]! metadata: PaginationMetadata! }

type ConfigV2Payload { user: String! effective: String! }
type Features { csa: Boolean! feedsManager: Boolean! multiFeedsManagers: Boolean! }
union FeaturesPayload = Features
enum LogLevel { DEBUG INFO WARN ERROR }
type GlobalLogLevel { level: LogLevel! }
union GlobalLogLevelPayload = GlobalLogLevel
type SQLLogging { enabled: Boolean! }
union GetSQLLoggingPayload = SQLLogging

type CSAKey { id: ID! publicKey: String! version: Int! }
type CSAKeysPayload { results: [CSAKey!]! }
type P2PKey { id: ID! peerID: String! publicKey: String! }
type P2PKeysPayload { results: [P2PKey!]! }
type OCRKeyBundle {
  id: ID! configPublicKey: String! offChainPublicKey: String! onChainSigningAddress: String!
}
type OCRKeyBundlesPayload { results: [OCRKeyBundle!]! }
enum OCR2ChainType { EVM COSMOS SOLANA STARKNET APTOS TRON TON SUI STELLAR }
type OCR2KeyBundle {
  id: ID! chainType: OCR2ChainType configPublicKey: String! onChainPublicKey: String! offChainPublicKey: String!
}
type OCR2KeyBundlesPayload { results: [OCR2KeyBundle!]! }
type EthKey {
  address: String! isDisabled: Boolean! createdAt: Time! updatedAt: Time! chain: Chain!
  ethBalance: String linkBalance: String maxGasPriceWei: String
}
type EthKeysPayload { results: [EthKey!]! }
type VRFKey { id: ID! compressed: String! uncompressed: String! hash: String! }
union VRFKeyPayload = VRFKey | NotFoundError
type VRFKeysPayload { results: [VRFKey!]! }
type AptosKey { id: ID! account: String! }
type AptosKeysPayload { results: [AptosKey!]! }
type CosmosKey { id: ID! }
type CosmosKeysPayload { results: [CosmosKey!]! }
type SolanaKey { id: ID! }
type SolanaKeysPayload { results: [SolanaKey!]! }
type StarkNetKey { id: ID! }
type StarkNetKeysPayload { results: [StarkNetKey!]! }
type StellarKey { id: ID! account: String! }
type StellarKeysPayload { results: [StellarKey!]! }
type SuiKey { id: ID! account: String! }
type SuiKeysPayload { results: [SuiKey!]! }
type TONKey { id: ID! addressBase64: String! rawAddress: String! }
type TONKeysPayload { results: [TONKey!]! }
type TronKey { id: ID! }
type TronKeysPayload { results: [TronKey!]! }

type EthTransaction {
  state: String! data: Bytes! from: String! to: String! gasLimit: String! gasPrice: String! value: String!
  evmChainID: ID! nonce: String hash: String! hex: String! chain: Chain! sentAt: String
}
union EthTransactionPayload = EthTransaction | NotFoundError
type EthTransactionsPayload implements PaginatedPayload { results: [EthTransaction!]! metadata: PaginationMetadata! }
type EthTransactionAttempt { gasPrice: String! hash: String! hex: String! sentAt: String }
type EthTransactionAttemptsPayload implements PaginatedPayload {
  results: [EthTransactionAttempt!]! metadata: PaginationMetadata!
}

enum JobRunStatus { UNKNOWN RUNNING SUSPENDED ERRORED COMPLETED }
type TaskRun {
  id: ID! dotID: String! type: String! output: String! error: String createdAt: Time! finishedAt: Time
}
type JobRun {
  id: ID! outputs: [String]! allErrors: [String!]! fatalErrors: [String!]! inputs: String! createdAt: Time!
  finishedAt: Time taskRuns: [TaskRun!]! status: JobRunStatus! job: Job!
}
union JobRunPayload = JobRun | NotFoundError
type JobRunsPayload implements PaginatedPayload { results: [JobRun!]! metadata: PaginationMetadata! }
type JobError { id: ID! description: String! occurrences: Int! createdAt: Time! updatedAt: Time! }
type Job {
  id: ID! name: String! schemaVersion: Int! gasLimit: Int forwardingAllowed: Boolean maxTaskDuration: String!
  externalJobID: String! type: String! spec: JobSpec! runs(offset: Int, limit: Int): JobRunsPayload!
  observationSource: String! errors: [JobError!]! createdAt: Time!
}
union JobPayload = Job | NotFoundError
type JobsPayload implements PaginatedPayload { results: [Job!]! metadata: PaginationMetadata! }
"""
