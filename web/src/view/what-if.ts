/** The question of a what-if as its form holds it, and the answer side by side. */
import type { Problem, SloPolicyResource, WhatIfInput } from '../../../api/schema/index.ts';

/** As typed: empty leaves a thing as it is. */
export interface WhatIfForm {
  hours: string;
  policy: string;
  ttftMs: string;
  tpotMs: string;
  e2eMs: string;
  attainment: string;
  priceKind: string;
  usdPerHour: string;
  host: string;
  hostKind: string;
  hostCount: string;
  removeHost: string;
  deployment: string;
  replicas: string;
}

export const EMPTY_FORM: WhatIfForm = {
  ...{ hours: '1', policy: '', ttftMs: '', tpotMs: '', e2eMs: '', attainment: '', priceKind: '', usdPerHour: '' },
  ...{ host: 'what-if', hostKind: '', hostCount: '', removeHost: '', deployment: '', replicas: '' },
};

/** What is no number is sent as it was typed: the API says at which field that is wrong. */
const number = (text: string) => (text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)) as number;

export function questionOf(form: WhatIfForm, policies: readonly SloPolicyResource[]): WhatIfInput {
  const hours = number(form.hours);
  return {
    windowSeconds: typeof hours === 'number' ? Math.round(hours * 3600) : hours,
    ...policyPart(form, policies),
    ...(form.usdPerHour !== '' && form.priceKind !== '' ? { prices: { [form.priceKind]: number(form.usdPerHour) } } : {}),
    ...(form.hostCount !== '' && form.hostKind !== ''
      ? { addHosts: [{ name: form.host, simulated: true, accelerators: [{ kind: form.hostKind, count: number(form.hostCount) }] }] }
      : {}),
    ...(form.removeHost === '' ? {} : { removeHosts: [form.removeHost] }),
    ...(form.replicas !== '' && form.deployment !== '' ? { replicas: { [form.deployment]: number(form.replicas) } } : {}),
  };
}

const TARGETS = ['ttftMs', 'tpotMs', 'e2eMs', 'attainment'] as const;

function policyPart(form: WhatIfForm, policies: readonly SloPolicyResource[]): Pick<WhatIfInput, 'policies'> {
  const chosen = policies.find((p) => p.name === form.policy);
  const changed = TARGETS.filter((target) => form[target] !== '');
  if (!chosen || changed.length === 0) return {};
  const { status: _, ...policy } = chosen;
  const targets = { ...policy.targets, ...Object.fromEntries(changed.map((target) => [target, number(form[target])])) };
  return { policies: [{ ...policy, targets }] };
}

/** Where in the form a field of the question is. */
const FIELDS: readonly [path: RegExp, field: keyof WhatIfForm][] = [
  [/^windowSeconds$/, 'hours'],
  [/^policies\[0\]\.targets\.ttftMs$/, 'ttftMs'],
  [/^policies\[0\]\.targets\.tpotMs$/, 'tpotMs'],
  [/^policies\[0\]\.targets\.e2eMs$/, 'e2eMs'],
  [/^policies\[0\]\.targets\.attainment$/, 'attainment'],
  [/^policies/, 'policy'],
  [/^prices/, 'usdPerHour'],
  [/^addHosts\[0\]\.accelerators\[0\]\.count$/, 'hostCount'],
  [/^addHosts\[0\]\.accelerators\[0\]/, 'hostKind'],
  [/^addHosts/, 'hostCount'],
  [/^removeHosts/, 'removeHost'],
  [/^replicas/, 'replicas'],
];

export interface FormIssues {
  fields: Partial<Record<keyof WhatIfForm, string>>;
  /** What belongs to no field. */
  rest: string[];
}

export function issuesOf({ issues, detail }: Problem): FormIssues {
  const found: FormIssues = { fields: {}, rest: issues ? [] : [detail] };
  for (const { field, given, allowed } of issues ?? []) {
    const place = FIELDS.find(([path]) => path.test(field))?.[1];
    if (place) found.fields[place] = `${allowed}; given: ${given}`;
    else found.rest.push(`${field}: ${allowed}; given: ${given}`);
  }
  return found;
}

/** Of attainment and money after less before, to be coloured; null where either is not known. */
export function change(before: number | null | undefined, after: number | null | undefined): number | null {
  return before == null || after == null ? null : after - before;
}

/** `+2.1 points`, `±0`. */
export function pointsText(difference: number | null): string {
  if (difference === null) return '';
  const points = Math.round(difference * 1000) / 10;
  if (points === 0) return '±0';
  return `${points > 0 ? '+' : '−'}${Math.abs(points)} points`;
}
