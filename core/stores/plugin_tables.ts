/** Tables of plugins: versions, grants, settings, questions. As in `sql.ts`. */

export interface PluginTable {
  id: string;
  kind: string;
  origin: string;
  /** Fingerprint of the key that signed the live version. */
  signed_by: string | null;
  /** The live version's id; empty for a built-in plugin. */
  live: string;
  trust: string;
  /** 0 or 1 */
  builtin: number;
  installed: string;
}

/** A version of an installed plugin, or one that waits for consent. */
export interface PluginVersionTable {
  id: string;
  plugin: string;
  version: string;
  /** SHA-256 of the bundle, hex. */
  digest: string;
  /** SHA-256 of `manifest_text`, hex; empty for one that an older Carrel installed. */
  manifest_digest: string;
  state: string;
  origin: string;
  /** As the operator gave it. */
  reference: string;
  /** The reference with its version pinned. */
  resolved: string;
  signed_by: string | null;
  /** 0 or 1: signed by a key that the operator trusts. */
  verified: number;
  manifest_json: string;
  manifest_text: string;
  lock_json: string | null;
  /** The decisions in force when it was last live. */
  grants_json: string;
  error: string | null;
  created: string;
  last_live: string | null;
}

/** What was decided about one permission. */
export interface GrantTable {
  plugin: string;
  /** `net:arxiv.org:443` */
  key: string;
  /** Empty, the job that it holds for, or `*` for the first one that needs it. */
  job: string;
  decision: string;
  duration: string;
  until: string | null;
  /** `{host, port, addresses}`: where a setting led when it was granted. */
  place_json: string | null;
  decided_by: string;
  decided: string;
}

export interface PluginConfigTable {
  plugin: string;
  /** 0 or 1; null where nobody said. */
  enabled: number | null;
  auto_update: number | null;
  config_json: string;
  limits_json: string;
  health: string | null;
  health_message: string | null;
  checked: string | null;
  /** Why a version did not go live, or why the plugin was set aside. */
  error: string | null;
  /** When it was set aside. */
  quarantined: string | null;
}

/** What waits for a person. */
export interface ConsentTable {
  id: string;
  plugin: string;
  kind: string;
  version_id: string;
  keys_json: string;
  places_json: string;
  job: string | null;
  asked_by: string;
  created: string;
}

export interface PromptTable {
  /** The consent's id. */
  id: string;
  job_id: string;
  plugin: string;
  keys_json: string;
  state: string;
  asked: string;
  expires_ms: number;
  decided: string | null;
}
