import { notices, notify } from '../state/notices.ts';
import { useResource } from '../state/use-resource.ts';

/** What an action said. Read out when it appears. */
export function NoticeBar() {
  const { value: notice } = useResource(notices);
  return (
    <div class="notice-place" role="status" aria-live="polite">
      {notice && (
        <p class={`notice notice-${notice.tone}`}>
          <span>{notice.text}</span>
          <button type="button" class="button button-plain" onClick={() => notify(null)}>
            Dismiss
          </button>
        </p>
      )}
    </div>
  );
}
