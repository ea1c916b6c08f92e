/**
 * Empties a deployment that was deleted: every replica of it is drained and stopped. What was declared again by its name meanwhile, and rolled
 * out, stays.
 */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { RetireDeploymentInput } from './messages.ts';
import { control } from './proxies.ts';
import { retireAll } from './retire-replica.ts';
import { searchAttributes } from './search-attributes.ts';

export async function retireDeployment({ deployment, requestedBy }: RetireDeploymentInput): Promise<{ retired: number }> {
  upsertSearchAttributes([{ key: searchAttributes.deployment, value: deployment }]);
  let retired = 0;
  for (;;) {
    const living = await control.replicasOfDeleted(deployment);
    if (living.length === 0) return { retired };
    setCurrentDetails(
      `**${deployment}** was deleted by ${requestedBy}; leaving: ${living.map((r) => `\`${r.id}\` on ${r.host}`).join(', ')}.`,
    );
    await retireAll(
      living.map((r) => r.id),
      `deployment ${deployment} was deleted`,
    );
    retired += living.length;
  }
}
