/** What is wrong at a field, which names it by `aria-describedby`. */
export function FieldIssue({ id, of }: { id: string; of: string | undefined }) {
  return of === undefined ? null : (
    <span id={id} class="issue" role="alert">
      {of}
    </span>
  );
}
