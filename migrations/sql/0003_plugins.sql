-- A plugin has versions, of which one is live; what was decided about each of its permissions; and settings.
-- What the old table held is spread over the new ones.

create table plugin_version (
  id text primary key not null,
  plugin text not null,
  version text not null,
  -- SHA-256 of the bundle and of the manifest's text.
  digest text not null,
  manifest_digest text not null,
  state text not null check (state in (
    'awaiting_consent', 'checking', 'enabled', 'disabled', 'quarantined'
  )),
  origin text not null,
  -- As the operator gave it, and with its version pinned.
  reference text not null,
  resolved text not null,
  -- Fingerprint of the key that signed it.
  signed_by text,
  verified integer not null check (verified in (0, 1)),
  manifest_json text not null,
  manifest_text text not null,
  lock_json text,
  -- The decisions in force when it was last live: a rollback takes them up again.
  grants_json text not null,
  error text,
  created text not null,
  last_live text
);
create index plugin_version_plugin on plugin_version (plugin, created);
create index plugin_version_digest on plugin_version (digest);

insert into plugin_version (
  id, plugin, version, digest, manifest_digest, state, origin, reference, resolved, signed_by, verified,
  manifest_json, manifest_text, lock_json, grants_json, error, created, last_live
)
select
  'version_' || lower(hex(randomblob(13))), id, version, digest, '',
  case when enabled = 1 then 'enabled' else 'disabled' end, origin, origin, origin, null, 0,
  manifest_json, '', null, '[]', null, installed, installed
from plugin where builtin = 0;

-- One decision a permission. `job`: empty, the job that it holds for, or `*` for the first one that needs it.
create table "grant" (
  plugin text not null,
  key text not null,
  job text not null,
  decision text not null check (decision in ('granted', 'denied')),
  duration text not null check (duration in ('once', 'job', 'until', 'always')),
  until text,
  -- `{host, port, addresses}`: where a setting led when it was granted.
  place_json text,
  decided_by text not null,
  decided text not null,
  primary key (plugin, key, job)
) without rowid;

insert into "grant" (plugin, key, job, decision, duration, until, place_json, decided_by, decided)
select p.id, kind.key || ':' || granted.value, '', 'granted', 'always', null, null, 'operator', p.installed
from plugin p,
  json_each(case when json_valid(p.grants_json) then p.grants_json else '{}' end) kind,
  json_each(kind.value) granted
where p.builtin = 0 and kind.type = 'array' and granted.type = 'text'
  -- A setting's host was granted without a look at where it leads.
  and granted.value not like '${config.%';

insert or ignore into "grant" (plugin, key, job, decision, duration, until, place_json, decided_by, decided)
select p.id, kind.key || ':' || json_extract(asked.value, '$.value'), '', 'denied', 'always', null, null,
  'operator', p.installed
from plugin p,
  json_each(
    case when json_valid(p.manifest_json) then p.manifest_json else '{}' end, '$.permissions'
  ) kind,
  json_each(kind.value) asked
where p.builtin = 0 and kind.type = 'array' and asked.type = 'object'
  and json_extract(asked.value, '$.value') not like '${config.%';

insert or ignore into "grant" (plugin, key, job, decision, duration, until, place_json, decided_by, decided)
select p.id, 'match:' || pattern.value, '', 'denied', 'always', null, null, 'operator', p.installed
from plugin p,
  json_each(case when json_valid(p.manifest_json) then p.manifest_json else '{}' end, '$.match') pattern
where p.builtin = 0 and pattern.type = 'text';

create table plugin_config (
  plugin text primary key not null,
  -- Null where nobody said.
  enabled integer check (enabled in (0, 1)),
  auto_update integer check (auto_update in (0, 1)),
  config_json text not null,
  limits_json text not null,
  health text check (health in ('healthy', 'unhealthy', 'unknown')),
  health_message text,
  checked text,
  -- Why a version did not go live, or why the plugin was set aside.
  error text,
  quarantined text
);
insert into plugin_config (
  plugin, enabled, auto_update, config_json, limits_json, health, health_message, checked, error, quarantined
)
select id, enabled, null, config_json, '{}', null, null, null, null, null from plugin;

-- What waits for a person; it waits over restarts.
create table consent (
  id text primary key not null,
  plugin text not null,
  kind text not null check (kind in ('install', 'update', 'replace', 'setting', 'request')),
  version_id text not null,
  -- The permissions that are asked for; `["*"]` for all that the version declares.
  keys_json text not null,
  -- `{key: {host, port, addresses}}`: where settings led when it was shown.
  places_json text not null,
  job text,
  asked_by text not null,
  created text not null
);
create index consent_plugin on consent (plugin);

create table plugin_next (
  id text primary key not null,
  kind text not null,
  origin text not null,
  signed_by text,
  -- The live version's id; empty for a built-in plugin.
  live text not null,
  trust text not null check (trust in ('sandboxed', 'restricted', 'trusted')),
  builtin integer not null check (builtin in (0, 1)),
  installed text not null
);
insert into plugin_next (id, kind, origin, signed_by, live, trust, builtin, installed)
select p.id, p.kind, p.origin, null, coalesce(v.id, ''), p.trust, p.builtin, p.installed
from plugin p left join plugin_version v on v.plugin = p.id;
drop table plugin;
alter table plugin_next rename to plugin;
create index plugin_kind on plugin (kind, id);
