/** What a value report is made from, and what it says. */
import type { HostSpec } from '../../domain/fleet.ts';
import type { Refusal } from '../../domain/refusal.ts';
import type { SloPolicy } from '../../domain/slo-policy.ts';
import type { PolicyTraffic } from '../fleet-cost.ts';

/** Requests accepted in the period, of one deployment under one policy for one tenant. */
export interface ServedPart extends PolicyTraffic {
  tenant: string;
}

/** How long replicas of a deployment held accelerators of one kind on one host, in the period. */
export interface HeldTime {
  deployment: string;
  host: string;
  acceleratorKind: string;
  simulated: boolean;
  acceleratorSeconds: number;
  /** Of the period, since its first replica. */
  seconds: number;
  /** When that was declared which held of the host at this time (`HostTime.declaredAtMs`); null where no record says what did. */
  declaredAtMs: number | null;
}

/** A host as it was declared for some of the period: one that was declared anew is here once for each. */
export interface HostTime {
  host: string;
  /** Unix time, ms. */
  declaredAtMs: number;
  external: boolean;
  /** Of the period, for which this held. */
  seconds: number;
  accelerators: HostSpec['accelerators'];
  fixedUsdPerMonth: number;
  /** USD an hour of kinds for which it declares none, as the catalog had them then; null where no record says so. */
  catalog: Readonly<Record<string, number>> | null;
}

export interface ValueReportInput {
  served: readonly ServedPart[];
  held: readonly HeldTime[];
  hosts: readonly HostTime[];
  /** The catalog's prices of now, for what no record has a price of: USD an hour by kind. */
  catalog: Readonly<Record<string, number>>;
  policies: readonly SloPolicy[];
}

/** Counts, and the money of them, USD. */
export interface ValueFigures {
  /** All that arrived, what was shed, cancelled or failed among them. */
  requests: number;
  answered: number;
  /** Requests that have a verdict on their SLO: all but cancelled ones. */
  judged: number;
  attained: number;
  /** Of the answered ones. */
  inputTokens: number;
  outputTokens: number;
  /** null where one of the accelerators has no price. */
  acceleratorUsd: number | null;
  /** The share of what hosts cost beside their accelerators. */
  fixedUsd: number;
  spentUsd: number | null;
  /** By the values that policies declare; null where none of the requests has one. */
  earnedUsd: number | null;
  penaltyUsd: number | null;
  /** Requests under policies that declare no value: they earn nothing here. */
  unvaluedRequests: number;
  /** Earned less penalties less spent; null where either is not known. */
  netUsd: number | null;
}

/** Of one deployment, one policy and one tenant; the latter two are null for money that no request caused. */
export interface ValueLine extends ValueFigures {
  deployment: string;
  policy: string | null;
  tenant: string | null;
}

export interface DeploymentValue extends ValueFigures {
  deployment: string;
  /** All of the replicas were imitations: so is the money. */
  simulated: boolean;
  /** Of the period, since its first replica; null where none held accelerators in it. */
  hours: number | null;
  acceleratorHours: number;
  /** Kinds among its accelerators without a price. */
  unpriced: string[];
  requestsPerHour: number | null;
  breakEven: BreakEven;
}

/** When a deployment pays for itself, its requests and their attainment as they were. */
export interface BreakEven {
  requestsPerHour: number | null;
  /** What its accelerators cost to buy, by the time that it held them, and after how many months such net income has paid that. */
  purchaseUsd: number;
  purchaseMonths: number | null;
  /** Why there is none: no price, no requests, none of them with a value, or penalties that eat up what they earn. */
  none: 'price' | 'requests' | 'value' | 'penalties' | null;
}

/** Accelerators of one kind on one host while nobody held them. */
export interface IdleValue {
  host: string;
  acceleratorKind: string;
  acceleratorHours: number;
  acceleratorUsd: number | null;
  fixedUsd: number;
  spentUsd: number | null;
}

/** What one accelerator is counted at. */
export interface PriceUsed {
  acceleratorKind: string;
  /** null where nobody named one. */
  usdPerHour: number | null;
  /** Who says so: the host, what it was bought for, or where the catalog has it from. */
  source: string;
  hosts: string[];
}

export interface ValueReport {
  deployments: DeploymentValue[];
  /** Sums by policy, and by tenant; null is what no request caused. */
  policies: (ValueFigures & { policy: string | null; targetAttainment: number | null })[];
  tenants: (ValueFigures & { tenant: string | null })[];
  lines: ValueLine[];
  idle: IdleValue[];
  prices: PriceUsed[];
  /** Of all deployments together, of what idled, and of both. */
  totals: { served: ValueFigures; idleUsd: number | null; spentUsd: number | null; netUsd: number | null };
  /** Kinds without a price, and what would help. */
  refusals: Refusal[];
  /** What has to be known to read the figures. */
  notes: string[];
}
