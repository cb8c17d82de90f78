-- What was done with plugins and by them: one chain of rows a host, each sealed with a key that is not in
-- this database (core/audit/chain.ts). The triggers stop mistakes, not an attacker: he is found, not stopped.
create table audit (
  host text not null,
  seq integer not null check (seq >= 1),
  time text not null,
  event text not null,
  plugin text,
  digest text,
  actor text,
  job text,
  details_json text not null,
  previous text not null,
  hash text not null,
  primary key (host, seq)
);
create index audit_time on audit (time, host, seq);
create index audit_plugin on audit (plugin, time, host, seq) where plugin is not null;
create index audit_event on audit (event, time, host, seq);

create trigger audit_no_update before update on audit begin
  select raise(abort, 'audit rows are never changed');
end;
create trigger audit_no_delete before delete on audit begin
  select raise(abort, 'audit rows are never deleted');
end;
