-- The rounds of each feed as this node saw them, for whoever asks why an answer is what it is.
-- A record is a serialized RoundRecord; two of them one after the other are one, so that moments are only added.
CREATE TABLE rounds (
    contract text NOT NULL,
    config_digest bytea NOT NULL,
    epoch bigint NOT NULL,
    round integer NOT NULL,
    name text NOT NULL,
    began_ms bigint NOT NULL,
    contract_round bigint,
    size integer NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (contract, config_digest, epoch, round)
);

CREATE INDEX rounds_by_name ON rounds (name, began_ms);
CREATE INDEX rounds_by_age ON rounds (began_ms);
CREATE INDEX rounds_by_contract_round ON rounds (name, contract_round) WHERE contract_round IS NOT NULL;
