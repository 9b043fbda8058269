-- A pipeline may end in several tasks, each with an output or an error.
ALTER TABLE pipeline_runs ADD COLUMN outputs jsonb, ADD COLUMN fatal_errors jsonb;
UPDATE pipeline_runs SET outputs = jsonb_build_array(output), fatal_errors = jsonb_build_array(error);
ALTER TABLE pipeline_runs
    ALTER COLUMN outputs SET NOT NULL,
    ALTER COLUMN fatal_errors SET NOT NULL,
    DROP COLUMN output,
    DROP COLUMN error;

-- The last good answer of each bridge task, which stands in for a while when its bridge fails.
CREATE TABLE bridge_last_answers (
    job_id integer NOT NULL REFERENCES jobs ON DELETE CASCADE,
    task_id text NOT NULL,
    request_hash bytea NOT NULL,
    answered_ms bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (job_id, task_id)
);
