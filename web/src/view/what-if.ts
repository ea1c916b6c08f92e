/** The question of a what-if as its form holds it, and the answer side by side. */
import type { Problem, SloPolicyResource, WhatIfInput } from '../../../api/schema/index.ts';

/** As typed: empty leaves a thing as it is. */
export const EMPTY_FORM = {
  ...{ hours: '1', policy: '', ttftMs: '', tpotMs: '', e2eMs: '', attainment: '', priceKind: '', usdPerHour: '' },
  ...{ hostKind: '', hostCount: '', removeHost: '', deployment: '', replicas: '' },
};
export type WhatIfForm = typeof EMPTY_FORM;
export type FormField = keyof WhatIfForm;

/** The form as the page's address holds it: what is not there is as at first. */
export function formOf(address: URLSearchParams): WhatIfForm {
  const fields = Object.entries(EMPTY_FORM).map(([field, value]) => [field, address.get(field) ?? value]);
  return Object.fromEntries(fields) as WhatIfForm;
}

/** What changes in the address when a field is filled in; what is as at first is left out. */
export function addressWith(field: FormField, value: string): Record<string, string | null> {
  return { [field]: value === EMPTY_FORM[field] ? null : value };
}

/** So many hours back the API replays. */
const MOST_HOURS = 168;
/** Of the host that would be there. */
const HOST_NAME = 'what-if';
/** What is chosen says nothing without what is typed beside it. */
const BESIDE = [
  ['priceKind', 'usdPerHour', 'a price, USD an hour'],
  ['hostKind', 'hostCount', 'a number of accelerators'],
  ['deployment', 'replicas', 'a number of replicas'],
] as const;

/** What the API could not name as it stands in the form, or would not hear of at all: fields and what is wrong there. */
export function mistakesIn(form: WhatIfForm, policies: readonly SloPolicyResource[]): FormIssues['fields'] {
  const found: FormIssues['fields'] = {};
  const names = policies.map((p) => p.name);
  if (form.policy !== '' && !names.includes(form.policy))
    found.policy = issueText(`one of ${names.join(', ') || 'no policies'}`, form.policy);
  else if (form.policy !== '' && TARGETS.every((target) => form[target] === ''))
    found.policy = issueText('a policy and another target for it', `${form.policy} as it is`);
  for (const [choice, beside, allowed] of BESIDE) {
    if (form[choice] !== '' && form[beside].trim() === '') found[beside] = issueText(allowed, 'nothing');
  }
  const hours = Number(form.hours);
  if (!(hours > 0 && hours <= MOST_HOURS)) found.hours = issueText(`hours above 0, at most ${MOST_HOURS}`, form.hours || 'nothing');
  return found;
}

const issueText = (allowed: string, given: string) => `${allowed}; given: ${given}`;

/** What is no number is sent as it was typed: the API says at which field that is wrong. */
const number = (text: string) => (text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)) as number;

/** @param form without mistakes */
export function questionOf(form: WhatIfForm, policies: readonly SloPolicyResource[]): WhatIfInput {
  return {
    windowSeconds: Math.max(1, Math.round(Number(form.hours) * 3600)),
    ...policyPart(form, policies),
    ...(form.priceKind === '' ? {} : { prices: { [form.priceKind]: number(form.usdPerHour) } }),
    ...(form.hostKind === ''
      ? {}
      : { addHosts: [{ name: HOST_NAME, simulated: true, accelerators: [{ kind: form.hostKind, count: number(form.hostCount) }] }] }),
    ...(form.removeHost === '' ? {} : { removeHosts: [form.removeHost] }),
    ...(form.deployment === '' ? {} : { replicas: { [form.deployment]: number(form.replicas) } }),
  };
}

const TARGETS = ['ttftMs', 'tpotMs', 'e2eMs', 'attainment'] as const;

function policyPart(form: WhatIfForm, policies: readonly SloPolicyResource[]): Pick<WhatIfInput, 'policies'> {
  const chosen = policies.find((p) => p.name === form.policy);
  if (!chosen) return {};
  const changed = TARGETS.filter((target) => form[target] !== '');
  const { status: _, ...policy } = chosen;
  const targets = { ...policy.targets, ...Object.fromEntries(changed.map((target) => [target, number(form[target])])) };
  return { policies: [{ ...policy, targets }] };
}

/** Where in the form a field of the question is. */
const FIELDS: readonly [path: RegExp, field: FormField][] = [
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
  fields: Partial<Record<FormField, string>>;
  /** What belongs to no field. */
  rest: string[];
}

export function issuesOf({ issues, detail }: Problem): FormIssues {
  const found: FormIssues = { fields: {}, rest: issues ? [] : [detail] };
  for (const { field, given, allowed } of issues ?? []) {
    const place = FIELDS.find(([path]) => path.test(field))?.[1];
    if (place) found.fields[place] = issueText(allowed, given);
    else found.rest.push(`${field}: ${issueText(allowed, given)}`);
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
