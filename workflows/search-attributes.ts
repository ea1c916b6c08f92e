/** Search attributes that every workflow of uellm carries, so that Temporal's UI finds a rollout by what it is about. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const searchAttributes = {
  model: defineSearchAttributeKey('UellmModel', SearchAttributeType.KEYWORD),
  deployment: defineSearchAttributeKey('UellmDeployment', SearchAttributeType.KEYWORD),
  host: defineSearchAttributeKey('UellmHost', SearchAttributeType.KEYWORD),
  /** Where the replicas of a rollout are placed. */
  hosts: defineSearchAttributeKey('UellmHosts', SearchAttributeType.KEYWORD_LIST),
  stage: defineSearchAttributeKey('UellmStage', SearchAttributeType.KEYWORD),
  outcome: defineSearchAttributeKey('UellmOutcome', SearchAttributeType.KEYWORD),
} as const;
