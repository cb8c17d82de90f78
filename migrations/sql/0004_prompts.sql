-- Questions that jobs wait for. The question itself is a consent of kind `request`, of the same id.
create table prompt (
  id text primary key not null,
  job_id text not null,
  plugin text not null,
  keys_json text not null,
  state text not null check (state in ('waiting', 'granted', 'denied', 'expired', 'dropped')),
  asked text not null,
  expires_ms integer not null,
  decided text
);
create index prompt_job on prompt (job_id);
create index prompt_waiting on prompt (expires_ms) where state = 'waiting';
