-- The truth of one library. Column meanings are documented beside the types in core/stores/sql.ts.
-- `row` columns are explicit row numbers: VACUUM may renumber implicit ones, and both the full-text
-- index and the cursors of lists point at them.

create table content (
  id text primary key not null,
  url text not null,
  type text not null,
  title text not null,
  authors_json text not null,
  published text,
  language text,
  summary text,
  tier text not null default 'general' check (tier in ('top', 'middle', 'general')),
  licence text,
  status text not null check (status in ('ready', 'deleted')),
  metadata_json text not null,
  collection text not null,
  user_id text not null,
  revision text not null,
  created text not null,
  updated text not null,
  unique (collection, url)
);
create index content_url on content (url);
create index content_status on content (status, id);

create table revision (
  id text primary key not null,
  content_id text not null references content (id) on delete cascade deferrable initially deferred,
  number integer not null check (number >= 1),
  original_digest text not null,
  original_media_type text not null,
  original_name text not null,
  original_size integer not null,
  text_digest text not null,
  text_size integer not null,
  title text not null,
  metadata_json text not null,
  warnings_json text not null,
  plugin text not null,
  plugin_digest text not null,
  job_id text not null,
  created text not null,
  unique (content_id, number)
);
create index revision_original on revision (original_digest);
create index revision_text on revision (text_digest);
create index revision_job on revision (job_id);

create table chunk (
  row integer primary key,
  id text not null unique,
  content_id text not null references content (id) on delete cascade deferrable initially deferred,
  revision_id text not null references revision (id) on delete cascade deferrable initially deferred,
  position integer not null,
  start integer not null check (start >= 0),
  "end" integer not null,
  page integer,
  heading text,
  text text not null,
  check ("end" >= start)
);
create index chunk_content on chunk (content_id, position);
create index chunk_revision on chunk (revision_id, position);

-- Words only: the text itself stays in chunk. `spaced` is a function of the program: it parts the letters of
-- scripts without spaces between words. Triggers keep it in the transaction of the chunk rows.
create virtual table chunk_text using fts5 (
  text, heading, title,
  content = '', contentless_delete = 1,
  tokenize = 'porter unicode61 remove_diacritics 2',
  prefix = '2 3'
);
create trigger chunk_text_insert after insert on chunk begin
  insert into chunk_text (rowid, text, heading, title)
  values (new.row, spaced(new.text), spaced(new.heading),
    (select spaced(title) from content where id = new.content_id));
end;
create trigger chunk_text_delete after delete on chunk begin
  delete from chunk_text where rowid = old.row;
end;
create trigger chunk_text_update after update on chunk begin
  delete from chunk_text where rowid = old.row;
  insert into chunk_text (rowid, text, heading, title)
  values (new.row, spaced(new.text), spaced(new.heading),
    (select spaced(title) from content where id = new.content_id));
end;
create trigger chunk_text_title after update of title on content when new.title <> old.title begin
  delete from chunk_text where rowid in (select row from chunk where content_id = new.id);
  insert into chunk_text (rowid, text, heading, title)
  select row, spaced(text), spaced(heading), spaced(new.title) from chunk where content_id = new.id;
end;
-- Chunks may be written before their content, within one transaction.
create trigger chunk_text_late_title after insert on content begin
  delete from chunk_text where rowid in (select row from chunk where content_id = new.id);
  insert into chunk_text (rowid, text, heading, title)
  select row, spaced(text), spaced(heading), spaced(new.title) from chunk where content_id = new.id;
end;

create table artifact (
  id text primary key not null,
  type text not null,
  title text not null,
  sources_json text not null,
  files_json text not null,
  size integer not null,
  parameters_json text not null,
  metadata_json text not null,
  plugin text not null,
  plugin_digest text not null,
  job_id text not null,
  user_id text not null,
  version_of text,
  created text not null
);
create index artifact_job on artifact (job_id);
create index artifact_version_of on artifact (version_of) where version_of is not null;

create table job (
  row integer primary key,
  id text not null unique,
  kind text not null,
  plugin text,
  site text,
  input_json text not null,
  status text not null check (status in (
    'pending', 'queued', 'running', 'waiting', 'retrying', 'cancelling',
    'completed', 'failed', 'cancelled'
  )),
  stage text,
  stages_json text not null,
  progress real not null check (progress between 0 and 100),
  message text,
  priority integer not null check (priority between 1 and 10),
  rank real not null,
  attempt integer not null,
  max_attempts integer not null check (max_attempts >= 1),
  run_at_ms integer not null,
  lease_owner text,
  lease_until_ms integer,
  parent text,
  user_id text not null,
  idempotency_key text,
  flight_key text,
  error_json text,
  result_json text,
  seq integer not null,
  created text not null,
  started text,
  completed text
);
-- The claim reads this one from its start: rank decides, row breaks ties, and the rest lets it pass
-- over saturated classes without touching a job.
create index job_ready on job (rank, row, kind, plugin, site) where status = 'queued';
create index job_urgent on job (rank, row, kind, plugin, site)
  where status = 'queued' and priority >= 8;
create index job_due on job (run_at_ms) where status in ('pending', 'retrying');
-- Without the queued ones: else the claim would read this one and sort.
create index job_status on job (status, row) where status <> 'queued';
create index job_parent on job (parent, row) where parent is not null;
create unique index job_idempotency on job (user_id, idempotency_key)
  where idempotency_key is not null;
create unique index job_flight on job (flight_key)
  where flight_key is not null and status not in ('completed', 'failed', 'cancelled');

create table job_event (
  job_id text not null,
  seq integer not null,
  status text not null,
  stage text,
  progress real not null,
  message text,
  time text not null,
  primary key (job_id, seq)
) without rowid;

create table plugin (
  id text primary key not null,
  kind text not null,
  origin text not null,
  version text not null,
  digest text not null,
  trust text not null check (trust in ('sandboxed', 'restricted', 'trusted')),
  enabled integer not null check (enabled in (0, 1)),
  builtin integer not null check (builtin in (0, 1)),
  manifest_json text not null,
  grants_json text not null,
  config_json text not null,
  installed text not null
);
create index plugin_kind on plugin (kind, id);

create table lineage_node (
  id text primary key not null,
  type text not null,
  label text not null,
  properties_json text not null,
  created text not null
);
create index lineage_node_type on lineage_node (type, id);

create table lineage_edge (
  from_id text not null,
  to_id text not null,
  type text not null,
  claimed_by text not null,
  properties_json text not null,
  created text not null,
  primary key (from_id, type, to_id, claimed_by)
) without rowid;
create index lineage_edge_to on lineage_edge (to_id, type, from_id);

create table collection (
  id text primary key not null,
  name text not null,
  user_id text not null,
  shared integer not null check (shared in (0, 1)),
  created text not null,
  unique (user_id, name)
);

create table user (
  id text primary key not null,
  name text not null unique,
  role text not null check (role in ('reader', 'editor', 'admin')),
  created text not null
);

create table token (
  id text primary key not null,
  user_id text not null references user (id) on delete cascade deferrable initially deferred,
  name text not null,
  hash text not null unique,
  created text not null,
  last_used text,
  expires text
);
create index token_user on token (user_id);

create table blob (
  digest text primary key not null check (length(digest) = 64),
  size integer not null check (size >= 0),
  media_type text not null,
  created text not null
) without rowid;
create index blob_created on blob (created);

create table blob_lease (
  digest text not null,
  owner text not null,
  until_ms integer not null,
  primary key (digest, owner)
) without rowid;
create index blob_lease_owner on blob_lease (owner);
