/** Models as declared. */
import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import type { Model } from '../../core/domain/model-spec.ts';
import type { Executor } from '../client.ts';
import { deployments, models, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { namesOf, type Page, type PageRequest, toPage } from './page.ts';

export type ModelRow = typeof models.$inferSelect & {
  /** Names of the deployments that serve it. */
  deployments: string[];
};

const usedBy = sql<string[]>`array(select d.name from ${deployments} d where d.spec->>'model' = "models"."name" order by d.name)`;
const selection = {
  name: models.name,
  spec: models.spec,
  version: models.version,
  createdAt: models.createdAt,
  updatedAt: models.updatedAt,
  deployments: usedBy,
};

export async function listModels(db: Executor, page: PageRequest): Promise<Page<ModelRow>> {
  const rows = await db
    .select(selection)
    .from(models)
    .where(namesOf(page, models.name))
    .orderBy(asc(models.name))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => row.name);
}

/** @throws not-found */
export async function readModel(db: Executor, name: string): Promise<ModelRow> {
  const [row] = await db.select(selection).from(models).where(eq(models.name, name));
  if (!row) throw notFound('model', name);
  return row;
}

/** Those of these names that are declared. */
export async function declaredModels(db: Executor, names: readonly string[]): Promise<Model[]> {
  const rows = await db
    .select({ spec: models.spec })
    .from(models)
    .where(inArray(models.name, [...names]));
  return rows.map((row) => row.spec);
}

/** Holds the row until the transaction ends: `share` against its deletion, `update` against any change. @throws not-found */
export async function lockModel(tx: Executor, name: string, strength: 'share' | 'update'): Promise<Pick<ModelRow, 'spec' | 'version'>> {
  const [row] = await tx.select({ spec: models.spec, version: models.version }).from(models).where(eq(models.name, name)).for(strength);
  if (!row) throw notFound('model', name);
  return row;
}

/** @throws already-exists */
export async function insertModel(tx: Executor, spec: Model): Promise<void> {
  const inserted = await tx.insert(models).values({ name: spec.name, spec }).onConflictDoNothing().returning({ name: models.name });
  if (inserted.length === 0) throw new UellmError({ kind: 'already-exists', what: 'model', name: spec.name });
  await notifyChange(tx, 'models');
}

export async function updateModel(tx: Executor, spec: Model): Promise<void> {
  await tx
    .update(models)
    .set({ spec, version: sql`${models.version} + 1`, updatedAt: new Date() })
    .where(eq(models.name, spec.name));
  await notifyChange(tx, 'models');
}

export async function deleteModel(tx: Executor, name: string): Promise<void> {
  await tx.delete(models).where(eq(models.name, name));
  await notifyChange(tx, 'models');
}

/** Names of the hosts with replicas of a model that have not ended. */
export async function hostsServing(db: Executor, model: string): Promise<string[]> {
  const rows = await db
    .selectDistinct({ host: replicas.host })
    .from(replicas)
    .where(and(eq(replicas.model, model), isNull(replicas.endedAt)))
    .orderBy(asc(replicas.host));
  return rows.map((row) => row.host);
}
