-- A job of a schedule has no contract, and names are as long as in a real node.
ALTER TABLE jobs
    ALTER COLUMN contract_address DROP NOT NULL,
    ALTER COLUMN evm_chain_id DROP NOT NULL,
    ALTER COLUMN name TYPE varchar(255);
ALTER TABLE jobs RENAME CONSTRAINT jobs_external_job_id_key TO external_job_id_uniq;

-- What a bridge's maker did not say is not known.
ALTER TABLE bridges
    ALTER COLUMN minimum_contract_payment DROP NOT NULL,
    ALTER COLUMN minimum_contract_payment DROP DEFAULT;

ALTER TABLE keys
    DROP CONSTRAINT keys_kind_check,
    ADD CONSTRAINT keys_kind_check CHECK (kind IN ('evm', 'p2p', 'ocr', 'ocr2', 'csa'));

-- Of most jobs only the tasks of failed runs are kept, and one run may be of more than the newest.
ALTER TABLE pipeline_runs ALTER COLUMN task_runs DROP NOT NULL;

