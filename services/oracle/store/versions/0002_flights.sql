-- A transaction is written before it is handed to the chain, and each price it was offered at is an attempt of it.
DROP TABLE transactions;

CREATE TABLE transactions (
    id uuid PRIMARY KEY,
    evm_chain_id bigint NOT NULL,
    from_address text NOT NULL,
    to_address text NOT NULL,
    data bytea NOT NULL,
    gas_limit bigint NOT NULL,
    nonce bigint NOT NULL,
    state text NOT NULL DEFAULT 'unconfirmed' CHECK (state IN ('unconfirmed', 'confirmed', 'reverted', 'lost')),
    hash text,
    block_number bigint,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX transactions_by_state ON transactions (evm_chain_id, from_address, state);

CREATE TABLE transaction_attempts (
    hash text PRIMARY KEY,
    transaction_id uuid NOT NULL REFERENCES transactions ON DELETE CASCADE,
    cap_wei numeric NOT NULL,
    tip_wei numeric,
    raw bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX transaction_attempts_by_transaction ON transaction_attempts (transaction_id);
