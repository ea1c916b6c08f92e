/**
 * The workflows. Each is deterministic: time and ids come from Temporal, decisions from activities, which are imported as types only.
 * `deployModel`, `drainNode` and `rebalanceCluster` are what operators ask for; `moveReplica`, `placeReplica`, `reloadReplica`, `retireReplica` and `restoreReplica`
 * are the moves they are made of; `replaceReplicas` makes good what was lost; `retireDeployment` empties one that was deleted; `hostPresence` is one
 * host's life; `monitorCluster` mends what was predicted wrongly; `carryOutProposal` waits for an operator and then does
 * what was proposed; `readLog` fetches the end of a log from a host. Messages and ids are in `messages.ts`.
 */
export { carryOutProposal } from './carry-out-proposal.ts';
export { deployModel } from './deploy-model.ts';
export { drainNode } from './drain-node.ts';
export { hostPresence } from './host-presence.ts';
export { monitorCluster, scheduledMonitoring } from './monitor-cluster.ts';
export { moveReplica } from './move-replica.ts';
export { placeReplica } from './place-replica.ts';
export { readLog } from './read-log.ts';
export { rebalanceCluster, scheduledRebalance } from './rebalance-cluster.ts';
export { reloadReplica } from './reload-replica.ts';
export { replaceReplicas } from './replace-replicas.ts';
export { restoreReplica } from './restore-replica.ts';
export { retireDeployment } from './retire-deployment.ts';
export { retireReplica } from './retire-replica.ts';
