import { apiKey } from '../client/http.ts';

/** Asks for the API key, where the API wants one. @param problem what the API said of the last try */
export function KeyForm({ problem }: { problem: string }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get('key');
    if (typeof key !== 'string' || key.trim() === '') return;
    apiKey.set(key.trim());
    location.reload();
  };
  return (
    <form class="key-form card" onSubmit={submit}>
      <h2>This installation asks for an API key</h2>
      <p class="quiet">It is kept in this tab until you close it.</p>
      {apiKey.get() !== null && (
        <p class="trouble" role="alert">
          {problem}
        </p>
      )}
      <label for="key">API key</label>
      <div class="row">
        <input id="key" name="key" type="password" autocomplete="off" required />
        <button type="submit" class="button button-primary">
          Continue
        </button>
      </div>
    </form>
  );
}
