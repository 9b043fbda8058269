"""The questions of Operator UI's pages in words of ours, each with its variables and what the test's node says."""

from typing import Any, Final

_TIME = "2026-01-02T03:04:05Z"
_HASH = "0x" + "ab" * 32
_CHAIN = {"id": "5611", "network": "evm"}
_MISSING = {"__typename": "NotFoundError", "message": "job not found"}
_UUIDS = {number: f"00000000-0000-0000-0000-00000000000{number}" for number in range(1, 5)}
_OCR = "... on OCRSpec { contractAddress keyBundleID transmitterAddress }"
_ALL_OF_OCR = """... on OCRSpec {
  blockchainTimeout blockchainTimeoutEnv contractAddress contractConfigConfirmations contractConfigTrackerPollInterval
  contractConfigTrackerSubscribeInterval evmChainID isBootstrapPeer keyBundleID observationTimeout p2pv2Bootstrappers
  transmitterAddress
}"""
_OTHERS = """
... on DirectRequestSpec { contractAddress evmChainID minIncomingConfirmations requesters }
... on FluxMonitorSpec { absoluteThreshold contractAddress evmChainID pollTimerPeriod threshold }
... on OCR2Spec { blockchainTimeout contractID contractConfigConfirmations relay relayConfig pluginConfig feedID
  onchainSigningStrategy p2pv2Bootstrappers monitoringEndpoint }
... on VRFSpec { evmChainID fromAddresses minIncomingConfirmations pollPeriod requestTimeout vrfOwnerAddress }
... on BlockhashStoreSpec { waitBlocks lookbackBlocks runTimeout pollPeriod evmChainID coordinatorV2PlusAddress
  trustedBlockhashStoreBatchSize fromAddresses }
... on BlockHeaderFeederSpec { waitBlocks batchBlockhashStoreAddress getBlockhashesBatchSize fromAddresses }
... on BootstrapSpec { contractID relay relayConfig blockchainTimeout monitoringEndpoint createdAt }
... on GatewaySpec { gatewayConfig createdAt }
... on WorkflowSpec { workflowID workflowOwner workflow }
... on StandardCapabilitiesSpec { command config createdAt }
... on StreamSpec { streamID }
... on CCIPSpec { p2pv2Bootstrappers capabilityVersion ocrKeyBundleIDs relayConfigs p2pKeyID pluginConfig }
... on CCVCommitteeVerifierSpec { committeeVerifierConfig }
... on CCVExecutorSpec { executorConfig }
"""
_JOB = f"""query Job($id: ID!, $offset: Int, $limit: Int) {{
  job(id: $id) {{
    __typename
    ... on NotFoundError {{ message }}
    ... on Job {{
      id name externalJobID observationSource createdAt schemaVersion type maxTaskDuration gasLimit forwardingAllowed
      spec {{ __typename {_ALL_OF_OCR} {_OTHERS} ... on CronSpec {{ schedule evmChainID }} }}
      runs(offset: $offset, limit: $limit) {{ results {{ id status }} metadata {{ total }} }}
      errors {{ description occurrences createdAt updatedAt }}
    }}
  }}
}}"""
_RUN = """query Run($id: ID!) { jobRun(id: $id) { __typename ... on NotFoundError { message } ... on JobRun {
  id allErrors createdAt fatalErrors finishedAt inputs job { id name observationSource } outputs status
  taskRuns { taskId: id createdAt dotID error finishedAt output type }
} } }"""
_LIST = "results { id } metadata { total }"
_NONE = ("aptosKeys", "solanaKeys", "starknetKeys", "tronKeys", "tonKeys", "suiKeys", "stellarKeys", "cosmosKeys")


def _job(number: int, kind: str, name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    job: dict[str, Any] = {
        "__typename": "Job",
        "id": str(number),
        "name": name,
        "externalJobID": _UUIDS[number],
        "observationSource": "" if number == 2 else "a [type=memo value=1]",
        "createdAt": _TIME,
        "schemaVersion": 1,
        "type": kind,
        "maxTaskDuration": "0s",
        "gasLimit": None,
        "forwardingAllowed": False,
        "spec": spec,
        "runs": {"results": [], "metadata": {"total": 0}},
        "errors": [],
    }
    return {"job": {**job, **more}}


_OCR_OF_A_FEED = {
    "__typename": "OCRSpec",
    "blockchainTimeout": None,
    "blockchainTimeoutEnv": True,
    "contractAddress": "0xC",
    "contractConfigConfirmations": None,
    "contractConfigTrackerPollInterval": None,
    "contractConfigTrackerSubscribeInterval": None,
    "evmChainID": "5611",
    "isBootstrapPeer": False,
    "keyBundleID": "ee",
    "observationTimeout": None,
    "p2pv2Bootstrappers": ["p@h:1"],
    "transmitterAddress": None,
}
_OCR_OF_A_LIST = {"__typename": "OCRSpec", "contractAddress": "0xC", "keyBundleID": "ee", "transmitterAddress": None}
_RUN_OF_A_FEED = {
    "__typename": "JobRun",
    "id": "2",
    "allErrors": ["too late"],
    "createdAt": "1970-01-01T00:00:01Z",
    "fatalErrors": ["too late"],
    "finishedAt": "1970-01-01T00:00:02.5Z",
    "inputs": "{}",
    "job": {"id": "1", "name": "ETH / USD", "observationSource": "a [type=memo value=1]"},
    "outputs": [None],
    "status": "ERRORED",
    "taskRuns": [
        {
            "taskId": True,
            "createdAt": "1970-01-01T00:00:00.001Z",
            "dotID": "a",
            "error": "too late",
            "finishedAt": "1970-01-01T00:00:00.002Z",
            "output": "null",
            "type": "memo",
        }
    ],
}
_BRIDGE = {
    "id": "quotes",
    "name": "quotes",
    "url": "http://127.0.0.1:3000/",
    "confirmations": 0,
    "outgoingToken": "token",
    "minimumContractPayment": "0",
    "useConnectionManager": False,
}
_TRANSACTION = {
    "chain": _CHAIN,
    "data": "0x01",
    "from": "0xa",
    "gasLimit": "21000",
    "gasPrice": "1000000000",
    "hash": _HASH,
    "hex": "0x02",
    "nonce": "4",
    "sentAt": "12",
    "state": "confirmed",
    "to": "0xb",
    "value": "0.000000000000000000",
}
_NODE = {
    "id": "5611/primary",
    "name": "primary",
    "chain": _CHAIN,
    "httpURL": "http://127.0.0.1:8545",
    "wsURL": "ws://127.0.0.1:8545",
    "state": "Alive",
    "sendOnly": False,
    "order": 100,
}

QUESTIONS: Final[dict[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "the first of the jobs": (
        f"query ($offset: Int, $limit: Int) {{ jobs(offset: $offset, limit: $limit) {{ "
        f"results {{ id name externalJobID createdAt spec {{ __typename {_OCR} }} }} metadata {{ total }} }} }}",
        {"offset": 2, "limit": 1},
        {
            "jobs": {
                "results": [
                    {"id": "2", "name": "", "externalJobID": _UUIDS[2], "createdAt": _TIME, "spec": _OCR_OF_A_LIST}
                ],
                "metadata": {"total": 4},
            }
        },
    ),
    "recent jobs": (
        "{ jobs(limit: 2) { results { id name createdAt } } }",
        {},
        {
            "jobs": {
                "results": [
                    {"id": "4", "name": "by request", "createdAt": _TIME},
                    {"id": "3", "name": "hourly", "createdAt": _TIME},
                ]
            }
        },
    ),
    "a feed's job": (
        _JOB,
        {"id": "1", "offset": 0, "limit": 1},
        _job(
            1,
            "offchainreporting",
            "ETH / USD",
            _OCR_OF_A_FEED,
            runs={"results": [{"id": "2", "status": "ERRORED"}], "metadata": {"total": 2}},
            errors=[{"description": "no price", "occurrences": 3, "createdAt": _TIME, "updatedAt": _TIME}],
        ),
    ),
    "a job by time": (
        _JOB,
        {"id": "3"},
        _job(3, "cron", "hourly", {"__typename": "CronSpec", "schedule": "@every 1h", "evmChainID": "5611"}),
    ),
    "a job by request": (_JOB, {"id": "4"}, _job(4, "webhook", "by request", {"__typename": "WebhookSpec"})),
    "no job": (_JOB, {"id": "5"}, {"job": _MISSING}),
    "no number": (_JOB, {"id": "x" * 100}, {"job": _MISSING}),
    "a number that no database has": (_JOB, {"id": "9" * 40}, {"job": _MISSING}),
    "runs": (
        "query ($o: Int, $l: Int) { jobRuns(offset: $o, limit: $l) "
        "{ results { id allErrors finishedAt status job { id } } metadata { total } } }",
        # The newest is of a job that is gone.
        {"o": 0, "l": 2},
        {
            "jobRuns": {
                "results": [
                    {
                        "id": "2",
                        "allErrors": ["too late"],
                        "finishedAt": "1970-01-01T00:00:02.5Z",
                        "status": "ERRORED",
                        "job": {"id": "1"},
                    }
                ],
                "metadata": {"total": 3},
            }
        },
    ),
    "a run": (_RUN, {"id": "2"}, {"jobRun": _RUN_OF_A_FEED}),
    "no run": (_RUN, {"id": "77"}, {"jobRun": {"__typename": "NotFoundError", "message": "job run not found"}}),
    "bridges": (
        "{ bridges(offset: 0, limit: 10) { results { id name url confirmations outgoingToken minimumContractPayment "
        "useConnectionManager } metadata { total } } }",
        {},
        {"bridges": {"results": [_BRIDGE], "metadata": {"total": 1}}},
    ),
    "a bridge": (
        "query ($id: ID!) { bridge(id: $id) { __typename ... on Bridge { url } ... on NotFoundError { message } } }",
        {"id": "quotes"},
        {"bridge": {"__typename": "Bridge", "url": "http://127.0.0.1:3000/"}},
    ),
    "no bridge": (
        '{ bridge(id: "x") { __typename ... on NotFoundError { message code } } }',
        {},
        {"bridge": {"__typename": "NotFoundError", "message": "bridge not found", "code": "NOT_FOUND"}},
    ),
    "chains": (
        "{ chains { results { id enabled network } metadata { total } } }",
        {},
        {"chains": {"results": [{**_CHAIN, "enabled": True}], "metadata": {"total": 1}}},
    ),
    "a chain": (
        '{ chain(id: "5611") { ... on Chain { id nodes { name } } } none: chain(id: "1") { __typename } }',
        {},
        {"chain": {"id": "5611", "nodes": [{"name": "primary"}]}, "none": {"__typename": "NotFoundError"}},
    ),
    "endpoints": (
        "{ nodes(offset: 0, limit: 5) { results { id chain { id network } name state sendOnly order httpURL wsURL } "
        "metadata { total } } }",
        {},
        {"nodes": {"results": [_NODE], "metadata": {"total": 1}}},
    ),
    "an endpoint": (
        '{ node(id: "5611/primary") { __typename ... on Node { name } } none: node(id: "x") { __typename } }',
        {},
        {"node": {"__typename": "Node", "name": "primary"}, "none": {"__typename": "NotFoundError"}},
    ),
    "accounts": (
        "{ ethKeys { results { address chain { id network } createdAt_: isDisabled ethBalance linkBalance } } }",
        {},
        {
            "ethKeys": {
                "results": [
                    {
                        "address": True,
                        "chain": _CHAIN,
                        "createdAt_": False,
                        "ethBalance": "1.500000000000000000",
                        "linkBalance": "0",
                    }
                ]
            }
        },
    ),
    "other keys": (
        "{ p2pKeys { results { keyId: id peerID publicKey } } csaKeys { results { keyId: id publicKey version } } "
        "ocrKeyBundles { results { keyId: id configPublicKey offChainPublicKey onChainSigningAddress } } "
        "ocr2KeyBundles { results { keyId: id chainType configPublicKey onChainPublicKey offChainPublicKey } } }",
        {},
        {
            "p2pKeys": {"results": [{"keyId": True, "peerID": True, "publicKey": True}]},
            "csaKeys": {"results": [{"keyId": True, "publicKey": True, "version": 1}]},
            "ocrKeyBundles": {
                "results": [
                    {"keyId": True, "configPublicKey": True, "offChainPublicKey": True, "onChainSigningAddress": True}
                ]
            },
            "ocr2KeyBundles": {
                "results": [
                    {
                        "keyId": True,
                        "chainType": "EVM",
                        "configPublicKey": True,
                        "onChainPublicKey": True,
                        "offChainPublicKey": True,
                    }
                ]
            },
        },
    ),
    "keys that this node has not": (
        "{ " + " ".join(f"{name} {{ results {{ id }} }}" for name in _NONE) + " vrfKeys { results { id } } }",
        {},
        {name: {"results": []} for name in (*_NONE, "vrfKeys")},
    ),
    "features": (
        "{ features { ... on Features { __typename csa feedsManager } } }",
        {},
        {"features": {"__typename": "Features", "csa": False, "feedsManager": False}},
    ),
    "configuration": ("{ configv2 { user effective } }", {}, {"configv2": {"user": True, "effective": True}}),
    "level of the log": (
        "{ globalLogLevel { ... on GlobalLogLevel { level } } sqlLogging { ... on SQLLogging { enabled } } }",
        {},
        {"globalLogLevel": {"level": "WARN"}, "sqlLogging": {"enabled": False}},
    ),
    "managers of feeds": (
        "{ feedsManagers { results { __typename id name uri publicKey isConnectionActive createdAt disabledAt } } "
        'feedsManager(id: "1") { ... on FeedsManager { id chainConfigs { id ocr2JobConfig { plugins { median } } } '
        "jobProposals { id latestSpec { version } } } ... on NotFoundError { message code } } "
        'jobProposal(id: "1") { __typename } }',
        {},
        {
            "feedsManagers": {"results": []},
            "feedsManager": {"message": "feeds manager not found", "code": "NOT_FOUND"},
            "jobProposal": {"__typename": "NotFoundError"},
        },
    ),
    "transactions": (
        "{ ethTransactions(offset: 0, limit: 5) { results { chain { id network } from hash to nonce sentAt } "
        "metadata { total } } }",
        {},
        {
            "ethTransactions": {
                "results": [
                    {
                        # Of an earlier configuration.
                        "chain": {"id": "204", "network": "evm"},
                        "from": "0xa",
                        "hash": _HASH,
                        "to": "0xb",
                        "nonce": "4",
                        "sentAt": "12",
                    }
                ],
                "metadata": {"total": 1},
            }
        },
    ),
    "a transaction": (
        "query ($hash: ID!) { ethTransaction(hash: $hash) { __typename ... on NotFoundError { message } "
        "... on EthTransaction { chain { id network } data from gasLimit gasPrice hash hex nonce sentAt state to value "
        "} } }",
        {"hash": _HASH},
        {"ethTransaction": {"__typename": "EthTransaction", **_TRANSACTION}},
    ),
    "no transaction": (
        'query { ethTransaction(hash: "x") { __typename ... on NotFoundError { message } } }',
        {},
        {"ethTransaction": {"__typename": "NotFoundError", "message": "transaction not found"}},
    ),
    "attempts": (
        "{ ethTransactionsAttempts(offset: 0, limit: 5) { results { hash gasPrice sentAt } metadata { total } } }",
        {},
        {
            "ethTransactionsAttempts": {
                "results": [{"hash": _HASH, "gasPrice": "1000000000", "sentAt": "12"}],
                "metadata": {"total": 1},
            }
        },
    ),
    "pages beyond the end": (
        f"{{ jobs(offset: 100, limit: 100000) {{ {_LIST} }} bridges(offset: -1, limit: -1) {{ {_LIST} }} }}",
        {},
        {
            "jobs": {"results": [], "metadata": {"total": 4}},
            "bridges": {"results": [], "metadata": {"total": 1}},
        },
    ),
    "kinds of chains": (
        '{ __type(name: "OCR2ChainType") { enumValues { name } } }',
        {},
        {
            "__type": {
                "enumValues": [
                    {"name": name}
                    for name in ("EVM", "COSMOS", "SOLANA", "STARKNET", "APTOS", "TRON", "TON", "SUI", "STELLAR")
                ]
            }
        },
    ),
}
