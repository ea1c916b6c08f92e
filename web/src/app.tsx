/**
 * The dashboard: pages over the admin API, live by its event stream. `client/` speaks HTTP, `state/` holds what was read, `view/` is pure
 * (and tested), `parts/` are small pieces, `sections/` what pages are made of, `pages.ts` the table of pages. Of the rest of uellm only
 * types are known.
 */
import { useEffect, useRef } from 'preact/hooks';
import { ApiError } from './client/http.ts';
import { type DashboardPage, PAGES, pageAt } from './pages.ts';
import { KeyForm } from './parts/KeyForm.tsx';
import { NoticeBar } from './parts/NoticeBar.tsx';
import { Header } from './sections/Header.tsx';
import { useAddress } from './state/address.ts';
import { info } from './state/cluster.ts';
import { useResource } from './state/use-resource.ts';

export function App() {
  const { path } = useAddress();
  const { error } = useResource(info);
  const locked = error instanceof ApiError && [401, 429].includes(error.problem.status);
  const page = pageAt(path);
  const main = useRef<HTMLElement>(null);
  const shown = useRef(page);
  useEffect(() => {
    document.title = `${page?.title ?? 'Not found'} · uellm`;
    if (shown.current === page) return;
    shown.current = page;
    // A screen reader hears that another page is there.
    main.current?.focus({ preventScroll: true });
  }, [page]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Header page={page} />
      <main id="main" ref={main} tabIndex={-1} aria-label={page?.title}>
        {locked ? <KeyForm problem={error.message} /> : <Shown page={page} />}
      </main>
      <NoticeBar />
    </>
  );
}

function Shown({ page }: { page: DashboardPage | undefined }) {
  if (page) return <page.Page key={page.path} />;
  return (
    <section class="section">
      <h2>Nothing is at this address</h2>
      <p class="quiet">
        The dashboard has{' '}
        {PAGES.map(({ path, title }, i) => (
          <>
            {i > 0 && ', '}
            <a key={path} href={path}>
              {title}
            </a>
          </>
        ))}
        .
      </p>
    </section>
  );
}
