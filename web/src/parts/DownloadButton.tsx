import { download } from '../client/http.ts';
import { act } from '../state/notices.ts';

/** Saves what the API answers as a file: a plain link would not send the API key. */
export function DownloadButton({ label, of, path }: { label: string; of: string; path: string }) {
  return (
    <button
      type="button"
      class="button button-plain"
      aria-label={`${label} ${of}`}
      onClick={() => void act(`${of} downloaded`, () => download(path))}
    >
      {label}
    </button>
  );
}
