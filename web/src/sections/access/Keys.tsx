import type { KeyResource } from '../../../../api/schema/index.ts';
import { ApiError, apiKey, remove } from '../../client/http.ts';
import { ActionButton } from '../../parts/ActionButton.tsx';
import { Ago } from '../../parts/Ago.tsx';
import { Pill } from '../../parts/Pill.tsx';
import { Section } from '../../parts/Section.tsx';
import { keys } from '../../state/cluster.ts';
import { useResource } from '../../state/use-resource.ts';
import { MakeKey } from './MakeKey.tsx';

/** Who may ask: the keys, and a way to make and to revoke them. For admins; others are told so. */
export function Keys() {
  const known = useResource(keys);
  const forbidden = known.error instanceof ApiError && known.error.problem.status === 403;
  if (forbidden) return <ForAdmins because={known.error!.message} />;
  return (
    <Section
      id="keys"
      title="API keys"
      note="newest first"
      head={known.value && <MakeKey />}
      of={known}
      empty={
        <>
          No key was made yet. {apiKey.get() === null && 'This API is open to this machine alone, where everybody is its admin: '}make one
          for each person and program that is to reach it.
        </>
      }
    >
      {(items) => (
        <div class="card scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Begins</th>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                <th scope="col">Tenant</th>
                <th scope="col">State</th>
                <th scope="col">Made</th>
                <th scope="col">Last used</th>
                <th scope="col">Expires</th>
                <th scope="col" aria-label="Revoke" />
              </tr>
            </thead>
            <tbody>
              {items.map((key) => (
                <KeyRow key={key.id} of={key} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

function ForAdmins({ because }: { because: string }) {
  return (
    <section class="section" id="keys" aria-labelledby="keys-title">
      <header class="section-head">
        <h2 id="keys-title">API keys</h2>
      </header>
      <p class="card">Keys are the admin’s to see and to make: {because}. Ask whoever runs this installation for a key of yours.</p>
    </section>
  );
}

function KeyRow({
  of: { id, prefix, name, role, tenant, state, createdAt, createdBy, lastUsedAt, expiresAt, revokedBy },
}: {
  of: KeyResource;
}) {
  const called = name ?? `key ${id}`;
  return (
    <tr>
      <th scope="row" class="mono">
        {prefix ? `${prefix}…` : `key ${id}`}
      </th>
      <td>{name ?? <span class="quiet">no name</span>}</td>
      <td>{role}</td>
      <td>{tenant ?? <span class="quiet">whole fleet</span>}</td>
      <td>
        <Pill tone={state === 'active' ? 'good' : 'quiet'} title={revokedBy ? `by ${revokedBy}` : undefined}>
          {state}
        </Pill>
      </td>
      <td>
        <Ago time={createdAt} /> <span class="quiet under">by {createdBy}</span>
      </td>
      <td>{lastUsedAt ? <Ago time={lastUsedAt} /> : <span class="quiet">never</span>}</td>
      <td>{expiresAt ? <time dateTime={expiresAt}>{expiresAt.slice(0, 10)}</time> : <span class="quiet">never</span>}</td>
      <td class="number">
        {state === 'active' && (
          <ActionButton
            label="Revoke"
            of={called}
            done={`${called} is revoked`}
            action={() => remove(`/api/v1/keys/${id}`)}
            tone="danger"
            confirm={{
              title: `Revoke ${called}?`,
              text: `Whoever uses ${prefix ? `${prefix}…` : 'it'} is refused from now on, by gateways within 2 s. That cannot be taken back.`,
            }}
          />
        )}
      </td>
    </tr>
  );
}
