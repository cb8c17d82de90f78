-- Jobs that wait for more than a person, schedules, the log of events, and runs of workflows.
-- Column meanings are documented beside the types in core/stores/sql.ts.

alter table job add column waits_for text
  check (waits_for in ('person', 'plugin', 'child', 'children', 'signal'));
alter table job add column wake_ms integer;
alter table job add column waits integer not null default 0;
alter table job add column losses integer not null default 0;
alter table job add column child_ends integer not null default 0;
alter table job add column retry_json text;
alter table job add column place_json text;
alter table job add column costs_json text not null default '[]';
create index job_wake on job (wake_ms) where status = 'waiting' and wake_ms is not null;
-- Whether a parent has open children, without a walk over those that have ended.
create index job_open_child on job (parent)
  where parent is not null and status not in ('completed', 'failed', 'cancelled');
-- Calls outside of runs.
create index job_call on job (row) where kind = 'call' and parent is null;
-- Tops of trees by their end; `pruned` for a run that has lost what retention takes of it.
alter table job add column pruned integer not null default 0;
create index job_top on job (completed, row)
  where completed is not null and parent is null and pruned = 0;
create index job_user on job (user_id, row);
create index job_ended on job (completed) where completed is not null;

create table job_log (
  job_id text not null,
  seq integer not null,
  time text not null,
  level text not null check (level in ('debug', 'info', 'warn', 'error')),
  message text not null,
  primary key (job_id, seq)
) without rowid;

create table schedule (
  id text primary key not null,
  name text not null,
  format integer not null default 1,
  spec_json text not null,
  work_json text not null,
  enabled integer not null check (enabled in (0, 1)),
  next_ms integer,
  last_ms integer,
  last_job text,
  error text,
  overlap text not null default 'skip' check (overlap in ('skip', 'allow')),
  user_id text not null,
  created text not null
);
create index schedule_user on schedule (user_id, id);
create index schedule_last on schedule (last_ms) where enabled = 1 and next_ms is not null;
create index schedule_next on schedule (next_ms) where enabled = 1 and next_ms is not null;

create table event (
  seq integer primary key autoincrement,
  name text not null,
  subject text,
  payload_json text not null,
  user_id text not null,
  time text not null
);
create index event_name on event (name, seq);
create index event_user on event (user_id, seq);
create index event_subject on event (subject, seq) where subject is not null;

create table event_cursor (
  reader text primary key not null,
  seq integer not null
) without rowid;

create table workflow_run (
  id text primary key not null,
  workflow text not null,
  digest text not null,
  definition_json text not null,
  format integer not null default 1,
  inputs_json text not null,
  version integer not null default 0,
  until_ms integer,
  retry_from text,
  ensure_key text,
  forked_from text,
  user_id text not null,
  created text not null
);
create index workflow_run_workflow on workflow_run (workflow, id);
create index workflow_run_forked on workflow_run (forked_from) where forked_from is not null;
create unique index workflow_run_ensure on workflow_run (user_id, ensure_key) where ensure_key is not null;

create table run_step (
  run_id text not null references workflow_run (id) on delete cascade deferrable initially deferred,
  path text not null,
  kind text not null,
  state text not null check (state in (
    'pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled'
  )),
  number integer not null default 1,
  job_id text,
  input_json text,
  result_json text,
  error_json text,
  wait_event text,
  wait_seq integer,
  wake_ms integer,
  started text not null,
  ended text,
  primary key (run_id, path)
) without rowid;
create index run_step_job on run_step (job_id) where job_id is not null;
create index run_step_event on run_step (wait_event) where state = 'waiting' and wait_event is not null;

alter table artifact add column parent text;
alter table artifact add column variant_index integer;
alter table artifact add column chosen integer check (chosen in (0, 1));
alter table artifact add column state text not null default 'ready'
  check (state in ('placeholder', 'generating', 'ready', 'failed', 'deleted'));
alter table artifact add column run_id text;
alter table artifact add column updated text;
create index artifact_parent on artifact (parent, variant_index) where parent is not null;
create index artifact_run on artifact (run_id) where run_id is not null;

create table artifact_event (
  artifact_id text not null,
  user_id text not null,
  event text not null,
  time text not null,
  primary key (artifact_id, user_id, event)
) without rowid;
