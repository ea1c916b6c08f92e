import { WhatIfAnswer } from '../sections/what-if/WhatIfAnswer.tsx';
import { WhatIfForm } from '../sections/what-if/WhatIfForm.tsx';
import { useResource } from '../state/use-resource.ts';
import { whatIfRun } from '../state/what-if-run.ts';

/** The requests of the last hours, replayed as things are and as they would be. Nothing is changed by asking. */
export function WhatIfPage() {
  const { value: run } = useResource(whatIfRun);
  return (
    <section class="section" aria-labelledby="what-if-title">
      <header class="section-head">
        <h2 id="what-if-title">What if</h2>
        <p class="note">the requests of the last hours, replayed with another target, price or fleet; nothing is changed by asking</p>
      </header>
      <WhatIfForm />
      {run?.answer && <WhatIfAnswer of={run.answer} />}
    </section>
  );
}
