/** Empties a deployment that was deleted: every replica of it is drained and stopped, those that a move brings up meanwhile too. */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { RetireDeploymentInput } from './messages.ts';
import { control } from './proxies.ts';
import { retireAll } from './retire-replica.ts';
import { searchAttributes } from './search-attributes.ts';

/** No revision has this number: all of them are others. */
const NO_REVISION = 0;

export async function retireDeployment({ deployment, requestedBy }: RetireDeploymentInput): Promise<{ retired: number }> {
  upsertSearchAttributes([{ key: searchAttributes.deployment, value: deployment }]);
  let retired = 0;
  for (;;) {
    const living = await control.livingReplicas(deployment, NO_REVISION, 'others');
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
