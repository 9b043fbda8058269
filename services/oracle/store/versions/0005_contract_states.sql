-- What was read last of each feed's contract, for a node that starts while the chain cannot be read.
CREATE TABLE contract_states (
    contract_address text NOT NULL,
    evm_chain_id bigint NOT NULL,
    block_number bigint NOT NULL,
    config_digest bytea NOT NULL,
    epoch bigint NOT NULL,
    round integer NOT NULL,
    answer numeric NOT NULL,
    timestamp_s bigint NOT NULL,
    requested_digest bytea,
    requested_epoch bigint,
    requested_round integer,
    PRIMARY KEY (contract_address, evm_chain_id)
);
