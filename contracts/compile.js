// Compiles contracts/ into chainlink/contract/artifacts/ with the pinned solc: `node contracts/compile.js [--check]`.
// The artifacts are committed, so that nothing but this script needs a compiler; --check only compares.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const ROOT = __dirname;
const ARTIFACTS = path.join(ROOT, "..", "chainlink", "contract", "artifacts");
const COMPILER = "0.8.30";
const RUNTIME_LIMIT_BYTES = 24576; // EIP-170

// source file -> the contract whose artifact is kept, and where
const TARGETS = {
  "OffchainAggregator.sol": "OffchainAggregator",
  "split/AdminHelper.sol": "split/AdminHelper",
  "split/SplitConfigAggregator.sol": "split/SplitConfigAggregator",
  "test/AccessListStub.sol": "test/AccessListStub",
  "test/Actor.sol": "test/Actor",
  "test/LinkStub.sol": "test/LinkStub",
};

const SETTINGS = {
  // Paris has no PUSH0: the bytecode runs on every chain that has feeds.
  evmVersion: "paris",
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
};

function fail(message) {
  process.stderr.write(`contracts/compile.js: ${message}\n`);
  process.exit(1);
}

function loadCompiler() {
  let solc;
  try {
    solc = require("solc");
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    fail(`the npm package solc ${COMPILER} is not installed: run "npm ci" in the checkout`);
  }
  if (!solc.version().startsWith(`${COMPILER}+`)) {
    fail(`solc ${COMPILER} is needed, found ${solc.version()}: run "npm ci" in the checkout`);
  }
  return solc;
}

const read = (name) => fs.readFileSync(path.join(ROOT, name), "utf8");
const sha256 = (text) => crypto.createHash("sha256").update(text).digest("hex");

function compile(solc) {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.keys(TARGETS).map((name) => [name, { content: read(name) }])),
    settings: {
      ...SETTINGS,
      outputSelection: { "*": { "*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const resolve = (name) => {
    try {
      return { contents: read(name) };
    } catch (error) {
      return { error: error.message };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolve }));
  const problems = (output.errors || []).map((problem) => problem.formattedMessage);
  if (problems.length) fail(`the compiler complains (a warning counts too):\n${problems.join("\n")}`);
  return output.contracts;
}

function artifact(solc, contracts, file, target) {
  const name = path.posix.basename(target);
  const built = contracts[file][name];
  const runtimeBytes = built.evm.deployedBytecode.object.length / 2;
  if (runtimeBytes > RUNTIME_LIMIT_BYTES) {
    fail(`${name} has ${runtimeBytes} bytes at run time; a chain takes at most ${RUNTIME_LIMIT_BYTES}`);
  }
  const used = Object.keys(JSON.parse(built.metadata).sources).sort();
  const content = {
    contractName: name,
    compiler: { version: solc.version(), settings: SETTINGS },
    sources: Object.fromEntries(used.map((source) => [source, sha256(read(source))])),
    abi: built.abi,
    bytecode: `0x${built.evm.bytecode.object}`,
    deployedBytecode: `0x${built.evm.deployedBytecode.object}`,
  };
  return { text: `${JSON.stringify(content, null, 2)}\n`, runtimeBytes };
}

function existingArtifacts() {
  if (!fs.existsSync(ARTIFACTS)) return [];
  return fs
    .readdirSync(ARTIFACTS, { recursive: true })
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.split(path.sep).join("/"));
}

function refuse(wrong) {
  if (wrong.length) fail(`${wrong.join("; ")}: run "node contracts/compile.js" and commit chainlink/contract/artifacts`);
}

// Compiling takes long; that a source changed shows at once.
function changedSources(name) {
  const { sources } = JSON.parse(fs.readFileSync(path.join(ARTIFACTS, name), "utf8"));
  return Object.keys(sources)
    .filter((file) => !fs.existsSync(path.join(ROOT, file)) || sha256(read(file)) !== sources[file])
    .map((file) => `${name} was made from another ${file}`);
}

function main(args) {
  if (args.length > 1 || (args.length === 1 && args[0] !== "--check")) {
    fail(`unknown arguments ${JSON.stringify(args)}: nothing or --check is allowed`);
  }
  const solc = loadCompiler();
  if (args[0] === "--check") refuse(existingArtifacts().flatMap(changedSources));
  const contracts = compile(solc);
  const stale = new Set(existingArtifacts());
  const wrong = [];
  for (const [file, target] of Object.entries(TARGETS)) {
    const { text, runtimeBytes } = artifact(solc, contracts, file, target);
    const name = `${target}.json`;
    const destination = path.join(ARTIFACTS, name);
    stale.delete(name);
    if (args[0] === "--check") {
      if (!fs.existsSync(destination)) wrong.push(`${name} is missing`);
      else if (fs.readFileSync(destination, "utf8") !== text) wrong.push(`${name} is not what the sources give`);
    } else {
      fs.mkdirSync(path.dirname(destination), { recursive: true });
      fs.writeFileSync(destination, text);
      process.stdout.write(`chainlink/contract/artifacts/${name}: ${runtimeBytes} bytes at run time\n`);
    }
  }
  for (const name of stale) {
    if (args[0] === "--check") wrong.push(`${name} belongs to no source`);
    else fs.unlinkSync(path.join(ARTIFACTS, name));
  }
  refuse(wrong);
}

main(process.argv.slice(2));
