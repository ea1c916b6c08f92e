import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { FieldIssue } from '../../parts/FieldIssue.tsx';
import { showInAddress, useAddress } from '../../state/address.ts';
import { deployments, hosts, sloPolicies } from '../../state/cluster.ts';
import { useResource } from '../../state/use-resource.ts';
import { cancelWhatIf, refuseWhatIf, startWhatIf, whatIfRun } from '../../state/what-if-run.ts';
import { addressWith, type FormField, formOf, mistakesIn, questionOf } from '../../view/what-if.ts';

/** What would be otherwise: an SLO target, a price, accelerators, replicas. The address holds it. */
export function WhatIfForm() {
  const form = formOf(useAddress().query);
  const { value: run } = useResource(whatIfRun);
  const policies = useResource(sloPolicies).value ?? [];
  const fleet = useResource(hosts).value ?? [];
  const declared = useResource(deployments).value ?? [];
  const kinds = [...new Set(fleet.flatMap((h) => h.accelerators.map((a) => a.kind)))].sort();
  const issues = run?.issues.fields ?? {};
  const policy = policies.find((p) => p.name === form.policy);
  const set = (field: FormField) => (value: string) => showInAddress(addressWith(field, value));
  const field = (name: FormField) => ({ name, value: form[name], issue: issues[name], onInput: set(name) });
  const element = useRef<HTMLFormElement>(null);
  const isAsked = useRef(false);
  const isRunning = run?.running != null;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (isRunning) return;
    isAsked.current = true;
    const mistakes = mistakesIn(form, policies);
    if (Object.keys(mistakes).length > 0) refuseWhatIf(mistakes);
    else void startWhatIf(questionOf(form, policies));
  };
  useEffect(() => {
    if (isRunning || !isAsked.current) return;
    isAsked.current = false;
    const wrong = element.current?.querySelector<HTMLElement>('[aria-invalid=true]');
    // Cancel is gone, and with it the focus that it had.
    const lost = document.activeElement === document.body;
    (wrong ?? (lost ? element.current?.querySelector<HTMLElement>('[type=submit]') : null))?.focus();
  }, [isRunning, run?.issues]);
  return (
    <form ref={element} class="card what-if" onSubmit={submit} noValidate>
      <Group title="SLO">
        <Select {...field('policy')} label="Policy" options={policies.map((p) => p.name)} none="as it is" />
        {(['ttftMs', 'tpotMs', 'e2eMs', 'attainment'] as const).map((target) => (
          <Text
            key={target}
            {...field(target)}
            label={TARGET_LABELS[target]}
            placeholder={policy?.targets[target]?.toString() ?? 'none'}
            disabled={form.policy === ''}
          />
        ))}
      </Group>
      <Group title="Price">
        <Select {...field('priceKind')} label="Accelerator" options={kinds} none="as they are" />
        <Text {...field('usdPerHour')} label="USD an hour" disabled={form.priceKind === ''} />
      </Group>
      <Group title="Accelerators">
        <Select {...field('hostKind')} label="Another host with" options={kinds} none="no other host" />
        <Text {...field('hostCount')} label="Accelerators" disabled={form.hostKind === ''} />
        <Select {...field('removeHost')} label="Without host" options={fleet.map((h) => h.name)} none="all stay" />
      </Group>
      <Group title="Replicas">
        <Select {...field('deployment')} label="Deployment" options={declared.map((d) => d.name)} none="as they are" />
        <Text {...field('replicas')} label="Replicas" disabled={form.deployment === ''} />
      </Group>
      <div class="row what-if-run">
        <Text {...field('hours')} label="Replay the last hours" />
        <button type="submit" class="button button-primary" aria-disabled={isRunning}>
          Replay
        </button>
        {run?.running && (
          <>
            <button type="button" class="button button-danger" onClick={cancelWhatIf}>
              Cancel
            </button>
            <progress
              aria-label="Replayed"
              max={Math.max(1, run.running.of)}
              value={run.running.of > 0 ? run.running.arrived : undefined}
            />
            <span class="quiet">
              {run.running.of > 0
                ? `${run.running.arrived.toLocaleString('en')} of ${run.running.of.toLocaleString('en')} requests replayed`
                : 'Reading what was observed…'}
            </span>
          </>
        )}
      </div>
      {run?.issues.rest.map((text) => (
        <p key={text} class="trouble" role="alert">
          {text}
        </p>
      ))}
    </form>
  );
}

const TARGET_LABELS = { ttftMs: 'TTFT, ms', tpotMs: 'TPOT, ms', e2eMs: 'End to end, ms', attainment: 'Attainment, 0 to 1' } as const;

function Group({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <fieldset>
      <legend>{title}</legend>
      <div class="filters">{children}</div>
    </fieldset>
  );
}

interface FieldProps {
  name: string;
  label: string;
  value: string;
  issue: string | undefined;
  onInput(value: string): void;
}

function Text({ name, label, value, issue, onInput, placeholder, disabled }: FieldProps & { placeholder?: string; disabled?: boolean }) {
  return (
    <div class="with-issue">
      <label>
        {label}
        <input
          class="field"
          name={name}
          inputMode="decimal"
          autocomplete="off"
          value={value}
          placeholder={placeholder}
          disabled={disabled}
          aria-invalid={issue !== undefined}
          aria-describedby={issue && `${name}-issue`}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      </label>
      <FieldIssue id={`${name}-issue`} of={issue} />
    </div>
  );
}

function Select({ name, label, value, issue, onInput, options, none }: FieldProps & { options: readonly string[]; none: string }) {
  // An address may name what is not there.
  const shown = value === '' || options.includes(value) ? options : [...options, value];
  return (
    <div class="with-issue">
      <label>
        {label}
        <select
          class="field"
          name={name}
          value={value}
          aria-invalid={issue !== undefined}
          aria-describedby={issue && `${name}-issue`}
          onChange={(event) => onInput(event.currentTarget.value)}
        >
          <option value="">{none}</option>
          {shown.map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      </label>
      <FieldIssue id={`${name}-issue`} of={issue} />
    </div>
  );
}
