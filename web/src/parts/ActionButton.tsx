import { useRef, useState } from 'preact/hooks';
import { act } from '../state/notices.ts';

interface ActionButtonProps {
  label: string;
  /** What a screen reader says: the label alone does not say of what. */
  of: string;
  /** Said when it worked. */
  done: string;
  action: () => Promise<unknown>;
  /** Asked first, where it is not undone by a second click. */
  confirm?: { title: string; text: string };
  tone?: 'plain' | 'primary' | 'danger';
}

/** Does something over the API; busy until the API has answered. */
export function ActionButton({ label, of, done, action, confirm, tone = 'plain' }: ActionButtonProps) {
  const [busy, setBusy] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const run = async () => {
    setBusy(true);
    await act(done, action);
    setBusy(false);
  };
  return (
    <>
      <button
        type="button"
        class={`button button-${tone}`}
        disabled={busy}
        aria-label={`${label} ${of}`}
        onClick={() => (confirm ? dialog.current?.showModal() : void run())}
      >
        {label}
      </button>
      {confirm && (
        <dialog ref={dialog} class="dialog" onClose={(e) => e.currentTarget.returnValue === 'yes' && void run()}>
          <form method="dialog">
            <h3>{confirm.title}</h3>
            <p>{confirm.text}</p>
            <div class="row row-end">
              <button type="submit" class="button button-plain" value="no">
                Cancel
              </button>
              <button type="submit" class={`button button-${tone === 'plain' ? 'primary' : tone}`} value="yes">
                {label}
              </button>
            </div>
          </form>
        </dialog>
      )}
    </>
  );
}
