-- The newest report of a feed that more than f oracles signed, which counts as its contract's while that cannot be read.
ALTER TABLE contract_states
    ADD COLUMN signed_digest bytea,
    ADD COLUMN signed_epoch bigint,
    ADD COLUMN signed_round integer,
    ADD COLUMN signed_answer numeric,
    ADD COLUMN signed_timestamp_s bigint;
