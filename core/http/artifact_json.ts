/** Artifacts as the API says them. */
import type { ArtifactView, Sibling } from "../library/artifact.ts";
import type { StoredFile } from "../library/library.ts";
import type { ArtifactDetailJson, ArtifactJson } from "./artifact_schemas.ts";

export function fileJson(file: StoredFile): ArtifactJson["files"][number] {
  return {
    name: file.name,
    media_type: file.mediaType,
    size: file.size,
    digest: file.digest,
    ...(file.language === undefined ? {} : { language: file.language }),
    ...(file.format === undefined ? {} : { format: file.format }),
  };
}

export function artifactJson(artifact: ArtifactView): ArtifactJson {
  const { reading } = artifact;
  return {
    id: artifact.id,
    type: artifact.type,
    title: artifact.title,
    sources: artifact.sources.map(({ content, revision }) => ({ content, revision })),
    files: artifact.files.map(fileJson),
    size: artifact.size,
    parameters: { ...artifact.parameters },
    metadata: { ...artifact.metadata },
    plugin: artifact.plugin,
    plugin_digest: artifact.pluginDigest,
    job: artifact.job,
    user: artifact.user,
    version_of: artifact.versionOf ?? null,
    parent: artifact.parent ?? null,
    variant_index: artifact.variantIndex ?? null,
    chosen: artifact.chosen ?? null,
    state: artifact.state,
    run: artifact.run ?? null,
    reading: {
      state: reading.state,
      formats: { ...reading.formats },
      waiting_siblings: reading.waitingSiblings,
    },
    created: artifact.created,
    updated: artifact.updated,
  };
}

export function artifactDetailJson(
  artifact: ArtifactView & { readonly siblings: readonly Sibling[] },
): ArtifactDetailJson {
  return {
    ...artifactJson(artifact),
    siblings: artifact.siblings.map(({ id, title, variantIndex, chosen, state }) => ({
      id,
      title,
      variant_index: variantIndex,
      chosen: chosen ?? null,
      state,
    })),
  };
}
