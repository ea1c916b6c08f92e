import { useRef, useState } from 'preact/hooks';
import type { KeyCreated, KeyInput } from '../../../../api/schema/index.ts';
import { ApiError, post } from '../../client/http.ts';
import { FieldIssue } from '../../parts/FieldIssue.tsx';
import { tenants } from '../../state/cluster.ts';
import { notify } from '../../state/notices.ts';
import { useResource } from '../../state/use-resource.ts';
import { type KeyIssues, keyIssuesOf } from '../../view/keys.ts';

const ROLES: { role: KeyInput['role']; text: string }[] = [
  { role: 'viewer', text: 'viewer: reads' },
  { role: 'operator', text: 'operator: also changes what runs' },
  { role: 'admin', text: 'admin: also holds the keys' },
];
const DAY_SECONDS = 86_400;
const LIFETIMES = [
  { days: 0, text: 'never' },
  { days: 30, text: 'in 30 days' },
  { days: 90, text: 'in 90 days' },
  { days: 365, text: 'in a year' },
];

/** A form that makes a key, and then shows it, once. */
export function MakeKey() {
  const [made, setMade] = useState<KeyCreated | null>(null);
  const [issues, setIssues] = useState<KeyIssues>({});
  const known = useResource(tenants).value ?? [];
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    const text = (name: string) => String(given.get(name) ?? '').trim();
    const days = Number(text('days'));
    const input: KeyInput = {
      role: text('role') as KeyInput['role'],
      ...(text('name') && { name: text('name') }),
      ...(text('tenant') && { tenant: text('tenant') }),
      ...(days > 0 && { expiresInSeconds: days * DAY_SECONDS }),
    };
    setIssues({});
    try {
      setMade(await post<KeyCreated>('/api/v1/keys', input));
      form.reset();
      notify({ tone: 'good', text: 'The key is made: copy it now' });
    } catch (error) {
      const found = error instanceof ApiError ? keyIssuesOf(error.problem) : null;
      if (found) setIssues(found);
      else notify({ tone: 'bad', text: (error as Error).message });
    }
  };
  const described = (field: keyof KeyIssues) => ({
    'aria-invalid': issues[field] !== undefined,
    'aria-describedby': issues[field] && `key-${field}-issue`,
  });
  return (
    <>
      <form class="filters" aria-label="Make a key" onSubmit={submit}>
        <div class="with-issue">
          <label>
            Name
            <input class="field" name="name" maxLength={100} placeholder="what it is for" autocomplete="off" {...described('name')} />
          </label>
          <FieldIssue id="key-name-issue" of={issues.name} />
        </div>
        <label>
          Role
          <select class="field" name="role">
            {ROLES.map(({ role, text }) => (
              <option key={role} value={role}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <div class="with-issue">
          <label>
            Tenant
            <input class="field" name="tenant" list="known-tenants" placeholder="whole fleet" autocomplete="off" {...described('tenant')} />
          </label>
          <FieldIssue id="key-tenant-issue" of={issues.tenant} />
        </div>
        <datalist id="known-tenants">
          {known.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label>
          Expires
          <select class="field" name="days">
            {LIFETIMES.map(({ days, text }) => (
              <option key={days} value={days}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="button button-primary">
          Make a key
        </button>
      </form>
      {made && <Made of={made} onDone={() => setMade(null)} />}
    </>
  );
}

function Made({ of: { secret, name, role }, onDone }: { of: KeyCreated; onDone(): void }) {
  const field = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    field.current!.select();
    // Away from loopback and without TLS, browsers keep the clipboard to themselves: then it is selected, to be copied by hand.
    await navigator.clipboard?.writeText(secret).then(
      () => setCopied(true),
      () => undefined,
    );
  };
  return (
    <section class="card made-key" aria-label="The new key">
      <p>
        <strong>This is the key{name && ` “${name}”`}</strong>, a {role}’s. It is shown this once: only its hash is kept.
      </p>
      <div class="row">
        <input ref={field} class="field mono" value={secret} readOnly aria-label="The key" size={52} />
        <button type="button" class="button button-primary" onClick={copy}>
          {copied ? 'Copied' : 'Copy'}
        </button>
        <button type="button" class="button button-plain" onClick={onDone}>
          I have it
        </button>
      </div>
    </section>
  );
}
