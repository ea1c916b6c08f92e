/**
 * The workflows. Each is deterministic: time and ids come from Temporal, decisions from activities, which are imported as types only.
 * `deployModel`, `drainNode` and `rebalanceCluster` are what operators ask for; `placeReplica`, `retireReplica` and `restoreReplica` are the
 * moves they are made of; `retireDeployment` empties one that was deleted; `hostPresence` is one host's life; `monitorCluster` mends what was
 * predicted wrongly. Messages and ids are in `messages.ts`.
 */
export { deployModel } from './deploy-model.ts';
export { drainNode } from './drain-node.ts';
export { hostPresence } from './host-presence.ts';
export { monitorCluster, scheduledMonitoring } from './monitor-cluster.ts';
export { placeReplica } from './place-replica.ts';
export { rebalanceCluster, scheduledRebalance } from './rebalance-cluster.ts';
export { restoreReplica } from './restore-replica.ts';
export { retireDeployment } from './retire-deployment.ts';
export { retireReplica } from './retire-replica.ts';
